"""`python -m bench ingest`: events stored by the ingest process, against a bare COPY of the same rows."""

import json
import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.ground import services
from bench.rows import Row

if TYPE_CHECKING:
    from environments.models import Environment

EVENTS = 100_000


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


def bare_copy(batches: list[list[bytes]]) -> float:
    """Seconds to COPY the same stored columns into a table without any index, one transaction for each batch."""
    from django.db import connection

    from conversations.ingest.decode import decode

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


def ingest(batches: list[list[bytes]], environment: "Environment") -> float:
    """Seconds to decode and store, as the ingest process does; run again it meets only known events."""
    from conversations.ingest.places import SourcePlaces
    from conversations.ingest.records import Record
    from conversations.ingest.write import store_batch
    from conversations.models import IntakeSource

    source, _ = IntakeSource.objects.get_or_create(kind="kafka", name="bench", assistant=environment.assistant)
    places = SourcePlaces(source)
    places.refresh()
    start = time.perf_counter()
    for batch in batches:
        store_batch([Record(data, environment.name) for data in batch], places)
    return time.perf_counter() - start


def run() -> list[Row]:
    with services():
        from django.core.management import call_command

        from conversations.ingest.sql_source import BATCH
        from environments.models import Environment
        from environments.services.birth import create_assistant

        call_command("migrate", verbosity=0)
        assistant = create_assistant(actor=None, slug="bench", title="Bench")
        data = list(events(EVENTS))
        batches = [data[start : start + BATCH] for start in range(0, EVENTS, BATCH)]
        return measure(batches, Environment.objects.get(assistant=assistant, name="production"))


def measure(batches: list[list[bytes]], environment: "Environment") -> list[Row]:
    bare = bare_copy(batches)
    compared = f"bare COPY {EVENTS / bare:,.0f} /s"
    rows = []
    for what in ("events stored, all new", "events stored, all known"):
        seconds = ingest(batches, environment)
        rows.append(Row(what, f"{EVENTS / seconds:,.0f} /s", compared, f"{bare / seconds:.0%} of its rate"))
    return rows
