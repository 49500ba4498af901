"""Grants: a role for a person or a group of the single sign-on, everywhere, in one project or in one environment."""

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Status

from studio.access import scopes
from studio.access.api.people import NAME
from studio.access.api.roles import named_roles
from studio.access.api.shapes import GrantOut, Where, by_scope, chosen, grants_out
from studio.access.filters import EVERYWHERE_VALUE, GrantFilter
from studio.access.loaders import load_grant, require, signed_in
from studio.access.models import Grant, Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services import grants
from studio.errors import Invalid
from studio.web.api import bodies
from studio.web.api.paging import Paging, page

router = Router(tags=["grants"])


class GrantSearch(Where):
    q: str = Field("", max_length=200, description="Text in a user name, a name or a group")
    role: str = ""
    everywhere: bool = Field(False, description="Those that count everywhere alone")
    source: str = Field("", description="`hand` or `sso`")


class NewGrant(Where, bodies.Body):
    """Either `username` or `group`, exactly as the single sign-on writes it."""

    role: str
    username: str | None = Field(None, max_length=150, pattern=NAME)
    group: str | None = Field(None, min_length=1, max_length=255)


@router.get("/grants", summary="Who holds which role where", url_name="grants", response=list[GrantOut])
def list_grants(
    request: HttpRequest, response: HttpResponse, search: Query[GrantSearch], paging: Query[Paging]
) -> list[dict[str, object]]:
    """Newest first. `project` and `environment`: those given exactly there."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    places = scopes.places()
    where = scopes.encode(chosen(search, places)[0]) or (EVERYWHERE_VALUE if search.everywhere else "")
    asked = GrantFilter({"q": search.q, "role": search.role, "source": search.source, "where": where}, places=places)
    if not asked.is_valid():
        raise Invalid(f"There is nothing to choose like that: {', '.join(asked.errors)}.")
    rows = asked.apply(Grant.objects.select_related("user", "role", "created_by"))
    return grants_out(page(request, response, rows, paging), by_scope(places))


@router.post("/grants", summary="Give a role", url_name="grants", response={201: GrantOut})
def give(request: HttpRequest, body: NewGrant) -> Status[dict[str, object]]:
    """Giving it twice is one grant. Nobody gives what they do not hold there."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    if (body.username is None) == (body.group is None):
        raise Invalid("Name either a person or a group.")
    role = named_roles([body.role])[0]
    scope, label = chosen(body, scopes.places())
    row = _give(request, body, role, scope, label)
    return Status(201, grants_out([row], by_scope())[0])


def _give(request: HttpRequest, body: NewGrant, role: Role, scope: Scope, label: str) -> Grant:
    actor = signed_in(request)
    if body.group is not None:
        return grants.grant_to_group(actor=actor, group=body.group, role=role, scope=scope, scope_label=label)
    person = User.objects.called(body.username).first()
    if person is None:
        raise Invalid(f"There is nobody called {body.username}.", code="no-such-user")
    return grants.grant(actor=actor, person=person, role=role, scope=scope, scope_label=label)


@router.delete("/grants/{id}", summary="Take a role away", url_name="grant", response={204: None})
def take(request: HttpRequest, id: int) -> Status[None]:
    """Refused for what comes from single sign-on, and for the last who may manage people."""
    grants.revoke(actor=signed_in(request), grant=load_grant(request, id))
    return Status(204, None)
