"""One conversation: its tracker, its events as Rasa sent them, and what was said. `{sender}` is the sender_id."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Path, Query, Router, Schema, Status
from pydantic import ConfigDict

from conversations import window
from conversations.api.conversations import ConversationOut, facts_of
from conversations.loaders import load_conversation_of
from conversations.models import Conversation, Event
from conversations.presentation.tracker import strict, tracker_json
from conversations.services.erasing import erase_conversation
from models_app.api.paths import of_each
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.web.api.paging import MOST, NotOurs, Paging, cursor_of, key_of, say_next

router = Router(tags=["conversations"])

CHUNK = 500


class EventOut(Schema):
    """One event as Rasa sent it: `event` is its kind, `timestamp` its time; what else it has depends on the kind."""

    model_config = ConfigDict(extra="allow")

    event: str
    timestamp: float


class TrackerOut(Schema):
    """As Rasa's HTTP API answers it."""

    model_config = ConfigDict(extra="allow")

    sender_id: str
    events: list[EventOut]
    slots: dict[str, object]
    latest_message: dict[str, object]
    latest_event_time: float | None
    latest_input_channel: str | None
    latest_action_name: str | None
    active_loop: dict[str, object]
    paused: bool


@of_each(
    router.get,
    "/conversations/{path:sender}/events",
    summary="The events of a conversation",
    url_name="conversation-events",
    response=list[EventOut],
)
def events(
    request: HttpRequest, response: HttpResponse, slug: Path[str], sender: Path[str], paging: Query[Paging]
) -> HttpResponse:
    """In their order, each as it was sent."""
    conversation = load_conversation_of(request, slug, sender)
    rows = page_of(request, response, conversation, window.all_of(conversation), paging)
    body = f"[{','.join(strict(row.payload) for row in rows)}]"
    return HttpResponse(body, headers={**dict(response.items()), "Content-Type": "application/json"})


@of_each(
    router.get,
    "/conversations/{path:sender}/metadata",
    summary="A conversation in a line",
    url_name="conversation-metadata",
    response=ConversationOut,
)
def metadata(request: HttpRequest, slug: Path[str], sender: Path[str]) -> dict[str, Any]:
    """What the list says of it."""
    conversation = load_conversation_of(request, slug, sender)
    return facts_of([conversation], conversation.assistant, signed_in(request))[0]


@of_each(
    router.get,
    "/conversations/{path:sender}",
    summary="The tracker of a conversation",
    url_name="conversation",
    response=TrackerOut,
)
def tracker(request: HttpRequest, slug: Path[str], sender: Path[str]) -> StreamingHttpResponse:
    """All of it, however long: events, slots, the latest message. A sender_id may hold any characters; of one that
    ends like a path below this one (`…/events`) that path is answered."""
    conversation = load_conversation_of(request, slug, sender)
    stored = window.all_of(conversation).iterator(chunk_size=CHUNK)
    pieces = tracker_json(conversation.sender_id, stored)
    return StreamingHttpResponse(pieces, content_type="application/json")


@of_each(
    router.delete,
    "/conversations/{path:sender}",
    summary="Delete a conversation",
    url_name="conversation",
    response={204: None},
)
def erase(request: HttpRequest, slug: Path[str], sender: Path[str]) -> Status[None]:
    """For good, with everything noted about it, and every prepared file that has it. Sent again it is refused."""
    conversation = load_conversation_of(request, slug, sender, Permission.CONVERSATIONS_VIEW)
    require(signed_in(request), Permission.CONVERSATIONS_ERASE, scope_of(conversation))
    erase_conversation(actor=signed_in(request), conversation=conversation)
    return Status(204, None)


def scope_of(conversation: Conversation) -> Scope:
    return Scope(conversation.assistant_id, conversation.environment_id)


def page_of(
    request: HttpRequest, response: HttpResponse, conversation: Conversation, rows: QuerySet[Event], wanted: Paging
) -> list[Event]:
    """The wanted part of a conversation's events, in their order."""
    limit = min(wanted.limit, MOST)
    response["X-Total-Count"] = str(rows.count())
    response["X-Limit"] = str(limit)
    if wanted.cursor:
        rows, offset = rows.filter(window.later_than(_place(conversation, wanted.cursor))), 0
    else:
        offset = wanted.offset
    found = list(rows[offset : offset + limit + 1])
    if len(found) > limit > 0:
        say_next(request, response, cursor_of(str(found[limit - 1].pk)))
    return found[:limit]


def _place(conversation: Conversation, cursor: str) -> Event:
    key = key_of(cursor)
    known = Event.objects.filter(conversation=conversation, pk=int(key)) if _is_key(key) else Event.objects.none()
    event = known.first()
    if event is None:
        raise NotOurs
    return event


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
