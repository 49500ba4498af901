"""API tokens: one's own, and those of service accounts for whoever manages people."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Path, Query, Router, Schema, Status

from studio.access import scopes
from studio.access.api.shapes import MadeTokenOut, TokenOut, Where, by_scope, chosen, require_whole, tokens_out
from studio.access.loaders import load_person_named, load_token, signed_in
from studio.access.models import ApiToken, User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.scopes import Place
from studio.access.services import tokens as service
from studio.errors import Forbidden
from studio.web.api import bodies
from studio.web.api.paging import Paging, page

router = Router(tags=["tokens"])
LIFE = timedelta(days=90)  # unless the request says otherwise
_LAST = 221_845_392_000  # the year 9000: a token that takes its place may live as long again


class NewToken(Where, bodies.Body):
    """Left out, `expires_at` is in 90 days; null is never."""

    name: str = Field(min_length=1, max_length=100, pattern=r"\S")
    permissions: list[Permission] = Field(min_length=1, max_length=len(Permission))
    expires_at: float | None = Field(None, gt=0, le=_LAST, strict=True)


class Rotation(bodies.Body):
    overlap_hours: int = Field(
        24, ge=0, le=168, strict=True, description="How long the old token goes on beside the new one"
    )


class TokensWanted(Schema):
    all: bool = Field(False, description="Also those that have ended")


@router.get("/user/tokens", summary="One's own tokens", url_name="user-tokens", response=list[TokenOut])
def own_tokens(
    request: HttpRequest, response: HttpResponse, which: Query[TokensWanted], paging: Query[Paging]
) -> list[dict[str, object]]:
    """Newest first."""
    return _listed(request, response, signed_in(request), which, paging)


@router.post("/user/tokens", summary="Make a token of one's own", url_name="user-tokens", response={201: MadeTokenOut})
def make_own_token(request: HttpRequest, body: NewToken) -> Status[dict[str, object]]:
    """No wider than whoever asks, and than the token they ask with."""
    return _make(request, signed_in(request), body)


@router.get("/users/{name}/tokens", summary="Somebody's tokens", url_name="tokens-of-user", response=list[TokenOut])
def tokens_of(
    request: HttpRequest, response: HttpResponse, name: Path[str], which: Query[TokensWanted], paging: Query[Paging]
) -> list[dict[str, object]]:
    return _listed(request, response, load_person_named(request, name), which, paging)


@router.post(
    "/users/{name}/tokens",
    summary="Make a token of a service account",
    url_name="tokens-of-user",
    response={201: MadeTokenOut},
)
def make_token(request: HttpRequest, name: Path[str], body: NewToken) -> Status[dict[str, object]]:
    """Of service accounts alone: whoever reads a person's token acts in that person's name."""
    account = load_person_named(request, name)
    if account.kind != User.Kind.SERVICE and account.pk != signed_in(request).pk:
        raise Forbidden(f"{account} makes their own tokens. Make a service account for programs.")
    return _make(request, account, body)


@router.get("/tokens/{key}", summary="One token", url_name="token", response=TokenOut)
def a_token(request: HttpRequest, key: Path[str]) -> dict[str, object]:
    return tokens_out([load_token(request, key=key)], by_scope())[0]


@router.delete("/tokens/{key}", summary="Revoke a token", url_name="token", response={204: None})
def revoke(request: HttpRequest, key: Path[str]) -> Status[None]:
    """At once and for ever. Every token may revoke itself."""
    token = load_token(request, key=key)
    if token.user_id == signed_in(request).pk and token != request.auth:  # type: ignore[attr-defined]
        require_whole(request)
    service.revoke(actor=signed_in(request), token=token)
    return Status(204, None)


@router.post("/tokens/{key}/rotate", summary="Replace a token", url_name="token-rotate", response={201: MadeTokenOut})
def rotate(request: HttpRequest, key: Path[str], body: Rotation) -> Status[dict[str, object]]:
    """A new one like it; the old one goes on for a while, so that nothing stands still meanwhile."""
    token = load_token(request, key=key, for_secret=True)
    made = service.rotate(actor=signed_in(request), token=token, overlap=timedelta(hours=body.overlap_hours))
    return _made(made)


def _listed(
    request: HttpRequest, response: HttpResponse, user: User, which: TokensWanted, paging: Paging
) -> list[dict[str, object]]:
    rows = ApiToken.objects.filter(user=user).select_related("user")
    return tokens_out(page(request, response, rows if which.all else rows.filter(service.live()), paging), by_scope())


def _make(request: HttpRequest, user: User, body: NewToken) -> Status[dict[str, object]]:
    actor = signed_in(request)
    scope, label = chosen(body, _places_of(actor))
    given = "expires_at" in body.model_fields_set
    ends = datetime.fromtimestamp(body.expires_at, UTC) if body.expires_at else None
    made = service.make(
        actor=actor,
        user=user,
        name=body.name.strip(),
        permissions=body.permissions,
        scope=scope,
        scope_label=label,
        expires_at=ends if given else timezone.now() + LIFE,
    )
    return _made(made)


def _places_of(actor: User) -> Iterable[Place]:
    """Where they hold anything: no other is named."""
    return [place for place in scopes.places() if _holds_anything(actor, place.scope)]


def _holds_anything(actor: User, scope: Scope = EVERYWHERE) -> bool:
    return any(where.covers(scope) and permissions for where, permissions in actor.granted)


def _made(made: service.Made) -> Status[dict[str, object]]:
    return Status(201, {**tokens_out([made.row], by_scope())[0], "token": made.text})
