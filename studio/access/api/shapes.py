"""Shapes that several nouns share: places, grants, tokens, sessions. Times are epoch floats, or null for none."""

from collections.abc import Iterable
from datetime import datetime

from django.http import HttpRequest
from ninja import Field, Schema

from studio.access import scopes
from studio.access.loaders import signed_in
from studio.access.models import ApiToken, BrowserSession, Grant, User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.presentation import browser_of, grant_lines
from studio.access.rights import why_not_become
from studio.access.scopes import Place
from studio.access.token_lines import token_lines
from studio.errors import Forbidden, Invalid

Places = dict[Scope, Place]


class Where(Schema):
    """Both null: everywhere. `environment` alone means nothing: it is one of the `project`."""

    project: str | None = None
    environment: str | None = None


class NoSuchPlace(Invalid):
    code = "no-such-place"


def chosen(wanted: Where, places: Iterable[Place]) -> tuple[Scope, str]:
    """The scope among `places` that is wanted, and its label. Raises NoSuchPlace."""
    if not wanted.project and not wanted.environment:
        return EVERYWHERE, ""
    for place in places:
        if (place.slug, place.name) == (wanted.project or "", wanted.environment or ""):
            return place.scope, place.label
    raise NoSuchPlace("There is no such project or environment, or you may not give anything there.")


def by_scope(places: Iterable[Place] | None = None) -> Places:
    return {place.scope: place for place in (scopes.places() if places is None else places)}


def where(scope: Scope, places: Places) -> dict[str, str | None]:
    place = places.get(scope)
    return {"project": place.slug or None if place else None, "environment": place.name or None if place else None}


def epoch(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def require_whole(request: HttpRequest) -> None:
    """For acts on one's own account. Raises Forbidden for a token that may less than its person."""
    actor = signed_in(request)
    if missing := why_not_become(actor, User.objects.get(pk=actor.pk)):
        raise Forbidden(f"This token may do less than you, so it cannot change your account: {missing}", code="beyond")


# --- Grants -----------------------------------------------------------------------------------------------------------


class GrantOut(Schema):
    """`where` is the place in words; `gone` when it was deleted, and the grant gives nothing any more."""

    id: int
    role: str
    username: str | None
    group: str | None
    project: str | None
    environment: str | None
    where: str
    gone: bool
    source: str = Field(description="`hand`: given here; `sso`: from single sign-on")
    given_by: str | None
    given_at: float


def grants_out(grants: Iterable[Grant], places: Places) -> list[dict[str, object]]:
    """Of rows with `user`, `role` and `created_by` at hand."""
    return [
        {
            "id": line.row.pk,
            "role": line.row.role.name,
            "username": line.row.user.username if line.row.user else None,
            "group": line.row.group or None,
            **where(line.row.scope, places),
            "where": line.where,
            "gone": line.is_gone,
            "source": line.row.source,
            "given_by": line.row.created_by.username if line.row.created_by else None,
            "given_at": line.row.created_at.timestamp(),
        }
        for line in grant_lines(grants, places.values())
    ]


# --- Tokens -----------------------------------------------------------------------------------------------------------


class TokenOut(Schema):
    """`key` names it and is no secret."""

    name: str
    key: str
    username: str
    project: str | None
    environment: str | None
    where: str
    permissions: list[str]
    state: str = Field(description="`valid`, `expires soon`, `replaced`, `expired` or `revoked`")
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    revoked_at: float | None


class MadeTokenOut(TokenOut):
    """`token` is the text to show as `Authorization: Bearer`. It is in this answer and nowhere else."""

    token: str


def tokens_out(tokens: Iterable[ApiToken], places: Places) -> list[dict[str, object]]:
    """Of rows with `user` at hand."""
    return [
        {
            "name": line.row.name,
            "key": line.row.key,
            "username": line.row.user.username,
            **where(line.row.scope, places),
            "where": line.where,
            "permissions": line.row.permissions,
            "state": line.status[1].lower(),
            "created_at": line.row.created_at.timestamp(),
            "expires_at": epoch(line.row.expires_at),
            "last_used_at": epoch(line.row.last_used_at),
            "revoked_at": epoch(line.row.revoked_at),
        }
        for line in token_lines(tokens, places.values())
    ]


# --- Sessions ---------------------------------------------------------------------------------------------------------


class SessionOut(Schema):
    """One signed-in browser. `by` is `password`, `link` or `sso`."""

    id: int
    browser: str
    by: str
    address: str | None
    began_at: float
    seen_at: float


def session_out(row: BrowserSession) -> dict[str, object]:
    return {
        "id": row.pk,
        "browser": browser_of(row.agent),
        "by": row.by,
        "address": row.address,
        "began_at": row.began_at.timestamp(),
        "seen_at": row.seen_at.timestamp(),
    }
