"""Erasing conversations: gone from every table, and a tombstone that keeps ingestion from bringing them back.

It locks the rows that ingestion locks, in its order. So of each conversation one of the two is first: what ingestion
stored before goes too, and what it stores after sees the tombstone.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from conversations.chat.guests import forget_guests
from conversations.ingest import statements
from conversations.ingest.write import again_when_interrupted
from conversations.limits import kept
from conversations.models import (
    CompletenessFinding,
    CompletenessRun,
    Conversation,
    DeadLetter,
    ErasureRun,
    Event,
    IntakeSource,
    TalkSession,
)
from conversations.querysets import ConversationQuerySet, DeadLetterQuerySet
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict

Forget = Callable[[list[int]], object]
_forgetters: list[Forget] = []


@dataclass(frozen=True, slots=True)
class Erased:
    """How many conversations and events are gone, and records of theirs that could not be read."""

    conversations: int = 0
    events: int = 0
    letters: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    pk: int
    assistant_id: int
    sender_key: bytes
    sender_id: str
    last_event_at: float


def also_forget(forget: Forget) -> None:
    """Have `forget` called with the ids of conversations about to be erased, in that transaction.

    For whatever keeps something of them that no foreign key takes along.
    """
    if forget not in _forgetters:
        _forgetters.append(forget)


def erase_conversation(*, actor: User, conversation: Conversation) -> Erased:
    """One, at once. Conflict when somebody else was faster."""
    return again_when_interrupted(lambda: _erase_one(actor, conversation))


@transaction.atomic
def _erase_one(actor: User, conversation: Conversation) -> Erased:
    erased = erase([conversation.pk], Conversation.objects.all())
    if not erased.conversations:
        raise Conflict("Somebody deleted this conversation already.")
    key = bytes(conversation.sender_key).hex()
    _note_one(actor, conversation.assistant_id, key, erased)
    facts = {
        "sender": key,
        "events": erased.events,
        "unreadable records": erased.letters,
    }
    record(actor, Action.CONVERSATION_ERASED, assistant_id=conversation.assistant_id, after=facts)
    return erased


def _note_one(actor: User, assistant_id: int, key: str, erased: Erased) -> None:
    """So that it stands among the other deletions."""
    now = timezone.now()
    ErasureRun.objects.create(
        assistant_id=assistant_id,
        sender=key,
        state=ErasureRun.State.DONE,
        total=1,
        seen=1,
        conversations=1,
        events=erased.events,
        letters=erased.letters,
        requested_by=actor,
        requested_by_label=actor.username,
        limit=kept(actor),
        confirmed_by=actor,
        confirmed_at=now,
        ended_at=now,
    )


def erase(ids: Sequence[int], among: ConversationQuerySet) -> Erased:
    """Those of `ids`, a few hundred at most, that are still among `among`. In the caller's transaction, which is to be
    tried again when another one interrupts it."""
    hold_exports(shared=True)
    rows = _lock(ids, among)
    if not rows:
        return Erased()
    locked = [row.pk for row in rows]
    for forget in _forgetters:
        forget(locked)
    _bury(rows, ours=_delete_sessions(rows))
    _forget_in_completeness(rows)
    letters, _ = _letters_of(rows).delete()
    _, counts = Conversation.objects.filter(pk__in=locked).delete()
    return Erased(len(rows), counts.get(Event._meta.label, 0), letters)


def hold_exports(*, shared: bool) -> None:
    """Until the transaction ends: who erases holds them together with others, who writes a file waits for all these."""
    with connection.cursor() as cursor:
        cursor.execute(statements.HOLD_EXPORTS_SHARED if shared else statements.HOLD_EXPORTS)


def _lock(ids: Sequence[int], among: ConversationQuerySet) -> list[_Row]:
    """What they are is looked at after they were waited for."""
    with connection.cursor() as cursor:
        cursor.execute(statements.LOCK_FOR_ERASING, [list(ids)])
        held = [pk for (pk,) in cursor.fetchall()]
    found = among.filter(pk__in=held).order_by()
    facts = found.values_list("pk", "assistant_id", "sender_key", "sender_id", "last_event_at")
    return [_Row(pk, assistant_id, bytes(key), sender, at) for pk, assistant_id, key, sender, at in facts]


def _delete_sessions(rows: Sequence[_Row]) -> set[str]:
    """Ends their talks with us; returns their ids, which nobody comes back under."""
    senders = [row.sender_id for row in rows]
    assistants = {row.assistant_id for row in rows}
    sessions = TalkSession.objects.filter(sender_id__in=senders, environment__assistant__in=assistants)
    return delete_sessions(sessions)


def delete_sessions(sessions: QuerySet[TalkSession]) -> set[str]:
    """With what guests thought of the replies, and with the guests who have no other chat; returns their ids."""
    found = list(sessions.values_list("sender_id", "guest"))
    sessions.delete()
    forget_guests({guest for _sender, guest in found if guest is not None})
    return {sender for sender, _guest in found}


def _bury(rows: Sequence[_Row], *, ours: set[str]) -> None:
    """Whose clock is ahead of ours is refused what we have of them, too."""
    now = time.time()
    until = [math.inf if row.sender_id in ours else max(now, row.last_event_at) for row in rows]
    with connection.cursor() as cursor:
        keys = [row.assistant_id for row in rows], [row.sender_key for row in rows]
        cursor.execute(statements.ADD_TOMBSTONES, [*keys, until])


def _forget_in_completeness(rows: Sequence[_Row]) -> None:
    senders = [row.sender_id for row in rows]
    runs = CompletenessRun.objects.filter(environment__assistant__in={row.assistant_id for row in rows})
    named = Q(conversation__in=[row.pk for row in rows]) | Q(sender_id__in=senders, run__in=runs)
    CompletenessFinding.objects.filter(named).delete()
    runs.filter(cursor__in=senders, ended_at__isnull=False).update(cursor="")


def _letters_of(rows: Sequence[_Row]) -> DeadLetterQuerySet:
    """Also of sources that bring events of several assistants, and could not tell whose it was."""
    assistants = {row.assistant_id for row in rows}
    shared = IntakeSource.objects.filter(other_assistants__in=assistants)
    letters = DeadLetter.objects.filter(Q(assistant__in=assistants) | Q(source__in=shared))
    return letters.filter(sender_keys__overlap=[row.sender_key.hex() for row in rows])
