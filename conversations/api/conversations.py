"""The conversations list, and one conversation in a line: its metadata as Rasa Enterprise has it, and ours."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema

from conversations import paging
from conversations.api.filters import CALLED, REVIEW, ApiFilter, asked
from conversations.api.forms import checked, described
from conversations.models import Conversation, Correction, Event
from conversations.naming import model_names
from conversations.paging import Cursor, Listing
from conversations.services.review import unread_among
from models_app.api.paths import of_each
from models_app.loaders import load_assistant
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.errors import Invalid
from studio.web.api.paging import MOST, NotOurs, Paging, cursor_of, key_of, say_next
from studio.web.query_time import TookTooLong, at_most

router = Router(tags=["conversations"])

COUNTING = 3.0  # seconds, at most
FARTHEST = 10_000  # by offset; cursors go on
EVENTS_LOOKED_AT = 100_000  # of a page's conversations, for the extremes of confidence


class CorrectedOut(Schema):
    message_timestamp: float
    intent: str


class ConversationOut(Schema):
    """The first part is Rasa Enterprise's. Confidences are null where no event has one, and in very long lists those of
    actions and the largest are left out as null."""

    sender_id: str
    sender_name: str | None
    latest_event_time: float
    latest_input_channel: str | None
    intents: list[str]
    actions: list[str]
    policies: list[str]
    minimum_action_confidence: float | None
    maximum_action_confidence: float | None
    minimum_intent_confidence: float | None
    maximum_intent_confidence: float | None
    in_training_data: bool
    review_status: str
    n_user_messages: int
    has_flagged_messages: bool
    corrected_messages: list[CorrectedOut]
    interactive: bool
    tags: list[str]
    created_by: str | None
    environment: str

    first_event_time: float
    first_message: str
    origin: str
    share_link: int | None
    model: str
    models: list[str]
    entities: list[str]
    slots: list[str]
    channels: list[str]
    n_events: int
    n_bot_messages: int
    n_actions: int
    n_sessions: int
    n_not_understood: int
    n_rejected_actions: int
    handover_time: float | None
    reviewed_by: str | None
    review_time: float | None
    is_unread: bool
    rated_up: int
    rated_down: int
    n_comments: int


@of_each(
    router.get,
    "/conversations",
    summary="Conversations",
    url_name="conversations",
    response=list[ConversationOut],
    openapi_extra=described(ApiFilter.base_fields, CALLED),
)
def conversations(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """Those that one may see, narrowed as the page narrows them; `until` is a day, or a moment in seconds since 1970.

    `X-Total-Count` is exact up to 10,000. Beyond, and where counting would take long, `X-Total-Count-Exact: false` says
    that there are at least so many.
    """
    assistant = load_assistant(request, slug)
    filters = ApiFilter(asked(request.GET), assistant=assistant, viewer=signed_in(request))
    checked(filters, {ours: theirs for theirs, ours in CALLED.items() if theirs in request.GET})
    listing = filters.listing()
    rows = _page(request, response, listing, paging)
    _say_total(response, listing, least=len(rows) + (0 if paging.cursor else paging.offset))
    return facts_of(rows, assistant, signed_in(request))


def _page(request: HttpRequest, response: HttpResponse, listing: Listing, wanted: Paging) -> Sequence[Conversation]:
    limit, offset = min(wanted.limit, MOST), 0 if wanted.cursor else wanted.offset
    if offset > FARTHEST:
        raise Invalid(f"An offset is at most {FARTHEST:,} here. Go on by X-Next-Cursor.")
    response["X-Limit"] = str(limit)
    if not limit:
        return []
    found = listing.after(_cursor(wanted.cursor), offset + limit + 1)[offset:]
    if len(found) > limit:
        say_next(request, response, cursor_of(str(listing.order.cursor(found[limit - 1]))))
    return found[:limit]


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    cursor = Cursor.parse(key_of(text))
    if cursor is None or not 0 <= cursor.pk < 2**63:
        raise NotOurs
    return cursor


def _say_total(response: HttpResponse, listing: Listing, *, least: int) -> None:
    count = None
    with contextlib.suppress(TookTooLong), at_most(COUNTING):
        count = listing.count()
    is_exact = count is not None and count <= paging.COUNTED
    response["X-Total-Count"] = str(min(count, paging.COUNTED) if count is not None else least)
    response["X-Total-Count-Exact"] = "true" if is_exact else "false"


def facts_of(rows: Sequence[Conversation], assistant: Assistant, viewer: User) -> list[dict[str, Any]]:
    """A handful of queries, however many rows."""
    names = model_names(assistant, {one for row in rows for one in (*row.model_ids, row.last_model_id)})
    unread, sure, corrected = unread_among(viewer, rows), _confidences(rows), _corrected(rows)
    return [
        {
            **_of_rasa(row),
            **sure[row.pk],
            "corrected_messages": [
                {"message_timestamp": at, "intent": intent} for at, intent, _taken in corrected[row.pk]
            ],
            "in_training_data": any(taken for _at, _intent, taken in corrected[row.pk]),
            **_of_ours(row),
            "model": names.get(row.last_model_id, row.last_model_id),
            "models": [names.get(one, one) for one in row.model_ids],
            "is_unread": row.pk in unread,
        }
        for row in rows
    ]


def _of_rasa(row: Conversation) -> dict[str, Any]:
    return {
        "sender_id": row.sender_id,
        "sender_name": row.talker.name or row.talker.username if row.talker else None,
        "latest_event_time": row.last_event_at,
        "latest_input_channel": row.channel or None,
        "intents": row.intents,
        "actions": row.actions,
        "policies": row.policies,
        "minimum_intent_confidence": row.min_confidence,
        "review_status": REVIEW[row.review_state],
        "n_user_messages": row.user_count,
        "has_flagged_messages": row.is_flagged,
        "interactive": False,
        "tags": row.tags,
        "created_by": row.talker.username if row.talker else None,
        "environment": row.environment.name if row.environment else row.environment_name,
    }


def _of_ours(row: Conversation) -> dict[str, Any]:
    return {
        "first_event_time": row.first_event_at,
        "first_message": row.first_text,
        "origin": row.origin,
        "share_link": row.share_link_id,
        "entities": row.entities,
        "slots": row.slots,
        "channels": row.channels,
        "n_events": row.events_count,
        "n_bot_messages": row.bot_count,
        "n_actions": row.action_count,
        "n_sessions": row.session_count,
        "n_not_understood": row.fallback_count,
        "n_rejected_actions": row.rejected_count,
        "handover_time": row.handover_at,
        "reviewed_by": row.reviewed_by.username if row.reviewed_by else None,
        "review_time": row.reviewed_at.timestamp() if row.reviewed_at else None,
        "rated_up": row.rated_up,
        "rated_down": row.rated_down,
        "n_comments": row.rated_comments,
    }


def _confidences(rows: Sequence[Conversation]) -> dict[int, dict[str, float | None]]:
    """Of the first rows alone where their events are many: a page costs the same however long conversations are."""
    found: dict[int, dict[str, float | None]] = {row.pk: dict.fromkeys(_EXTREMES) for row in rows}
    events = Event.objects.filter(conversation__in=list(_short(rows)), kind__in=("user", "action"))
    lines = events.order_by().values_list("conversation_id", "kind").annotate(Min("confidence"), Max("confidence"))
    for pk, kind, least, most in lines:
        if kind == "user":
            found[pk]["maximum_intent_confidence"] = most
        else:
            found[pk] |= {"minimum_action_confidence": least, "maximum_action_confidence": most}
    return found


_EXTREMES = ("minimum_action_confidence", "maximum_action_confidence", "maximum_intent_confidence")


def _short(rows: Sequence[Conversation]) -> Iterator[int]:
    left = EVENTS_LOOKED_AT
    for row in rows:
        left -= row.events_count
        if left < 0:
            return
        yield row.pk


def _corrected(rows: Sequence[Conversation]) -> dict[int, list[tuple[float, str, bool]]]:
    """When each message was said that people looked at, what they made of it, and whether it is an example now."""
    found: dict[int, list[tuple[float, str, bool]]] = defaultdict(list)
    said = Correction.objects.filter(conversation__in=[row.pk for row in rows]).order_by("event__timestamp")
    for pk, at, intent, state in said.values_list("conversation_id", "event__timestamp", "intent", "state"):
        found[pk].append((at, intent, state == Correction.State.ACCEPTED))
    return found
