"""What people say of messages: confirming, correcting, setting aside, and taking it back. The only writer of it.

One row for each message: who says something last wins, and sees what was said before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, Correction, Event
from conversations.presentation.said import Said, as_facts, said_in
from conversations.services.inbox import release, same_words
from models_app.data.examples import Annotation
from models_app.models import Assistant
from studio.access.models import User
from studio.errors import Conflict, Invalid

Kind, State = Correction.Kind, Correction.State
SITTING = timedelta(hours=12)
OUT_OF_SCOPE_INTENT = "out_of_scope"  # as Rasa's documentation calls it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody says of a message: that it is an example of `intent`, or of none when that is empty."""

    intent: str
    annotations: Sequence[Annotation] = field(default=())


def corrections_of(conversation: Conversation, event: Event | None = None) -> dict[int, Correction]:
    """What was said of its messages, or of one of them, by event."""
    rows = Correction.objects.filter(conversation=conversation).select_related("revision")
    rows = rows if event is None else rows.filter(event=event)
    return {row.event_id: row for row in rows}


def last_of(person: User, assistant: Assistant, environments: Collection[int]) -> Correction | None:
    """What the person said last of a message there, if that was in this sitting and can be undone."""
    since = timezone.now() - SITTING
    rows = Correction.objects.filter(assistant=assistant, at__gte=since)  # which has an index
    rows = rows.filter(person=person, conversation__environment__in=environments)
    last = rows.order_by("-at").first()
    return last if last is not None and last.state != State.ACCEPTED else None


@transaction.atomic
def correct(*, actor: User, event: Event, verdict: Verdict) -> Correction:
    """`event` is a user message. Whoever said the same words elsewhere is settled by it as well."""
    conversation = Conversation.objects.select_for_update(no_key=True).filter(pk=event.conversation_id).first()
    if conversation is None:
        raise Conflict("The conversation was deleted meanwhile.")
    said = said_in(event)
    if said.text.startswith("/"):
        raise Invalid("This was a button and no words: there is nothing to learn from it.")
    row = Correction.objects.filter(event=event).first()
    if row is None:
        row = Correction(assistant_id=conversation.assistant_id, conversation=conversation, event=event)
    elif (row.person_id, row.intent, row.entities) != (actor.pk, verdict.intent, _entities(verdict)):
        row.former = _former(row)
    _say(row, said, verdict, actor)
    row.also = sorted({*row.also, *same_words(actor, event)})
    row.save()
    Event.objects.filter(pk__in=[event.pk, *row.also]).update(is_looked_at=True)
    release(actor=actor, event_ids=[event.pk])
    return row


def _say(row: Correction, said: Said, verdict: Verdict, actor: User) -> None:
    now = timezone.now()
    row.text, row.said_intent, row.said_confidence = said.text, said.intent, said.confidence
    row.said_entities = as_facts(said.annotations)
    row.intent, row.entities = verdict.intent, _entities(verdict)
    row.kind = _kind(row)
    row.state = State.PENDING if row.intent else State.DISCARDED
    row.person, row.person_label, row.at = actor, actor.username, now
    row.revision = None
    row.settled_at, row.settled_by = (None, None) if row.intent else (now, actor)


def _entities(verdict: Verdict) -> list[dict[str, Any]]:
    return as_facts(verdict.annotations) if verdict.intent else []


def _kind(row: Correction) -> Correction.Kind:
    if not row.intent:
        return Kind.IGNORED
    if row.intent == OUT_OF_SCOPE_INTENT != row.said_intent:
        return Kind.OUT_OF_SCOPE
    is_as_said = row.intent == row.said_intent and row.entities == row.said_entities
    return Kind.CONFIRMED if is_as_said else Kind.CORRECTED


@transaction.atomic
def undo(*, actor: User, event: Event, said_at: datetime | None = None) -> Correction | None:
    """Back to what was said of the message before; None when nothing was, and it waits to be looked at again.

    `said_at` is the time of the answer that the person means, None for whichever stands. Raises Conflict when another
    stands there now, or when it was taken into the training data.
    """
    row = Correction.objects.select_for_update(of=("self",)).filter(event=event).first()
    if row is None:
        return None
    if said_at not in {None, row.at}:
        raise Conflict(_another_stands(row, actor))
    if row.state == State.ACCEPTED:
        raise Conflict("It was taken into the training data meanwhile. An older revision can be restored there.")
    if row.former:
        _return(row, row.former)
        row.save()
        return row
    answered = Correction.objects.filter(event__in=row.also).values("event")  # meanwhile, each by itself
    Event.objects.filter(pk__in=[event.pk, *row.also]).exclude(pk__in=answered).update(is_looked_at=False)
    row.delete()
    return None


def _another_stands(row: Correction, actor: User) -> str:
    who = "you" if row.person_id == actor.pk else row.person_label
    return f"Nothing was taken back: another answer stands there now, {row.intent or 'no example'} by {who}."


def _former(row: Correction) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "intent": row.intent,
        "entities": row.entities,
        "state": row.state,
        "person": row.person_id,
        "person_label": row.person_label,
        "at": row.at.isoformat(),
        "revision": row.revision_id,
    }


def _return(row: Correction, former: dict[str, Any]) -> None:
    row.kind, row.intent, row.entities, row.state = (former[key] for key in ("kind", "intent", "entities", "state"))
    row.person_id = former["person"] if User.objects.filter(pk=former["person"]).exists() else None
    row.person_label, row.at = former["person_label"], datetime.fromisoformat(former["at"])
    row.revision_id = former["revision"]
    row.former = None
