"""What was said in a conversation that somebody holds through us: from its events, else from Rasa's own memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db.models import Q
from django.utils import timezone

from conversations.chat.targets import target_of
from conversations.chat.turns import END_OF_TURN, KINDS, Turn, turns_of
from conversations.ingest.whose import sender_key
from conversations.models import Conversation, Event, TalkSession
from conversations.presentation import StoredEvent
from studio.errors import DomainError
from studio.rasa.client import RasaError

log = structlog.get_logger()

SHOWN_EVENTS = 600  # of the end of a long conversation
# A paused conversation, or a server that died, ends no turn: then what came is all there is.
SETTLED_AFTER = timedelta(seconds=5)
MEMORY_SECONDS = 4.0


def conversation_of(session: TalkSession) -> Conversation | None:
    """None until its first event was ingested."""
    key = sender_key(session.sender_id)
    return Conversation.objects.filter(assistant=session.environment.assistant_id, sender_key=key).first()


def turns_since(conversation: Conversation, after: float) -> list[Turn]:
    """The turns whose events lie after `after`, a Turn's `ends_at`; the last one may be incomplete."""
    wanted = Q(kind__in=KINDS) | Q(kind="action", name=END_OF_TURN)
    newest = Event.objects.filter(wanted, conversation=conversation, timestamp__gt=after)
    events = list(newest.order_by("-timestamp", "-rank", "-digest")[:SHOWN_EVENTS])[::-1]
    turns = turns_of(events)
    if turns and events[-1].received_at < timezone.now() - SETTLED_AFTER:
        turns[-1].complete = True
    return turns


def remembered(session: TalkSession) -> list[Turn]:
    """What Rasa itself remembers, for a page that opens while no events arrive here; nothing when it cannot say."""
    if not session.first_text:  # asked for a conversation that it does not know, Rasa would make one up
        return []
    try:
        address = target_of(session).address()
        tracker = address.client(MEMORY_SECONDS).tracker(session.sender_id)
    except (DomainError, RasaError) as error:
        log.info("conversation not remembered", environment=session.environment_id, error=type(error).__name__)
        return []
    return turns_of(_events(tracker["events"]))


@dataclass(slots=True)
class _Remembered:
    """An event of Rasa's tracker in the shape of a stored one."""

    kind: str
    timestamp: float
    payload: str
    pk: int = 0


def _events(found: Sequence[object]) -> list[StoredEvent]:
    return [
        _Remembered(str(one.get("event")), float(one.get("timestamp") or 0.0), json.dumps(one))
        for one in found
        if isinstance(one, dict) and (one.get("event") in KINDS or one.get("name") == END_OF_TURN)
    ]
