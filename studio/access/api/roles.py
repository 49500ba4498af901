"""Roles: named sets of permissions, who holds them everywhere, and those that can be added ready made."""

from collections.abc import Iterable, Sequence

from django.http import HttpRequest, HttpResponse
from ninja import Body, Field, Path, Query, Router, Schema, Status
from pydantic import StrictBool

from studio.access.categories import with_views
from studio.access.loaders import load_role, require, signed_in
from studio.access.models import Grant, Role, User
from studio.access.permissions import Permission
from studio.access.ready_made import READY_MADE, ReadyMade
from studio.access.services import grants
from studio.access.services import roles as service
from studio.errors import Invalid
from studio.web.api import bodies
from studio.web.api.paging import Paging, cut, page

router = Router(tags=["roles"])
NAME = r"^[-a-zA-Z0-9_]+$"


class RoleOut(Schema):
    """`grants` are permissions: docs/permissions.md lists them. `is_default`: offered first to new people."""

    role: str
    description: str
    is_default: bool
    grants: list[str]


class Wishes(bodies.Body):
    description: str = Field("", max_length=300)
    is_default: StrictBool = False
    grants: list[Permission] = Field(max_length=len(Permission))


class NewRole(Wishes):
    role: str = Field(max_length=63, pattern=NAME)


class Changes(bodies.Body):
    """What is left out stays; `role` gives it another name."""

    role: str | None = Field(None, max_length=63, pattern=NAME)
    description: str | None = Field(None, max_length=300)
    is_default: StrictBool | None = None
    grants: list[Permission] | None = Field(None, max_length=len(Permission))


class ReadyMadeOut(Schema):
    """`known_as`: its name in Rasa Studio, or which product it is from. `is_here`: there is a role of its name."""

    role: str
    known_as: str
    description: str
    grants: list[str]
    is_here: bool


def role_out(role: Role) -> dict[str, object]:
    return {
        "role": role.name,
        "description": role.description,
        "is_default": role.is_default,
        "grants": sorted(role.permissions),
    }


def named_roles(names: Sequence[str]) -> list[Role]:
    """In the order of the names. Raises Invalid for one that is none."""
    found = {role.name: role for role in Role.objects.filter(name__in=names)}
    if missing := [name for name in names if name not in found]:
        raise Invalid(f"There is no role called {missing[0][:63]}.", code="no-such-role", role=missing[0])
    return [found[name] for name in dict.fromkeys(names)]


@router.get("/roles", summary="Roles", url_name="roles", response=list[RoleOut])
def roles(request: HttpRequest, response: HttpResponse, paging: Query[Paging]) -> list[dict[str, object]]:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return [role_out(role) for role in cut(request, response, list(Role.objects.all()), paging)]


@router.post("/roles", summary="Make a role", url_name="roles", response={201: RoleOut})
def add_role(request: HttpRequest, body: NewRole) -> Status[dict[str, object]]:
    """What changes something brings what looks at it: nobody edits blindly. Nobody gives what they do not hold."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    role = service.save_role(
        actor=signed_in(request),
        role=None,
        name=body.role,
        description=body.description,
        permissions=with_views(body.grants),
        is_default=body.is_default,
    )
    return Status(201, role_out(role))


@router.get("/roles/{role}", summary="One role", url_name="role", response=RoleOut)
def a_role(request: HttpRequest, role: Path[str]) -> dict[str, object]:
    return role_out(load_role(request, role))


@router.put("/roles/{role}", summary="Change a role", url_name="role", response=RoleOut)
def change_role(request: HttpRequest, role: Path[str], body: Changes) -> dict[str, object]:
    """It counts at once for everybody who holds it. The admin role always holds everything."""
    row = load_role(request, role)
    held = row.permissions if body.grants is None else with_views(body.grants)
    service.save_role(
        actor=signed_in(request),
        role=row,
        name=row.name if body.role is None else body.role,
        description=row.description if body.description is None else body.description,
        permissions=held,
        is_default=row.is_default if body.is_default is None else body.is_default,
    )
    return role_out(row)


@router.delete("/roles/{role}", summary="Delete a role", url_name="role", response={204: None})
def delete_role(request: HttpRequest, role: Path[str]) -> Status[None]:
    """Refused while somebody holds it, and for those of every installation."""
    service.delete_role(actor=signed_in(request), role=load_role(request, role))
    return Status(204, None)


# --- Who holds one everywhere -----------------------------------------------------------------------------------------


class UserRef(Schema):
    username: str


class HolderOut(Schema):
    username: str
    name: str
    email: str


@router.get("/roles/{role}/users", summary="Who holds it everywhere", url_name="role-users", response=list[HolderOut])
def holders(
    request: HttpRequest, response: HttpResponse, role: Path[str], paging: Query[Paging]
) -> list[dict[str, str]]:
    """By themselves; who holds it by a group or in a single place is under `/grants`."""
    given = Grant.objects.filter(role=load_role(request, role), assistant_id=None, user__isnull=False)
    people = User.objects.filter(pk__in=given.order_by().values("user"))
    return [_holder(person) for person in page(request, response, people, paging, by="username")]


@router.put("/roles/{role}/users", summary="Set who holds it everywhere", url_name="role-users", response={204: None})
def set_holders(request: HttpRequest, role: Path[str], body: Body[list[str | UserRef]]) -> Status[None]:
    """The whole list, of user names or of users as GET gives them. Everybody else loses the role everywhere."""
    row = load_role(request, role)
    people = _named_people([one if isinstance(one, str) else one.username for one in body])
    grants.set_holders(actor=signed_in(request), role=row, people=people)
    return Status(204, None)


def _named_people(names: Sequence[str]) -> list[User]:
    if len(names) > 1000:
        raise Invalid("One request names at most 1,000 people.")
    found = {person.username: person for person in User.objects.filter(username__in=names)}
    if missing := [name for name in names if name not in found]:
        raise Invalid(f"There is nobody called {missing[0][:150]}.", code="no-such-user", username=missing[0])
    return list(found.values())


def _holder(person: User) -> dict[str, str]:
    return {"username": person.username, "name": person.name, "email": person.email}


# --- Ready made -------------------------------------------------------------------------------------------------------


class Offered(bodies.Body):
    role: str


@router.get("/ready-made-roles", summary="Roles to add as they are", url_name="ready-made", response=list[ReadyMadeOut])
def ready_made(request: HttpRequest) -> list[dict[str, object]]:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return list(_offers(READY_MADE))


def _offers(offers: Iterable[ReadyMade]) -> Iterable[dict[str, object]]:
    here = set(Role.objects.values_list("name", flat=True))
    for one in offers:
        yield {
            "role": one.name,
            "known_as": one.known_as,
            "description": one.description,
            "grants": sorted(one.permissions),
            "is_here": one.name in here,
        }


@router.post("/ready-made-roles", summary="Add a ready-made role", url_name="ready-made", response={201: RoleOut})
def add_ready_made(request: HttpRequest, body: Offered) -> Status[dict[str, object]]:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    offer = next((one for one in READY_MADE if one.name == body.role), None)
    if offer is None:
        raise Invalid("There is no ready-made role of this name.", code="no-such-role")
    return Status(201, role_out(service.add_ready_made(actor=signed_in(request), offer=offer)))
