"""The inbox: messages that NLU was unsure of and nobody looked at, and examples that wait beside the training data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.api.facts import EntityOut, IntentOut, entity_facts, understood
from conversations.api.forms import checked, described
from conversations.example_filters import ExampleFilter
from conversations.inbox_filters import InboxFilter
from conversations.loaders import load_message_at, load_readable
from conversations.models import Event
from conversations.naming import model_names
from conversations.presentation.reading import clean, loaded, member
from conversations.presentation.tracker import strict
from conversations.services import examples, inbox
from conversations.services.examples import Wishes, judge
from conversations.services.inbox import Spot
from models_app.api.paths import of_each
from models_app.models import Assistant
from models_app.vocabulary import vocabulary_of
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import Conflict, Invalid
from studio.web.api.bodies import Body
from studio.web.api.paging import MOST, NotOurs, Paging, cursor_of, key_of, page, say_next

router = Router(tags=["inbox"])

LONGEST = 300
LATEST = 253_402_300_799  # the last second that a date has


class WaitingOut(Schema):
    """A message that waits. Answer it by `PUT …/conversations/{sender_id}/messages/{timestamp}/intent`."""

    sender_id: str
    timestamp: float
    text: str
    intent: IntentOut | None
    intent_ranking: list[IntentOut]
    entities: list[EntityOut]
    environment: str
    model: str


class TakenOut(WaitingOut):
    """`said_times`: how often the same words wait, all of which one answer settles."""

    said_times: int


class ExampleOut(Schema):
    """What a person said of a message. Of one that waits: what speaks against it. `examples_elsewhere` are intents of
    which the same text is an example already."""

    number: int
    text: str
    intent: str
    entities: list[EntityOut]
    kind: str
    state: str
    person: str
    at: float
    said_times: int
    sender_id: str
    message_timestamp: float
    revision: int | None
    is_known: bool
    is_new_intent: bool
    new_entities: list[str]
    examples_elsewhere: list[str]
    problem: str


class Narrowed(Body):
    """`filters` as the inbox takes them, such as {"environment": "production"}."""

    filters: dict[str, str] = {}


class Chosen(Body):
    """Examples by their numbers."""

    examples: list[int] = Field(min_length=1, max_length=examples.MOST)


class Accepting(Chosen):
    """`move` takes texts out of other intents; `new_intents` and `new_entities` are what the domain may get. What was
    changed after `seen_at` goes on waiting."""

    move: bool = False
    new_intents: list[str] = []
    new_entities: list[str] = []
    message: str = Field("", max_length=LONGEST)
    seen_at: float | None = Field(None, ge=0, le=LATEST)


class AcceptedOut(Schema):
    """`left` has reasons, and how many go on waiting for each; `revision` is null when nothing was taken."""

    revision: int | None
    taken: int
    left: dict[str, int]


class CountOut(Schema):
    examples: int


@router.get(
    "/projects/{slug}/inbox",
    summary="Messages that wait to be looked at",
    url_name="inbox",
    response=list[WaitingOut],
    openapi_extra=described(InboxFilter.base_fields),
)
def waiting(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """The least certain first. Of more than 1,000 `X-Total-Count` says 1000, and X-Total-Count-Exact false."""
    assistant, wanted = _wanted(request, slug, request.GET)
    limit, offset = min(paging.limit, MOST), 0 if paging.cursor else min(paging.offset, inbox.COUNTED)
    found = inbox.find(wanted, after=_spot(paging.cursor), limit=offset + limit + 1)[offset:]
    count = inbox.left(wanted)
    response["X-Total-Count"], response["X-Limit"] = str(min(count, inbox.COUNTED)), str(limit)
    response["X-Total-Count-Exact"] = "true" if count <= inbox.COUNTED else "false"
    if len(found) > limit > 0:
        last = Spot.of(found[limit - 1])
        say_next(request, response, cursor_of(f"{last.uncertainty!r}-{last.pk}"))
    return _waiting_facts(assistant, found[:limit])


@router.post(
    "/projects/{slug}/inbox/next",
    summary="Take the next message that is free",
    url_name="inbox-next",
    response={200: TakenOut, 204: None},
)
def take_next(request: HttpRequest, slug: Path[str], body: Narrowed | None = None) -> Status[dict[str, Any] | None]:
    """It is held for five minutes: nobody else is given it, nor the same words elsewhere. 204 when none is free."""
    query = QueryDict(urlencode(body.filters if body else {}))
    if unknown := sorted(set(query) - set(InboxFilter.base_fields)):
        raise Invalid(f"There is no filter called {', '.join(unknown)[:200]}.", code="unknown-filter")
    assistant, wanted = _wanted(request, slug, query)
    viewer = signed_in(request)
    found = inbox.next_free(actor=viewer, wanted=wanted)
    if found is None:
        return Status(204, None)
    times = 1 + len(inbox.same_words(viewer, found))
    return Status(200, {**_waiting_facts(assistant, [found])[0], "said_times": times})


@of_each(
    router.put,
    "/conversations/{path:sender}/messages/{timestamp}/hold",
    summary="Keep a message of the inbox for oneself",
    url_name="message-hold",
    response={204: None},
)
def hold(request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float]) -> Status[None]:
    """For five minutes from now. 409 when somebody else has it."""
    event = load_message_at(request, slug, sender, timestamp)
    if not inbox.hold(actor=signed_in(request), event=event):
        raise Conflict("Somebody else has this message in front of them.")
    return Status(204, None)


@of_each(
    router.delete,
    "/conversations/{path:sender}/messages/{timestamp}/hold",
    summary="Let others have a message of the inbox",
    url_name="message-hold",
    response={204: None},
)
def release(request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float]) -> Status[None]:
    event = load_message_at(request, slug, sender, timestamp)
    inbox.release(actor=signed_in(request), event_ids=[event.pk])
    return Status(204, None)


def _wanted(request: HttpRequest, slug: str, query: QueryDict) -> tuple[Assistant, inbox.Wanted]:
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    filters = InboxFilter(query, assistant=assistant, viewer=signed_in(request))
    checked(filters)
    return assistant, filters.wanted()


def _spot(cursor: str) -> Spot | None:
    if not cursor:
        return None
    uncertainty, _dash, pk = key_of(cursor).rpartition("-")
    try:
        spot = Spot(float(uncertainty), int(pk))
    except ValueError:
        raise NotOurs from None
    if not (0 <= spot.uncertainty <= 1 and 0 <= spot.pk < 2**63):
        raise NotOurs
    return spot


def _waiting_facts(assistant: Assistant, rows: Sequence[Event]) -> list[dict[str, Any]]:
    names = model_names(assistant, {row.model_id for row in rows})
    return [
        {
            "sender_id": row.conversation.sender_id,
            "timestamp": row.timestamp,
            "text": row.text,
            **understood(member(clean(loaded(strict(row.payload))), "parse_data")),
            "environment": row.conversation.environment.name if row.conversation.environment else "",
            "model": names.get(row.model_id, row.model_id),
        }
        for row in rows
    ]


# --- Examples ---------------------------------------------------------------------------------------------------------


@router.get(
    "/projects/{slug}/inbox/examples",
    summary="Examples that people found in conversations",
    url_name="inbox-examples",
    response=list[ExampleOut],
    openapi_extra=described(ExampleFilter.base_fields),
)
def found_examples(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """Those that wait; with `state` those that are accepted or discarded, or messages that are no example (`ignored`),
    whose intent is empty."""
    assistant = load_readable(request, slug, Permission.NLU_VIEW)
    filters = ExampleFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    checked(filters)
    rows = filters.apply().select_related("conversation", "revision", "event").order_by()
    found = page(request, response, rows, paging, by="pk")
    return [_example(one) for one in judge(found, vocabulary_of(assistant))]


def _example(one: examples.Waiting) -> dict[str, Any]:
    row = one.row
    return {
        "number": row.pk,
        "text": row.text,
        "intent": row.intent,
        "entities": entity_facts(row.text, row.entities),
        "kind": row.kind,
        "state": row.state,
        "person": row.person_label,
        "at": row.at.timestamp(),
        "said_times": row.said_times,
        "sender_id": row.conversation.sender_id,
        "message_timestamp": row.event.timestamp,
        "revision": row.revision.number if row.revision else None,
        "is_known": one.is_known,
        "is_new_intent": one.is_new_intent,
        "new_entities": one.new_entities,
        "examples_elsewhere": sorted({other.intent for other in one.elsewhere}),
        "problem": one.unwritable,
    }


@router.post(
    "/projects/{slug}/inbox/examples/accept",
    summary="Take examples into the training data",
    url_name="inbox-examples-accept",
    response=AcceptedOut,
)
def accept(request: HttpRequest, slug: Path[str], body: Accepting) -> dict[str, Any]:
    """All into one new revision, as one says how."""
    assistant = _modifiable(request, slug)
    wishes = Wishes(body.move, body.new_intents, body.new_entities, body.message.strip())
    seen_at = timezone.now() if body.seen_at is None else datetime.fromtimestamp(body.seen_at, UTC)
    done = examples.accept(
        actor=signed_in(request), assistant=assistant, keys=_keys(body), seen_at=seen_at, wishes=wishes
    )
    return {"revision": done.revision.number if done.revision else None, "taken": done.taken, "left": dict(done.left)}


@router.post(
    "/projects/{slug}/inbox/examples/discard",
    summary="Discard examples",
    url_name="inbox-examples-discard",
    response=CountOut,
)
def discard(request: HttpRequest, slug: Path[str], body: Chosen) -> dict[str, int]:
    """They wait no longer; they can be brought back."""
    assistant = _modifiable(request, slug)
    return {"examples": examples.discard(actor=signed_in(request), assistant=assistant, keys=_keys(body))}


@router.post(
    "/projects/{slug}/inbox/examples/restore",
    summary="Bring discarded examples back",
    url_name="inbox-examples-restore",
    response=CountOut,
)
def restore(request: HttpRequest, slug: Path[str], body: Chosen) -> dict[str, int]:
    assistant = _modifiable(request, slug)
    return {"examples": examples.bring_back(actor=signed_in(request), assistant=assistant, keys=_keys(body))}


def _modifiable(request: HttpRequest, slug: str) -> Assistant:
    assistant = load_readable(request, slug, Permission.NLU_VIEW)
    require(signed_in(request), Permission.NLU_MODIFY, Scope(assistant.pk))
    return assistant


def _keys(body: Chosen) -> list[int]:
    return sorted({one for one in body.examples if 0 < one < 2**63})
