"""Storing a batch of records: events, the conversations they change, and what could not be stored, all or nothing."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from conversations.ingest import statements
from conversations.ingest.decode import NAME_LENGTH, storable
from conversations.ingest.records import Batch, Binding, Places, Readable, Record, Unreadable, header_text, read
from conversations.models import DeadLetter, IntakeSource
from studio.crypto import keyed_digest

log = structlog.get_logger()
Result = TypeVar("Result")
Bury = Callable[[list[Unreadable], Places], None]

TRIES = 6
_DEADLOCK, _SERIALIZATION_FAILURE = "40P01", "40001"
# SQLSTATE classes that blame the data: bad values, broken constraints, something larger than a limit.
_DATA_CLASSES = {"22", "23", "54"}


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records became new events, were known already, or can never be stored."""

    added: int = 0
    known: int = 0
    dead: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(self.added + other.added, self.known + other.known, self.dead + other.dead)


def sender_key(sender_id: str) -> bytes:
    """What stands for a sender in keys: unlike the id itself it may outlive the conversation."""
    return keyed_digest("sender", sender_id)


def again_when_interrupted(work: Callable[[], Result]) -> Result:
    """Run a whole transaction, and run it again when PostgreSQL ended it in favour of another one."""
    for attempt in range(1, TRIES):
        try:
            return work()
        except OperationalError as error:
            if sqlstate(error) not in (_DEADLOCK, _SERIALIZATION_FAILURE):
                raise
            log.info("transaction interrupted by another, trying again", attempt=attempt)
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - only to step out of each other's way
    return work()


def sqlstate(error: DatabaseError) -> str:
    """PostgreSQL's five-letter code of an error that Django wrapped; empty when the server said none."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def store_batch(records: Sequence[Record], places: Places) -> Stored:
    """Decode and store: what is new is counted into its conversations, the rest kept as dead letters."""
    return store(read(list(records)), places)


def bury(dead: list[Unreadable], places: Places) -> None:
    """Keep what can never be stored as dead letters."""
    DeadLetter.objects.bulk_create(_dead_letter(one, places) for one in dead)


@transaction.atomic
def store(batch: Batch, places: Places, bury: Bury = bury) -> Stored:
    """All of a batch or nothing; safe to run twice.

    Joins the caller's transaction, so that taking records from their source and storing them are one act. `bury` is
    given what can never be stored: records that are dead letters already must not become others.
    """
    dead = list(batch.unreadable)
    placed = [(one, places.binding(one.record.claimed, one.event.rasa_assistant_id)) for one in batch.readable]
    stored = _store_or_halve(placed, dead) + Stored(dead=len(dead))
    bury(dead, places)
    # Last, so that two processes hold these rows no longer than their commits take.
    _note_streams(placed, places.source_id)
    _note_source(placed, stored, places.source_id)
    return stored


Placed = tuple[Readable, Binding]


def _store_or_halve(batch: list[Placed], dead: list[Unreadable]) -> Stored:
    """Store `batch`; when the data is to blame try each half, so that one bad record ends alone in `dead`."""
    if not batch:
        return Stored()
    try:
        with transaction.atomic():
            return _store(batch)
    except (DatabaseError, UnicodeError) as error:
        if isinstance(error, DatabaseError) and sqlstate(error)[:2] not in _DATA_CLASSES:
            raise
        if len(batch) == 1:
            code = sqlstate(error) if isinstance(error, DatabaseError) else "unicode"
            reason = f"Could not be stored: {str(error).strip()}"
            dead.append(Unreadable(batch[0][0].record, "refused", code, reason))
            return Stored()
    middle = len(batch) // 2
    return _store_or_halve(batch[:middle], dead) + _store_or_halve(batch[middle:], dead)


def _dead_letter(one: Unreadable, places: Places) -> DeadLetter:
    binding = places.binding(one.record.claimed, "")
    topic, partition, offset = one.record.offset or ("", None, None)
    return DeadLetter(
        source_id=places.source_id,
        assistant_id=binding.assistant_id,
        environment_id=binding.environment_id,
        environment_name=storable(binding.environment_name, NAME_LENGTH),
        fault=one.fault,
        place=one.place,
        reason=storable(one.reason, 2000),
        record=one.record.data,
        topic=topic,
        partition=partition,
        offset=offset,
        headers=[[storable(name, 200), header_text(value)] for name, value in one.record.headers],
    )


def _note_streams(placed: list[Placed], source_id: int) -> None:
    """What came under which name of an environment."""
    counts: dict[tuple[int, str], list[float]] = {}
    for one, binding in placed:
        fact = counts.setdefault((binding.assistant_id, binding.environment_name), [0, one.event.timestamp])
        fact[0] += 1
        fact[1] = max(fact[1], one.event.timestamp)
    with connection.cursor() as cursor:
        for (assistant_id, name), (count, newest) in sorted(counts.items()):
            cursor.execute(statements.NOTE_STREAM, [source_id, assistant_id, name, int(count), newest])


def _note_source(placed: list[Placed], stored: Stored, source_id: int) -> None:
    facts: dict[str, object] = {
        "events_total": F("events_total") + stored.added,
        "known_total": F("known_total") + stored.known,
    }
    if stored.added:
        newest = max(one.event.timestamp for one, _ in placed)
        facts |= {"last_event_at": timezone.now(), "newest_event_at": Greatest(F("newest_event_at"), newest)}
    IntakeSource.objects.filter(pk=source_id).update(**facts)


def _store(batch: list[Placed]) -> Stored:
    with connection.cursor() as cursor:
        cursor.execute(statements.TABLES)
        with cursor.copy(statements.COPY_INCOMING) as copy:
            for row in _rows(batch):
                copy.write_row(row)
        cursor.execute(statements.ADD_CONVERSATIONS)
        cursor.execute(statements.LOCK_CONVERSATIONS)
        cursor.execute(statements.ADD_EVENTS)
        cursor.execute(statements.MOVE_TO_EARLIEST)
        cursor.execute(statements.APPLY_CHANGES)
        cursor.execute(statements.MARK_CHANGED)
        cursor.execute(statements.COUNT_ADDED)
        added = int(cursor.fetchone()[0])
    return Stored(added=added, known=len(batch) - added)


def _rows(batch: list[Placed]) -> list[tuple[object, ...]]:
    """The columns of statements.COPY_INCOMING."""
    keys = {one.event.sender_id: b"" for one, _ in batch}
    for sender_id in keys:
        keys[sender_id] = sender_key(sender_id)
    return [
        (
            position,
            binding.assistant_id,
            binding.environment_id,
            binding.environment_name,
            keys[event.sender_id],
            storable(event.sender_id, len(event.sender_id)),
            event.digest,
            event.timestamp,
            event.rank,
            event.kind,
            event.payload,
            event.text,
            event.name,
            event.policy,
            event.confidence,
            event.model_id,
            event.channel,
        )
        for position, ((_record, event), binding) in enumerate(batch)
    ]
