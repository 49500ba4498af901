"""How fast events are stored, against a bare COPY of the same rows on the same machine.

    python bench/ingest.py [--events 100000]

Makes a database of its own beside the one that DATABASE_URL names, and drops it at the end.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
os.environ.setdefault("PARLEY_LOG_LEVEL", "WARNING")
django.setup()

from django.db import connection  # noqa: E402

from conversations.ingest.decode import decode  # noqa: E402
from conversations.ingest.sql_source import BATCH  # noqa: E402
from conversations.ingest.write import Binding, Record, store_batch  # noqa: E402
from environments.models import Environment  # noqa: E402
from environments.services.birth import create_assistant  # noqa: E402


def events(count: int) -> Iterator[bytes]:
    """Turns of 25 events per conversation in the shares and sizes that Rasa writes, several conversations at a time."""
    chance = random.Random(1)
    senders = [f"{chance.getrandbits(128):032x}" for _ in range(max(1, count // 25))]
    kinds = ["action"] * 43 + ["user"] * 17 + ["user_featurization"] * 17 + ["bot"] * 17 + ["session_started"] * 6
    for number in range(count):
        kind = chance.choice(kinds)
        sender = senders[min(len(senders) - 1, number // 25 + chance.randrange(8))]
        yield json.dumps(event(kind, sender, 1_790_000_000 + number * 0.01)).encode()


def event(kind: str, sender: str, at: float) -> dict[str, object]:
    one: dict[str, object] = {
        "sender_id": sender,
        "event": kind,
        "timestamp": at,
        "metadata": {"model_id": "5c4c2f3a9d1b4be2a7de6c1f0a3b5c7d", "assistant_id": "20261121-cafe"},
    }
    if kind == "user":
        ranking = [{"name": f"intent_{n}", "confidence": 0.9 / (n + 1)} for n in range(10)]
        parse = {"intent": ranking[0], "entities": [], "intent_ranking": ranking, "text_tokens": [[0, 5], [6, 9]]}
        return one | {"text": f"a table at {at}", "parse_data": parse, "input_channel": "rasa"}
    if kind == "bot":
        return one | {"text": "For how many people shall I book the table?", "data": {"buttons": None, "image": None}}
    if kind == "action":
        return one | {"name": "utter_ask_people", "policy": "policy_2_RulePolicy", "confidence": 1.0}
    return one


def bare_copy(batches: list[list[bytes]], environment: Environment) -> float:
    """Seconds to COPY the same stored columns into a table without any index, one transaction for each batch."""
    rows = [[decode(data) for data in batch] for batch in batches]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bare (sender_id text, digest bytea, at float8, rank int2, kind text, payload text, text text,"
            " name text, policy text, confidence float8, model_id text, channel text)"
        )
        start = time.perf_counter()
        for batch in rows:
            with cursor.copy("COPY bare FROM STDIN") as copy:
                for one in batch:
                    copy.write_row(one)
        return time.perf_counter() - start


def ingest(batches: list[list[bytes]], environment: Environment) -> float:
    """Seconds to decode and store, as the ingest process does; run again it meets only known events."""
    binding = Binding(environment.assistant_id, environment.pk, environment.name, "bench")
    start = time.perf_counter()
    for batch in batches:
        store_batch([Record(data, binding) for data in batch])
    return time.perf_counter() - start


def measure(count: int) -> None:
    environment = Environment.objects.get(
        assistant=create_assistant(actor=None, slug="bench", title="Bench"), name="production"
    )
    data = list(events(count))
    batches = [data[start : start + BATCH] for start in range(0, count, BATCH)]
    start = time.perf_counter()
    for one in data:
        decode(one)
    seconds = {"decode alone": time.perf_counter() - start}
    seconds["bare COPY, no index"] = bare_copy(batches, environment)
    seconds["ingest, new events"] = ingest(batches, environment)
    seconds["ingest, all known"] = ingest(batches, environment)
    bare = seconds["bare COPY, no index"]
    print(f"{count} events of {sum(map(len, data)) // count} bytes in batches of {BATCH}")
    for name, took in seconds.items():
        print(f"{name:<22}{count / took:>10,.0f} /s   {bare / took:>6.0%} of bare COPY")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    arguments = parser.parse_args()
    kept = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        measure(arguments.events)
    finally:
        connection.creation.destroy_test_db(kept, verbosity=0)


if __name__ == "__main__":
    main()
