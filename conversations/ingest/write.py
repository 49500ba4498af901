"""Storing a batch of records: events, the conversations they change, and what could not be stored, all or nothing."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from conversations.ingest import statements, tally
from conversations.ingest.decode import NAME_LENGTH, DecodedEvent, storable
from conversations.ingest.records import Batch, Binding, Places, Readable, Unreadable, header_text
from conversations.ingest.senders import Sender, Senders, Vanished, lock_conversations
from conversations.ingest.whose import keys_named, newest_time
from conversations.models import DeadLetter, IntakeSource
from conversations.search.index import add_terms

log = structlog.get_logger()
Result = TypeVar("Result")
Bury = Callable[[list[Unreadable], Places], int]

TRIES = 6
CLOCKS_DIFFER = 60.0  # seconds; what claims to be of a later time says nothing of how fresh a source is
_DEADLOCK, _SERIALIZATION_FAILURE = "40P01", "40001"
# SQLSTATE classes that blame the data: bad values, broken constraints, something larger than a limit.
_DATA_CLASSES = {"22", "23", "54"}


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records became new events, were known already, can never be stored, or are of somebody erased."""

    added: int = 0
    known: int = 0
    dead: int = 0
    erased: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            self.added + other.added, self.known + other.known, self.dead + other.dead, self.erased + other.erased
        )

    @property
    def records(self) -> int:
        """All of them."""
        return self.added + self.known + self.dead + self.erased


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


def sqlstate(error: DatabaseError | InterfaceError) -> str:
    """PostgreSQL's five-letter code of an error that Django wrapped; empty when the server said none."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def bury(dead: list[Unreadable], places: Places) -> int:
    """Keep what can never be stored as dead letters, but for those of somebody erased; returns how many these are."""
    letters = [_dead_letter(one, places) for one in dead]
    kept = _without_erased_letters(letters) if letters else letters
    DeadLetter.objects.bulk_create(kept)
    return len(letters) - len(kept)


def _without_erased_letters(letters: list[DeadLetter]) -> list[DeadLetter]:
    """A record that nobody can read counts as old, unless it tells a later time."""
    asked = [(one.assistant_id, bytes.fromhex(key)) for one in letters for key in one.sender_keys]
    with connection.cursor() as cursor:
        cursor.execute(statements.TOMBSTONES, [[one for one, _ in asked], [key for _, key in asked]])
        erased = {(assistant_id, bytes(key).hex()): up_to for assistant_id, key, up_to in cursor.fetchall()}

    def is_erased(letter: DeadLetter) -> bool:
        at = newest_time(bytes(letter.record))
        until = (erased.get((letter.assistant_id, key)) for key in letter.sender_keys)
        return any(up_to is not None and (at is None or at <= up_to) for up_to in until)

    return [one for one in letters if not is_erased(one)] if erased else letters


@transaction.atomic(savepoint=False)
def store(batch: Batch, places: Places, bury: Bury = bury) -> Stored:
    """All of a batch or nothing, what is new counted into its conversations; safe to run twice.

    Joins the caller's transaction, so that taking records from their source and storing them are one act. `bury` is
    given what can never be stored: records that are dead letters already must not become others. It returns how many of
    them it refused instead.
    """
    dead = list(batch.unreadable)
    placed = _placed(batch, places)
    stored = _store_or_halve(placed, dead)
    refused = bury(dead, places)
    stored += Stored(dead=len(dead) - refused, erased=refused)
    # Last, so that two processes hold these rows no longer than their commits take.
    _note_streams(placed, places.source_id)
    _note_source(placed, stored, places.source_id)
    return stored


Placed = tuple[Readable, Binding]


def _placed(batch: Batch, places: Places) -> list[Placed]:
    bindings: dict[tuple[str, str], Binding] = {}
    placed = []
    for one in batch.readable:
        claim = one.record.claimed, one.event.rasa_assistant_id
        if claim not in bindings:
            bindings[claim] = places.binding(*claim)
        placed.append((one, bindings[claim]))
    return placed


def _store_or_halve(batch: list[Placed], dead: list[Unreadable]) -> Stored:
    """Store `batch`; when the data is to blame try each half, so that one bad record ends alone in `dead`."""
    if not batch:
        return Stored()
    try:
        with transaction.atomic():
            return _store(batch)
    except Vanished:
        return _store_or_halve(batch, dead)
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
        sender_keys=keys_named(one.record.data),
        topic=topic,
        partition=partition,
        offset=offset,
        headers=[[storable(name, 200), header_text(value)] for name, value in one.record.headers],
    )


def _note_streams(placed: list[Placed], source_id: int) -> None:
    """What came under which name of an environment."""
    times: dict[Binding, list[float]] = {}
    for one, binding in placed:
        times.setdefault(binding, []).append(one.event.timestamp)
    with connection.cursor() as cursor:
        for binding, came in sorted(times.items(), key=lambda item: (item[0].assistant_id, item[0].environment_name)):
            whose = source_id, binding.assistant_id, binding.environment_name
            cursor.execute(statements.NOTE_STREAM, [*whose, len(came), max(came)])


def _note_source(placed: list[Placed], stored: Stored, source_id: int) -> None:
    facts: dict[str, object] = {
        "events_total": F("events_total") + stored.added,
        "known_total": F("known_total") + stored.known,
        "erased_total": F("erased_total") + stored.erased,
    }
    if stored.added:
        newest = min(max(one.event.timestamp for one, _ in placed), time.time() + CLOCKS_DIFFER)
        facts |= {"last_event_at": timezone.now(), "newest_event_at": Greatest(F("newest_event_at"), newest)}
    IntakeSource.objects.filter(pk=source_id).update(**facts)


def _store(batch: list[Placed]) -> Stored:
    """COPY before any lock: PostgreSQL waits for its end however long this process stands still."""
    newest = _newest(batch)
    numbers = {sender: number for number, sender in enumerate(newest)}
    with connection.cursor() as cursor:
        cursor.execute(statements.TABLES)
        # Django wraps the errors of execute and not those of COPY.
        with connection.wrap_database_errors, cursor.copy(statements.COPY_INCOMING) as copy:
            copy.set_types(statements.COPY_TYPES)
            for (_, event), binding in batch:
                copy.write_row(_row(event, binding, numbers[binding.assistant_id, event.sender_id]))
        senders = lock_conversations(cursor, newest)
        cursor.execute(statements.ADD_EVENTS, senders.columns(numbers))
        added = int(cursor.rowcount)
        kept = _without_erased(batch, senders)
        if added:
            _apply_and_count(cursor)
            add_terms(cursor, _terms(kept, senders))
    return Stored(added=added, known=len(kept) - added, erased=len(batch) - len(kept))


def _newest(batch: list[Placed]) -> dict[Sender, float]:
    """The senders of a batch, with the time of the latest event of each."""
    newest: dict[Sender, float] = {}
    for one, binding in batch:
        sender, at = (binding.assistant_id, one.event.sender_id), one.event.timestamp
        if at >= newest.get(sender, at):
            newest[sender] = at
    return newest


def _without_erased(batch: list[Placed], senders: Senders) -> list[Placed]:
    if not senders.erased:
        return batch
    return [
        (one, binding)
        for one, binding in batch
        if senders.keeps((binding.assistant_id, one.event.sender_id), one.event.timestamp)
    ]


def _terms(batch: list[Placed], senders: Senders) -> dict[tuple[int, int], set[str]]:
    """What each (assistant, conversation) is found by."""
    found: dict[tuple[int, int], set[str]] = defaultdict(set)
    for (_, event), binding in batch:
        conversation = senders.conversations[binding.assistant_id, event.sender_id]
        found[binding.assistant_id, conversation].update(event.terms)
    return found


def _apply_and_count(cursor: CursorWrapper) -> None:
    """Count the events of `added_event` into their conversations and hours."""
    cursor.execute(statements.APPLY_AND_COUNT)
    while cursor.nextset():
        pass
    if cursor.fetchone()[0]:
        cursor.execute(tally.COUNT_MOVED_EVENTS)


def apply_added(cursor: CursorWrapper) -> None:
    """Count the events of `added_event` into their conversations."""
    cursor.execute(statements.APPLY_ADDED)


def _row(event: DecodedEvent, binding: Binding, sender: int) -> tuple[object, ...]:
    """The columns of statements.COPY_INCOMING: of the event all but the sender_id and what chose the binding."""
    return (sender, binding.environment_id, storable(binding.environment_name, NAME_LENGTH), *event[1:-2])
