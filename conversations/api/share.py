"""Share links: the links of an assistant with all that is set on them, who came, and what they thought."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.api.forms import checked
from conversations.chat.guests import is_full
from conversations.chat.links import (
    NAMES,
    LinkState,
    address_of,
    change_link,
    create_link,
    revoke_link,
    snippet_of,
    state_of,
)
from conversations.chat.targets import Target
from conversations.forms.share import ChangeLinkForm, LinkForm
from conversations.loaders import load_link, places_to_share, targets_to_share
from conversations.models import Rating, ShareGuest, ShareLink, TalkSession
from environments.rights import scope_of
from environments.services.trying import place_of
from models_app.loaders import load_assistant, load_model
from models_app.models import Assistant
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["share links"])
PLACES = {"target": "environment"}  # the dialog has one choice for both
_OVER = (LinkState.REVOKED, LinkState.GONE)
LATEST = 253_402_300_799  # the last second that a date has


class LinkChange(Body):
    """What is left out stays as it is. A link is for an environment, or for one `model`."""

    name: str = ""
    environment: str = "production"
    model: str | None = None
    greeting: str = ""
    expires_at: float | None = Field(None, ge=0, le=LATEST)
    is_on: bool = True
    password: str | None = Field(None, description="null or empty for none; it is never told again")
    look: str = Field("", description="light, dark, or empty: as the guest's device")
    accent: str = Field("", description="a colour such as #0b6e75")
    language: str = Field("", description="two letters; empty: as the guest's browser")
    visitors_limit: int = Field(0, description="0 is none")
    messages_limit: int = Field(0, description="of one visitor; 0 is none")
    origins: list[str] = Field([], description="sites that may show the chat, such as https://www.example.org")
    takes_ratings: bool = True


class LinkOut(Schema):
    """`state` is open, full, off, expired, revoked or gone (with its environment or model). `address` and `snippet` are
    empty once it never works again."""

    number: int
    name: str
    state: str
    address: str
    snippet: str
    environment: str | None
    model: str | None
    greeting: str
    expires_at: float | None
    is_on: bool
    has_password: bool
    look: str
    accent: str
    language: str
    visitors_limit: int
    messages_limit: int
    origins: list[str]
    takes_ratings: bool
    opened: int
    wrote: int
    returned: int
    conversations: int
    created_by: str | None
    created_at: float
    revoked_at: float | None


class VisitorOut(Schema):
    """A browser. Its `conversations` are told to whoever may read them, the newest first."""

    number: int
    first_at: float
    last_at: float
    visits: int
    messages: int
    has_written: bool
    language: str
    device: str
    is_embedded: bool
    conversations: list[str]


class RatingOut(Schema):
    """Of one reply: `message_timestamp` is that of its last message, null until its event has come."""

    rating: str
    comment: str
    at: float
    sender_id: str
    message_timestamp: float | None


@router.get("/projects/{slug}/share", summary="Share links", url_name="share-links", response=list[LinkOut])
def links(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[dict[str, Any]]:
    """The newest first."""
    found = _rows(request, load_assistant(request, slug))
    return [facts(one) for one in page(request, response, found, paging)]


@router.post("/projects/{slug}/share", summary="Make a share link", url_name="share-links", response={201: LinkOut})
def add(request: HttpRequest, response: HttpResponse, slug: Path[str], body: LinkChange) -> Status[dict[str, Any]]:
    assistant = load_assistant(request, slug)
    form = LinkForm(_data(body.dict()), targets=_targets(request, assistant, body.model))
    checked(form, PLACES)
    made = create_link(actor=signed_in(request), **form.wishes)
    response["Location"] = f"/api/projects/{slug}/share/{made.pk}"
    return Status(201, facts(_again(request, made)))


@router.get("/projects/{slug}/share/{number}", summary="One share link", url_name="share-link", response=LinkOut)
def link(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    return facts(_again(request, load_link(request, slug, number)))


@router.put("/projects/{slug}/share/{number}", summary="Change a share link", url_name="share-link", response=LinkOut)
def change(request: HttpRequest, slug: Path[str], number: Path[int], body: LinkChange) -> dict[str, Any]:
    """With another environment or model its guests begin anew there."""
    row = load_link(request, slug, number)
    given = body.dict(exclude_unset=True)
    wanted = {**_settings(row), **given}
    if "environment" in given and not given.get("model"):
        wanted["model"] = None
    form = ChangeLinkForm.of(row, _data(wanted), _targets(request, row.environment.assistant, given.get("model")))
    checked(form, PLACES)
    change_link(actor=signed_in(request), link=row, **form.wishes)
    return facts(_again(request, row))


@router.delete(
    "/projects/{slug}/share/{number}", summary="Revoke a share link", url_name="share-link", response={204: None}
)
def revoke(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    """For good. What was said by it stays."""
    revoke_link(actor=signed_in(request), link=load_link(request, slug, number))
    return Status(204, None)


@router.get(
    "/projects/{slug}/share/{number}/visitors",
    summary="Who opened a share link",
    url_name="share-visitors",
    response=list[VisitorOut],
)
def visitors(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """Browsers, not people: nothing says who they are."""
    row = load_link(request, slug, number)
    may_read = signed_in(request).may(Permission.CONVERSATIONS_VIEW, scope_of(row.environment))
    chats = Prefetch("sessions", TalkSession.objects.order_by("-pk"))
    guests = ShareGuest.objects.filter(link=row).prefetch_related(chats)
    return [_visitor(one, may_read=may_read) for one in page(request, response, guests, paging)]


def _visitor(guest: ShareGuest, *, may_read: bool) -> dict[str, Any]:
    return {
        "number": guest.pk,
        "first_at": guest.first_at.timestamp(),
        "last_at": guest.last_at.timestamp(),
        "visits": guest.visits_count,
        "messages": guest.messages_count,
        "has_written": guest.is_in,
        "language": guest.language,
        "device": guest.device,
        "is_embedded": guest.is_embedded,
        "conversations": [one.sender_id for one in guest.sessions.all()] if may_read else [],
    }


@router.get(
    "/projects/{slug}/share/{number}/ratings",
    summary="What guests thought of replies",
    url_name="share-ratings",
    response=list[RatingOut],
)
def ratings(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """The newest first; for whoever may read the conversations."""
    row = load_link(request, slug, number)
    require(signed_in(request), Permission.CONVERSATIONS_VIEW, scope_of(row.environment))
    given = Rating.objects.filter(link=row).select_related("session", "event")
    return [
        {
            "rating": "up" if one.is_up else "down",
            "comment": one.comment,
            "at": one.at.timestamp(),
            "sender_id": one.session.sender_id,
            "message_timestamp": one.event.timestamp if one.event else None,
        }
        for one in page(request, response, given, paging)
    ]


def _rows(request: HttpRequest, assistant: Assistant) -> QuerySet[ShareLink]:
    seen = ShareLink.objects.filter(environment__in=places_to_share(request, assistant))
    related = seen.select_related("environment__assistant", "model", "created_by").defer("model__domain")
    return related.annotate(count=Count("conversations"))


def _again(request: HttpRequest, row: ShareLink) -> ShareLink:
    """As it is now, with its counts."""
    return _rows(request, row.environment.assistant).get(pk=row.pk)


def facts(row: Any) -> dict[str, Any]:
    """Of a row of `_rows`."""
    state = state_of(row)
    is_over = state in _OVER
    return {
        **{key: value for key, value in _settings(row).items() if key != "password"},
        "number": row.pk,
        "state": "full" if state is LinkState.OPEN and is_full(row) else str(state),
        "address": "" if is_over else address_of(row),
        "snippet": "" if is_over or not row.origins else snippet_of(row),
        "has_password": bool(row.password),
        "opened": row.opened_count,
        "wrote": row.wrote_count,
        "returned": row.returned_count,
        "conversations": row.count,
        "created_by": row.created_by.username if row.created_by else None,
        "created_at": row.created_at.timestamp(),
        "revoked_at": row.revoked_at.timestamp() if row.revoked_at else None,
    }


def _settings(row: ShareLink) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in ("name", "greeting", "is_on", *NAMES)},
        "environment": None if row.model else row.environment.name,
        "model": row.model.name if row.model else None,
        "expires_at": row.expires_at.timestamp() if row.expires_at else None,
    }


def _targets(request: HttpRequest, assistant: Assistant, model: str | None) -> list[Target]:
    """Also an older model than those that the dialog offers."""
    offered = targets_to_share(request, assistant)
    if not model or any(one.model and one.name == model for one in offered):
        return offered
    named = load_model(request, assistant.slug, model, Permission.SHARE)
    return [*offered, Target(place_of(assistant), named)]


def _data(wanted: dict[str, Any]) -> dict[str, Any]:
    """As the dialog sends it."""
    expires_at = wanted["expires_at"]
    data = {**wanted, "origins": "\n".join(wanted["origins"]), "password": wanted.get("password") or ""}
    data["no_password"] = "password" in wanted and not wanted["password"]
    data["target"] = f"model:{wanted['model']}" if wanted["model"] else f"environment:{wanted['environment']}"
    data["expires_at"] = datetime.fromtimestamp(expires_at, UTC).isoformat() if expires_at is not None else ""
    return data
