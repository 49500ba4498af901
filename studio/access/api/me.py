"""What scripts ask about themselves, and how they sign in."""

from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from studio.access import scopes
from studio.access.api.shapes import Places, by_scope, tokens_out, where
from studio.access.loaders import signed_in
from studio.access.models import ApiToken, Grant, User
from studio.access.oidc import forwarding
from studio.access.passwords import check_password
from studio.access.permissions import EVERYWHERE, Limit, Permission
from studio.access.services.api_sign_in import token_for
from studio.errors import DomainError
from studio.web.api import bodies
from studio.web.api.failures import failure
from studio.web.ratelimit import TooMany

router = Router(tags=["users"])


class Held(Schema):
    """`project` and `environment` are null where the role is given for all of them."""

    role: str
    project: str | None
    environment: str | None
    permissions: list[str]


class Credentials(bodies.Body):
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


class SingleSignOn(Schema):
    """Addresses of ours, which lead to the provider. `device_endpoint` is null where it offers no such sign-in."""

    name: str
    issuer: str
    client_id: str
    scope: str
    token_endpoint: str
    device_endpoint: str | None


class SignInWays(Schema):
    """`password`: POST /api/auth takes everybody's; false: administrators' alone. No single sign-on: null."""

    password: bool
    single_sign_on: SingleSignOn | None


@router.get("/sign-in-ways", auth=None, summary="How one signs in here", url_name="sign-in-ways", response=SignInWays)
def sign_in_ways(request: HttpRequest) -> dict[str, object]:
    """Public. With the tokens of the single sign-on one asks the API as with any other: `Authorization: Bearer`."""
    return {"password": settings.LOCAL_SIGN_IN, "single_sign_on": forwarding.offer()}


class OwnToken(Schema):
    """Not when it was used last: then no answer would be like the one before."""

    name: str
    key: str
    project: str | None
    environment: str | None
    permissions: list[str]
    created_at: float
    expires_at: float | None


class Me(Schema):
    username: str
    name: str
    email: str
    kind: str
    roles: list[str]
    grants: list[Held]
    token: OwnToken | None


@router.get("/user", summary="Whose token this is, and what it may do", url_name="user", response=Me)
def user(request: HttpRequest) -> dict[str, object]:
    """Roles and grants as the token narrows them: what is not listed here is refused."""
    person = signed_in(request)
    token: ApiToken | User = request.auth  # type: ignore[attr-defined]
    places = by_scope(scopes.places())
    grants = list(_grants(person, places))
    return {
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "kind": person.kind,
        "roles": sorted({grant.role for grant in grants}),
        "grants": grants,
        "token": tokens_out([token], places)[0] if isinstance(token, ApiToken) else None,
    }


def _grants(person: User, places: Places) -> Iterator[Held]:
    """Those that leave something, in a place that is still there."""
    limit = person.limit or Limit(frozenset(Permission))
    for row in Grant.objects.of(person):
        for scope, permissions in limit.narrowed([(row.scope, frozenset(row.role.permissions))]):
            if permissions and (scope == EVERYWHERE or scope in places):
                yield Held(role=row.role.name, permissions=sorted(permissions), **where(scope, places))
