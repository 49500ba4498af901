"""What scripts ask about themselves, and how they sign in with a password."""

from collections.abc import Iterator
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from studio.access import scopes
from studio.access.loaders import signed_in
from studio.access.models import ApiToken, Grant, User
from studio.access.passwords import check_password
from studio.access.permissions import EVERYWHERE, Limit, Permission, Scope
from studio.access.scopes import Place
from studio.access.services.api_sign_in import token_for
from studio.errors import DomainError
from studio.web.api.failures import failure
from studio.web.ratelimit import TooMany

router = Router(tags=["users"])


class GrantOut(Schema):
    """`project` and `environment` are null where the role is given for all of them."""

    role: str
    project: str | None
    environment: str | None
    permissions: list[str]


class TokenOut(Schema):
    name: str
    key: str
    project: str | None
    environment: str | None
    permissions: list[str]
    created_at: float
    expires_at: float | None


class Credentials(Schema):
    username: str
    password: str


class AccessToken(Schema):
    access_token: str


@router.post("/auth", auth=None, summary="Sign in with a password", url_name="auth", response=AccessToken)
def auth(request: HttpRequest, body: Credentials) -> dict[str, str] | HttpResponse:
    """A token for `Authorization: Bearer` that acts as the person for eight hours. API tokens need no signing in."""
    try:
        person = check_password(request, body.username, body.password)
    except TooMany:
        raise
    except DomainError as error:
        return failure(401, "NotAuthenticated", error.message)
    return {"access_token": token_for(person)}


class UserOut(Schema):
    username: str
    name: str
    email: str
    kind: str
    roles: list[str]
    grants: list[GrantOut]
    token: TokenOut | None


@router.get("/user", summary="Whose token this is, and what it may do", url_name="user", response=UserOut)
def user(request: HttpRequest) -> dict[str, object]:
    """Roles and grants as the token narrows them: what is not listed here is refused."""
    person = signed_in(request)
    token: ApiToken | User = request.auth  # type: ignore[attr-defined]
    places = {place.scope: place for place in scopes.places()}
    grants = list(_grants(person, places))
    return {
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "kind": person.kind,
        "roles": sorted({grant.role for grant in grants}),
        "grants": grants,
        "token": _token(token, places) if isinstance(token, ApiToken) else None,
    }


def _grants(person: User, places: dict[Scope, Place]) -> Iterator[GrantOut]:
    """Those that leave something, in a place that is still there."""
    limit = person.limit or Limit(frozenset(Permission))
    for row in Grant.objects.of(person):
        for scope, permissions in limit.narrowed([(row.scope, frozenset(row.role.permissions))]):
            if permissions and (scope == EVERYWHERE or scope in places):
                yield GrantOut(role=row.role.name, permissions=sorted(permissions), **_where(scope, places))


def _token(row: ApiToken, places: dict[Scope, Place]) -> dict[str, object]:
    return {
        "name": row.name,
        "key": row.key,
        **_where(row.scope, places),
        "permissions": row.permissions,
        "created_at": row.created_at.timestamp(),
        "expires_at": _epoch(row.expires_at),
    }


def _where(scope: Scope, places: dict[Scope, Place]) -> dict[str, str | None]:
    place = places.get(scope)
    return {"project": place.slug or None if place else None, "environment": place.name or None if place else None}


def _epoch(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
