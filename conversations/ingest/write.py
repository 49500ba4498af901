"""Storing a batch of records: events, the conversations they change, and what could not be stored, all or nothing."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction

from conversations.ingest import statements
from conversations.ingest.decode import DecodedEvent, Undecodable, decode, storable
from conversations.models import DeadLetter
from studio.crypto import keyed_digest

log = structlog.get_logger()
Result = TypeVar("Result")

TRIES = 6
_DEADLOCK, _SERIALIZATION_FAILURE = "40P01", "40001"
# SQLSTATE classes that blame the data: bad values, broken constraints, something larger than a limit.
_DATA_CLASSES = {"22", "23", "54"}


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a source's records belong. `environment_name` is what Rasa calls it, kept also when we know none."""

    assistant_id: int
    environment_id: int | None
    environment_name: str
    source: str  # for dead letters: which table or topic


@dataclass(frozen=True, slots=True)
class Record:
    """One message of an event broker, untouched."""

    data: bytes
    binding: Binding


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records became new events, were known already, or can never be stored."""

    added: int = 0
    known: int = 0
    dead: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(self.added + other.added, self.known + other.known, self.dead + other.dead)


Readable = tuple[Record, DecodedEvent]


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


@transaction.atomic
def store_batch(records: Sequence[Record]) -> Stored:
    """Store what is new, count it into its conversations, keep the rest as dead letters; safe to run twice.

    Joins the caller's transaction, so that taking records from their source and storing them are one act.
    """
    readable: list[Readable] = []
    dead: list[DeadLetter] = []
    for record in records:
        try:
            readable.append((record, decode(record.data)))
        except Undecodable as error:
            dead.append(_dead_letter(record, str(error)))
    stored = _store_or_halve(readable, dead)
    DeadLetter.objects.bulk_create(dead)
    return stored + Stored(dead=len(dead))


def _store_or_halve(batch: list[Readable], dead: list[DeadLetter]) -> Stored:
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
            dead.append(_dead_letter(batch[0][0], f"Could not be stored: {error}"))
            return Stored()
    middle = len(batch) // 2
    return _store_or_halve(batch[:middle], dead) + _store_or_halve(batch[middle:], dead)


def _dead_letter(record: Record, reason: str) -> DeadLetter:
    return DeadLetter(
        environment_id=record.binding.environment_id,
        source=record.binding.source,
        record=record.data,
        reason=storable(reason, 2000),
    )


def _store(batch: list[Readable]) -> Stored:
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


def _rows(batch: list[Readable]) -> list[tuple[object, ...]]:
    """The columns of statements.COPY_INCOMING."""
    keys = {event.sender_id: b"" for _, event in batch}
    for sender_id in keys:
        keys[sender_id] = sender_key(sender_id)
    return [
        (
            position,
            record.binding.assistant_id,
            record.binding.environment_id,
            record.binding.environment_name,
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
        for position, (record, event) in enumerate(batch)
    ]
