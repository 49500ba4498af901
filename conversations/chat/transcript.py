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
from conversations.presentation.applied import is_taking_back
from conversations.presentation.reading import loaded, text_of
from studio.errors import DomainError
from studio.rasa.client import RasaClient, RasaError

log = structlog.get_logger()

SHOWN_EVENTS = 600  # of the end of a long conversation
# A paused conversation, or a server that died, ends no turn: then what came is all there is.
SETTLED_AFTER = timedelta(seconds=5)
MEMORY_SECONDS = 4.0
NOTED_WITHIN = timedelta(seconds=10)


def conversation_of(session: TalkSession) -> Conversation | None:
    """None until its first event was ingested."""
    key = sender_key(session.sender_id)
    return Conversation.objects.filter(assistant=session.environment.assistant_id, sender_key=key).first()


def turns_since(conversation: Conversation, after: float) -> list[Turn]:
    """The turns whose events lie after `after`, a Turn's `ends_at`; the last one may be incomplete."""
    return news_since(conversation, after)[0]


def news_since(conversation: Conversation, after: float) -> tuple[list[Turn], bool]:
    """The turns, and whether something that a page may show already was taken back since."""
    wanted = Q(kind__in=KINDS) | Q(kind="action", name=END_OF_TURN)
    newest = Event.objects.filter(wanted, conversation=conversation, timestamp__gt=after)
    events = list(newest.order_by("-timestamp", "-rank", "-digest")[:SHOWN_EVENTS])[::-1]
    turns = turns_of(events)
    if turns and events[-1].received_at < timezone.now() - SETTLED_AFTER:
        turns[-1].complete = True
    return turns, any(map(is_taking_back, events))


def rasa_of(session: TalkSession, timeout: float = MEMORY_SECONDS) -> RasaClient:
    """The server that holds the conversation. Raises DomainError where there is none now."""
    return target_of(session).address().client(timeout)


def remembered(session: TalkSession) -> list[Turn]:
    """What Rasa itself remembers, for a page that opens while no events arrive here; nothing when it cannot say."""
    return turns_of(one for one in memory_of(session) if one.kind in KINDS or _ends_turn(one))


def memory_of(session: TalkSession) -> list[StoredEvent]:
    """All events of Rasa's own memory; none when it cannot say."""
    # Asked for a conversation that it does not know, Rasa would make one up. What was said is noted after the answer.
    if not session.first_text and session.created_at < timezone.now() - NOTED_WITHIN:
        return []
    try:
        return as_stored(rasa_of(session).tracker(session.sender_id)["events"])
    except (DomainError, RasaError) as error:
        log.info("conversation not remembered", environment=session.environment_id, error=type(error).__name__)
        return []


@dataclass(slots=True)
class _Remembered:
    """An event of Rasa's tracker in the shape of a stored one; its key is no key of a row."""

    kind: str
    timestamp: float
    payload: str
    pk: int


def as_stored(found: Sequence[object]) -> list[StoredEvent]:
    return [
        _Remembered(str(one.get("event")), float(one.get("timestamp") or 0.0), json.dumps(one), -number)
        for number, one in enumerate(found, start=1)
        if isinstance(one, dict)
    ]


def _ends_turn(event: StoredEvent) -> bool:
    return event.kind == "action" and text_of(loaded(event.payload).get("name")) == END_OF_TURN
