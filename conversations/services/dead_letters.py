"""Handling dead letters one by one: editing them, trying them again by the way they came, and discarding them.

A letter is handled once: each change locks it while it waits, so of two people at once the second is told.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from conversations.ingest import statements
from conversations.ingest.decode import storable
from conversations.ingest.places import SourcePlaces
from conversations.ingest.records import (
    Binding,
    Offset,
    OnePlace,
    Places,
    Readable,
    Record,
    Unreadable,
    header_bytes,
    read,
)
from conversations.ingest.whose import keys_named, sender_key
from conversations.ingest.write import again_when_interrupted, store
from conversations.models import DeadLetter, IntakeSource
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

State = DeadLetter.State
EDITABLE = 500_000  # bytes; more is no text that people mend in a form
DELETED_AT_ONCE = 500
COUNTED = 99  # of a source or an environment; beyond, more is all that matters
DELETING_SECONDS = 5.0  # of periodic work, so that other such work is not kept waiting

_ELSEWHERE = "The edited record names an assistant or environment whose conversations the editor may not change."

_ERASED = "Of somebody whose conversation was erased: nothing was stored, and the record is gone."

_KNOWN = """
SELECT asked.position::integer
FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) WITH ORDINALITY
    AS asked (assistant_id, sender_key, digest, position)
JOIN conversations_conversation AS conversation USING (assistant_id, sender_key)
JOIN conversations_event AS event ON event.conversation_id = conversation.id AND event.digest = asked.digest
"""


@dataclass(slots=True)
class Outcome:
    """What became of letters that were tried again. Those in `unreadable` go on waiting, with what is wrong now."""

    stored: list[DeadLetter] = field(default_factory=list)
    known: list[DeadLetter] = field(default_factory=list)
    unreadable: list[DeadLetter] = field(default_factory=list)
    erased: list[DeadLetter] = field(default_factory=list)  # of somebody erased since


def waiting_by(field: Literal["source", "environment"], keys: Iterable[int]) -> dict[int, int]:
    """How many letters wait, by the source or environment that they came from, in one query. None is left out, and each
    is counted no further than one beyond COUNTED."""
    waiting = DeadLetter.objects.waiting().order_by()
    found = [waiting.filter(**{field: key}).values_list(field, flat=True)[: COUNTED + 1] for key in keys]
    return Counter(found[0].union(*found[1:], all=True)) if found else {}


def words_for(waiting: int) -> str:
    """`waiting` as `waiting_by` counts."""
    if waiting > COUNTED:
        return f"More than {COUNTED} dead letters"
    return "1 dead letter" if waiting == 1 else f"{waiting} dead letters"


def current_record(letter: DeadLetter) -> bytes:
    """As it was last edited, else as it came."""
    return bytes(letter.record if letter.edited is None else letter.edited)


def retry(*, actor: User, letter: DeadLetter) -> DeadLetter:
    """Try once more what failed. The answer's state says what became of it; still waiting, its reason is new."""
    return again_when_interrupted(lambda: _retry(actor, letter.pk, None))


def edit_and_retry(*, actor: User, letter: DeadLetter, edited: bytes) -> DeadLetter:
    """The same with another text of the record. The original stays beside it."""
    if len(edited) > EDITABLE:
        raise Invalid(f"A record to edit here holds up to {EDITABLE:,} bytes; this one has {len(edited):,}.")
    return again_when_interrupted(lambda: _retry(actor, letter.pk, edited))


@transaction.atomic
def _retry(actor: User, pk: int, edited: bytes | None) -> DeadLetter:
    letter = _locked(actor, pk)
    before = _facts(letter)
    if edited is not None:
        letter.edited, letter.sender_keys = edited, keys_named(bytes(letter.record), edited)
        letter.save(update_fields=["edited", "sender_keys"])
    try_again([letter], actor)
    action = Action.DEAD_LETTER_RETRIED if edited is None else Action.DEAD_LETTER_EDITED
    record(actor, action, letter, assistant_id=letter.assistant_id, before=before, after=_facts(letter))
    return letter


@transaction.atomic
def discard(*, actor: User, letter: DeadLetter, reason: str) -> DeadLetter:
    """It waits no longer. The record stays, and so does the reason."""
    row = _locked(actor, letter.pk)
    end([row], State.DISCARDED, actor, note=reason)
    record(actor, Action.DEAD_LETTER_DISCARDED, row, assistant_id=row.assistant_id, reason=reason)
    return row


def _locked(actor: User, pk: int) -> DeadLetter:
    """The letter, while it waits and nobody else is at it."""
    waiting = DeadLetter.objects.handled_by(actor).waiting().filter(pk=pk)
    letter = waiting.select_for_update(skip_locked=True, of=("self",)).first()
    if letter is None:
        raise Conflict("Somebody else is at this letter, or it was handled meanwhile. Look again in a moment.")
    return letter


def end(letters: Iterable[DeadLetter], state: str, actor: User, *, note: str = "") -> None:
    """They wait no longer. Whoever calls this holds their rows."""
    letters = list(letters)
    now = timezone.now()
    for letter in letters:
        letter.state, letter.ended_at, letter.ended_by, letter.note = state, now, actor, note
    waiting = DeadLetter.objects.waiting().filter(pk__in=[letter.pk for letter in letters])
    waiting.update(state=state, ended_at=now, ended_by=actor, note=note)


def try_again(letters: Sequence[DeadLetter], actor: User) -> Outcome:
    """Ingest the records of letters, which the caller's transaction holds, and write what became of each."""
    outcome = Outcome()
    by_source: dict[int, list[DeadLetter]] = {}
    for letter in letters:
        by_source.setdefault(letter.source_id, []).append(letter)
    sources = IntakeSource.objects.filter(pk__in=by_source).select_related("environment")
    for source in sources.order_by("pk"):
        _ingest(by_source[source.pk], source, actor, outcome)
    end(outcome.stored, State.STORED, actor)
    end(outcome.known, State.KNOWN, actor)
    end(outcome.erased, State.DISCARDED, actor, note=_ERASED)
    empty: dict[str, object] = {"record": b"", "edited": None, "sender_keys": []}
    DeadLetter.objects.filter(pk__in=[one.pk for one in outcome.erased]).update(**empty)
    DeadLetter.objects.bulk_update(outcome.unreadable, ["fault", "place", "reason"])
    return outcome


def _ingest(letters: list[DeadLetter], source: IntakeSource, actor: User, outcome: Outcome) -> None:
    """By the way that records of the source always go."""
    places = _places_of(source)
    records = [_record_of(letter) for letter in letters]
    letter_of = {id(one): letter for one, letter in zip(records, letters, strict=True)}  # equal records are not one
    batch = read(records)
    for one in list(batch.readable):
        if letter_of[id(one.record)].edited is not None and not _may_store(actor, _binding(one, places)):
            batch.readable.remove(one)
            batch.unreadable.append(Unreadable(one.record, "elsewhere", "metadata.assistant_id", _ELSEWHERE))
    for one in _of_erased(batch.readable, places):
        batch.readable.remove(one)
        outcome.erased.append(letter_of.pop(id(one.record)))
    known = _known(batch.readable, places)
    dead: list[Unreadable] = []

    def keep(found: list[Unreadable], _places: Places) -> int:
        dead.extend(found)
        return 0

    store(batch, places, bury=keep)
    for found in dead:
        letter = letter_of.pop(id(found.record))
        letter.fault, letter.place, letter.reason = found.fault, found.place, storable(found.reason, 2000)
        outcome.unreadable.append(letter)
    for key, letter in letter_of.items():
        (outcome.known if key in known else outcome.stored).append(letter)


def _places_of(source: IntakeSource) -> Places:
    if source.kind == IntakeSource.Kind.SQL and source.environment is not None:
        name = source.environment.name
        return OnePlace(source.pk, Binding(source.assistant_id, source.environment_id, name))
    places = SourcePlaces(source)
    places.refresh()
    return places


def _record_of(letter: DeadLetter) -> Record:
    offset = None
    if letter.partition is not None and letter.offset is not None:
        offset = Offset(letter.topic, letter.partition, letter.offset)
    headers = tuple((name, header_bytes(value)) for name, value in letter.headers)
    return Record(current_record(letter), letter.environment_name, offset, headers)


def _may_store(actor: User, binding: Binding) -> bool:
    """Nobody edits words into conversations that they could not see, or not flag."""
    where = Scope(binding.assistant_id, binding.environment_id)
    return all(actor.may(one, where) for one in (Permission.CONVERSATIONS_VIEW, Permission.CONVERSATIONS_FLAG))


def _of_erased(readable: list[Readable], places: Places) -> list[Readable]:
    """Those that ingestion would refuse."""
    keys = [(_binding(one, places).assistant_id, sender_key(one.event.sender_id)) for one in readable]
    with connection.cursor() as cursor:
        cursor.execute(statements.TOMBSTONES, [[key[part] for key in keys] for part in range(2)])
        erased = {(assistant_id, bytes(key)): up_to for assistant_id, key, up_to in cursor.fetchall()}
    never = float("-inf")
    return [one for one, key in zip(readable, keys, strict=True) if one.event.timestamp <= erased.get(key, never)]


def _known(readable: list[Readable], places: Places) -> set[int]:
    """Which records, by id(), are of events that are stored already, or stand among these a second time."""
    keys = [(_binding(one, places).assistant_id, sender_key(one.event.sender_id), one.event.digest) for one in readable]
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [[key[part] for key in keys] for part in range(3)])
        stored = {keys[position - 1] for (position,) in cursor.fetchall()}
    known = set()
    for one, key in zip(readable, keys, strict=True):
        if key in stored:
            known.add(id(one.record))
        stored.add(key)
    return known


def _binding(one: Readable, places: Places) -> Binding:
    return places.binding(one.record.claimed, one.event.rasa_assistant_id)


def delete_handled() -> int:
    """Periodic work: letters that were handled long ago, in short transactions. Returns how many were deleted."""
    before = timezone.now() - timedelta(days=settings.DEAD_LETTER_DAYS)
    due = DeadLetter.objects.exclude(state=State.WAITING).filter(ended_at__lt=before).order_by("ended_at")
    until, deleted, count = time.monotonic() + DELETING_SECONDS, 0, DELETED_AT_ONCE
    while count == DELETED_AT_ONCE and time.monotonic() < until:
        keys = list(due.values_list("pk", flat=True)[:DELETED_AT_ONCE])
        count = len(keys)
        deleted += DeadLetter.objects.filter(pk__in=keys).delete()[0]
    return deleted


def _facts(letter: DeadLetter) -> dict[str, object]:
    """For the audit, whose readers may not see conversations: nothing of what a record says."""
    record = current_record(letter)
    return {
        "state": letter.get_state_display(),
        "fault": f"{letter.fault} {letter.place}".rstrip(),
        "sha256": hashlib.sha256(record).hexdigest(),
        "bytes": len(record),
    }
