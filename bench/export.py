"""`python -m bench export`: conversations as JSON lines in a file, against a COPY of the same rows by hand.

Both write every event's payload, and whose it is, to a file on the same disk. The copy by hand takes the rows as they
lie in the table: no order, nothing put together, which is what nobody can beat. A tenth of the conversations is of
another environment: exporting these alone tells whether memory grows.
"""

import itertools
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.ground import peak_megabytes, services
from bench.rows import Row
from bench.traffic import conversation

if TYPE_CHECKING:
    from environments.models import Environment
    from models_app.models import Assistant
    from studio.access.models import User

CONVERSATIONS = int(os.environ.get("BENCH_CONVERSATIONS") or 100_000)
EVENTS = 30  # of a conversation at most; half of them have one session of about twenty
ROUNDS = 3
AIM, FLAT = 0.30, 20  # of the copy's rate; megabytes that all may take more than a tenth
BATCH = 5000

_BY_HAND = """
COPY (
    SELECT conversation.sender_id, event.payload
    FROM conversations_conversation AS conversation
    JOIN conversations_event AS event ON event.conversation_id = conversation.id
    WHERE conversation.assistant_id = {assistant}
) TO STDOUT
"""


@dataclass(frozen=True, slots=True)
class Ground:
    person: "User"
    assistant: "Assistant"
    events: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One way, once: what it took, how many bytes it wrote, and the peak memory of this process meanwhile."""

    seconds: float
    size: int
    megabytes: float


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        os.environ["PARLEY_ARTIFACTS"] = folder
        with services():
            ground = _fill()
            return _compare(ground, Path(folder))


def _fill() -> Ground:
    """By the path of ingestion, so that everything is as in life."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from environments.models import Environment
    from environments.services.birth import create_assistant
    from studio.access.models import Role
    from studio.access.permissions import EVERYWHERE
    from studio.access.services.grants import grant
    from studio.access.services.people import create_person
    from studio.access.services.roles import ensure_default_roles

    ensure_default_roles()
    person = create_person(actor=None, username="bench", password=None)
    grant(actor=None, person=person, role=Role.objects.get(name="admin"), scope=EVERYWHERE)
    assistant = create_assistant(actor=None, slug="bench", title="Bench")
    chance = random.Random(1)
    shares = {"worker": CONVERSATIONS // 10, "production": CONVERSATIONS - CONVERSATIONS // 10}
    events = sum(
        _store(Environment.objects.get(assistant=assistant, name=name), _events(chance, count))
        for name, count in shares.items()
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE conversations_conversation, conversations_event")
    return Ground(person, assistant, events)


def _store(environment: "Environment", events: Iterator[bytes]) -> int:
    from conversations.ingest.history import IMPORT, place_in, source_named
    from conversations.ingest.records import Record, read
    from conversations.ingest.write import store

    places = place_in(environment, source_named(environment, IMPORT))
    stored = 0
    while batch := list(itertools.islice(events, BATCH)):
        stored += store(read([Record(one) for one in batch]), places).added
    return stored


def _events(chance: random.Random, conversations: int) -> Iterator[bytes]:
    import orjson

    for number in range(conversations):
        yield from map(orjson.dumps, itertools.islice(conversation(chance, 1_790_000_000.0 + number), EVENTS))


def _compare(ground: Ground, folder: Path) -> list[Row]:
    """Both take turns, so that whatever else the machine does meets both; of each way the best."""
    tenth = _export(ground, "environment=worker")
    ours, by_hand = [], []
    for _ in range(ROUNDS):
        by_hand.append(_copy(ground, folder / "by-hand"))
        ours.append(_export(ground, ""))
    best, bare = min(ours, key=lambda one: one.seconds), min(by_hand, key=lambda one: one.seconds)
    share = bare.seconds / best.seconds
    growth = max(one.megabytes for one in ours) - tenth.megabytes
    what = f"export of {CONVERSATIONS:,} conversations, {ground.events:,} events"
    return [
        Row(
            what,
            f"{best.seconds:.1f} s, {best.size / best.seconds / 1e6:.0f} MB/s",
            f"COPY of the rows {bare.seconds:.1f} s, {bare.size / bare.seconds / 1e6:.0f} MB/s",
            f"{share:.0%} of its rate",
            f"{AIM:.0%}",
            share >= AIM,
        ),
        Row(
            "its peak memory",
            f"{max(one.megabytes for one in ours):.0f} MB",
            f"of a tenth {tenth.megabytes:.0f} MB",
            f"{growth:+.0f} MB",
            "flat",
            growth < FLAT,
        ),
    ]


def _export(ground: Ground, query: str) -> Pass:
    """The run of a background worker, up to the file in the store."""
    from conversations.models import ExportRun
    from conversations.services import export_runs
    from conversations.services.exporting import Format

    run = ExportRun.objects.create(
        assistant=ground.assistant, query=query, format=Format.JSONL, requested_by=ground.person
    )
    _forget_peak()
    began = time.perf_counter()
    export_runs.work(run.pk)
    seconds = time.perf_counter() - began
    run.refresh_from_db()
    assert (run.state, run.done) == ("done", CONVERSATIONS // 10 if query else CONVERSATIONS)
    peak = peak_megabytes(os.getpid())
    export_runs.store().delete(run.sha256)
    return Pass(seconds, run.size, peak)


def _copy(ground: Ground, file: Path) -> Pass:
    from django.db import connection

    _forget_peak()
    began = time.perf_counter()
    rows = 0
    with file.open("wb") as out, connection.cursor() as cursor:
        with cursor.copy(_BY_HAND.format(assistant=ground.assistant.pk)) as copy:
            for row in copy:
                out.write(row)
                rows += 1
        out.flush()
        os.fsync(out.fileno())
    seconds = time.perf_counter() - began
    assert rows == ground.events
    return Pass(seconds, file.stat().st_size, peak_megabytes(os.getpid()))


def _forget_peak() -> None:
    """VmHWM begins anew."""
    Path("/proc/self/clear_refs").write_text("5")
