"""Storing a batch of records: events, the conversations they change, and what could not be stored, all or nothing."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from conversations.ingest import statements
from conversations.ingest.decode import NAME_LENGTH, DecodedEvent, storable
from conversations.ingest.records import Batch, Binding, Places, Readable, Record, Unreadable, header_text, read
from conversations.ingest.whose import keys_named, newest_time
from conversations.ingest.whose import sender_key as sender_key
from conversations.models import DeadLetter, IntakeSource

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


class Vanished(Exception):
    """A conversation of the batch was deleted while its row was waited for: the batch begins anew."""


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


def store_batch(records: Sequence[Record], places: Places) -> Stored:
    """Decode and store: what is new is counted into its conversations, the rest kept as dead letters."""
    return store(read(list(records)), places)


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
    """All of a batch or nothing; safe to run twice.

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
    with connection.cursor() as cursor:
        cursor.execute(statements.TABLES)
        senders = _lock_conversations(cursor, batch)
        kept = _without_erased(batch, senders)
        # Django wraps the errors of execute and not those of COPY.
        with connection.wrap_database_errors, cursor.copy(statements.COPY_INCOMING) as copy:
            copy.set_types(statements.COPY_TYPES)
            for (_, event), binding in kept:
                copy.write_row(_row(event, binding, senders.conversations[binding.assistant_id, event.sender_id]))
        cursor.execute(statements.ADD_EVENTS)
        added = int(cursor.rowcount)
        if added:
            apply_added(cursor)
    return Stored(added=added, known=len(kept) - added, erased=len(batch) - len(kept))


def apply_added(cursor: CursorWrapper) -> None:
    """Count the events of `added_event` into their conversations."""
    cursor.execute(statements.APPLY_ADDED)


Sender = tuple[int, str]  # assistant and sender_id


@dataclass(frozen=True, slots=True)
class Senders:
    """Of a batch: their conversations, which are nobody else's until we commit, and up to when some are erased."""

    conversations: dict[Sender, int]
    erased: dict[Sender, float]


def _without_erased(batch: list[Placed], senders: Senders) -> list[Placed]:
    if not senders.erased:
        return batch
    never = float("-inf")
    return [
        (one, binding)
        for one, binding in batch
        if one.event.timestamp > senders.erased.get((binding.assistant_id, one.event.sender_id), never)
    ]


def _lock_conversations(cursor: CursorWrapper, batch: list[Placed]) -> Senders:
    """Make what is missing, but for who is erased and says nothing newer, and lock all. Raises Vanished."""
    newest: dict[Sender, float] = {}
    for one, binding in batch:
        sender, at = (binding.assistant_id, one.event.sender_id), one.event.timestamp
        if at >= newest.get(sender, at):
            newest[sender] = at
    keys = {(assistant_id, sender_key(sender_id)): (assistant_id, sender_id) for assistant_id, sender_id in newest}
    assistants, hashes = [one for one, _ in keys], [key for _, key in keys]
    names = [storable(sender_id, len(sender_id)) for _, sender_id in keys.values()]
    cursor.execute(statements.ADD_CONVERSATIONS, [assistants, hashes, names, [newest[one] for one in keys.values()]])
    cursor.execute(statements.LOCK_CONVERSATIONS, [assistants, hashes])
    senders, empty = Senders({}, {}), []
    for pk, assistant_id, key, events, up_to in cursor.fetchall():
        sender = keys[assistant_id, bytes(key)]
        senders.conversations[sender] = pk
        if up_to is not None:
            senders.erased[sender] = up_to
            if not events and newest[sender] <= up_to:  # made just now, while somebody was erasing it
                empty.append(pk)
    if empty:
        cursor.execute(statements.DELETE_CONVERSATIONS, [empty])
    if len(senders.conversations) < len(keys):
        _explain_missing(cursor, keys, senders, newest)
    return senders


def _explain_missing(
    cursor: CursorWrapper, keys: dict[tuple[int, bytes], Sender], senders: Senders, newest: dict[Sender, float]
) -> None:
    """Who has no conversation is erased, which is noted, or vanished this moment."""
    missing = [key for key, sender in keys.items() if sender not in senders.conversations]
    cursor.execute(statements.TOMBSTONES, [[one for one, _ in missing], [key for _, key in missing]])
    senders.erased.update({keys[assistant_id, bytes(key)]: up_to for assistant_id, key, up_to in cursor.fetchall()})
    if any(newest[keys[key]] > senders.erased.get(keys[key], float("-inf")) for key in missing):
        raise Vanished


def _row(event: DecodedEvent, binding: Binding, conversation_id: int) -> tuple[object, ...]:
    """The columns of statements.COPY_INCOMING: of the event all but the sender and what chose the binding."""
    return (conversation_id, binding.environment_id, storable(binding.environment_name, NAME_LENGTH), *event[1:-1])
