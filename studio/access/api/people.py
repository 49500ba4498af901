"""Who there is: adding, changing, shutting out and deleting people, their roles, and links that sign them in."""

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Body, Field, Path, Query, Router, Schema, Status
from pydantic import StrictBool, field_validator

from studio.access import scopes
from studio.access.api.roles import RoleOut, named_roles, role_out
from studio.access.api.shapes import GrantOut, Where, by_scope, chosen, epoch, grants_out
from studio.access.filters import PeopleFilter
from studio.access.loaders import load_person_named, require, signed_in
from studio.access.models import Grant, Identity, Role, User
from studio.access.oidc.keycloak import admin_page
from studio.access.permissions import Permission
from studio.access.rights import grants_of
from studio.access.services import grants, people, sign_in
from studio.errors import Invalid
from studio.web.api import bodies
from studio.web.api.paging import Paging, page

router = Router(tags=["users"])
NAME = r"^[\w.@+-]+$"


class Profile(bodies.Body):
    name: str = Field("", max_length=200)
    email: str = Field("", max_length=254)

    @field_validator("email")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            if value:
                validate_email(value)
        except ValidationError as error:
            raise ValueError(error.messages[0]) from None
        return value


class NewPerson(Profile, Where):
    """`role` and `roles` are given in `project` and `environment`; without any it is the role for new people.

    Without a password they come in by the link that the answer holds, or, with `single_sign_on`, by that.
    """

    username: str = Field(max_length=150, pattern=NAME)
    password: str | None = Field(None, max_length=1000)
    role: str | None = None
    roles: list[str] = Field([], max_length=100)
    single_sign_on: StrictBool = False


class IdentityOut(Schema):
    """Who somebody is at the single sign-on; `admin_page` is for its administrators, null where we know none."""

    issuer: str
    subject: str
    admin_page: str | None


class PersonOut(Schema):
    """`roles` names all of them, wherever they are held; `grants` says where and why."""

    username: str
    name: str
    email: str
    kind: str = Field(description="`person` or `service`, which acts by API tokens alone")
    state: str = Field(description="`active`, `expected`, `out` (shut out) or `service`")
    groups: list[str]
    identities: list[IdentityOut]
    roles: list[str]
    grants: list[GrantOut]
    created_at: float
    last_seen_at: float | None


class NewPersonOut(PersonOut):
    """`sign_in_link` signs them in once. It is in this answer and nowhere else."""

    sign_in_link: str | None


class PeopleSearch(Schema):
    q: str = Field("", max_length=200, description="Text in user name, name or e-mail address")
    role: str = Field("", description="Who holds it, wherever")
    state: str = Field("", description="`active`, `expected`, `out` or `service`")


@router.get("/users", summary="People and service accounts", url_name="users", response=list[PersonOut])
def users(
    request: HttpRequest, response: HttpResponse, search: Query[PeopleSearch], paging: Query[Paging]
) -> list[dict[str, object]]:
    """By user name."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    chosen = PeopleFilter(search.dict())
    if not chosen.is_valid():
        raise Invalid(f"There is nothing to choose like that: {', '.join(chosen.errors)}.")
    return _people_out(page(request, response, chosen.apply(User.objects.all()), paging, by="username"))


@router.post("/users", summary="Add a person", url_name="users", response={201: NewPersonOut})
def add_user(request: HttpRequest, body: NewPerson) -> Status[dict[str, object]]:
    """With a first role, so that nobody signs in to an empty house. Nobody gives what they do not hold."""
    actor = signed_in(request)
    require(actor, Permission.PEOPLE_MODIFY)
    if body.single_sign_on and (body.password is not None or not settings.OIDC_ISSUER):
        raise Invalid("Whoever comes by single sign-on has no password here, and there has to be one.")
    with transaction.atomic():
        person = _add(actor, body)
        waits = body.password is None and not body.single_sign_on
        link = _link(sign_in.make_link(actor=actor, person=person)) if waits else None
    return Status(201, {**_people_out([person])[0], "sign_in_link": link})


def _add(actor: User, body: NewPerson) -> User:
    first, *more = _first_roles(body)
    scope, label = chosen(body, scopes.places())
    person = people.add_person(
        actor=actor,
        username=body.username,
        name=body.name,
        email=body.email,
        role=first,
        scope=scope,
        scope_label=label,
        awaits_identity=body.single_sign_on,
        password=body.password,
    )
    for role in more:
        grants.grant(actor=actor, person=person, role=role, scope=scope, scope_label=label)
    return person


def _first_roles(body: NewPerson) -> list[Role]:
    names = [*([body.role] if body.role else []), *body.roles]
    if found := named_roles(names) or list(Role.objects.filter(is_default=True)):
        return found
    raise Invalid("Name a role: there is none for new people.", field="role")


@router.get("/users/{name}", summary="One person", url_name="a-user", response=PersonOut)
def a_user(request: HttpRequest, name: Path[str]) -> dict[str, object]:
    return _people_out([load_person_named(request, name)])[0]


@router.put("/users/{name}", summary="Change name and e-mail address", url_name="a-user", response=PersonOut)
def change_user(request: HttpRequest, name: Path[str], body: Profile) -> dict[str, object]:
    """What is left out stays."""
    person = load_person_named(request, name)
    now = {"name": person.name, "email": person.email, **body.dict(exclude_unset=True)}
    people.change_person(actor=signed_in(request), person=person, **now)
    return _people_out([person])[0]


@router.delete("/users/{name}", summary="Delete an account", url_name="a-user", response={204: None})
def delete_user(request: HttpRequest, name: Path[str]) -> Status[None]:
    """For good, with its sessions, tokens and grants. Refused for oneself, and for the last who may manage people."""
    people.delete_person(actor=signed_in(request), person=load_person_named(request, name))
    return Status(204, None)


class Active(bodies.Body):
    active: StrictBool


@router.put("/users/{name}/active", summary="Shut out or let in", url_name="user-active", response=PersonOut)
def set_active(request: HttpRequest, name: Path[str], body: Active) -> dict[str, object]:
    """Whoever is shut out is out at once: sessions end, and API tokens for good."""
    person = load_person_named(request, name)
    people.set_active(actor=signed_in(request), person=person, is_active=body.active)
    return _people_out([person])[0]


class SignInLinkOut(Schema):
    """Opens Parley as this person, once. It is in this answer and nowhere else."""

    sign_in_link: str
    expires_at: float


@router.post(
    "/users/{name}/sign-in-links", summary="Make a sign-in link", url_name="user-links", response={201: SignInLinkOut}
)
def make_link(request: HttpRequest, name: Path[str]) -> Status[dict[str, object]]:
    """Nobody makes one for somebody who may more than they do."""
    person = load_person_named(request, name)
    secret = sign_in.make_link(actor=signed_in(request), person=person)
    ends = (timezone.now() + sign_in.LINK_LIFE).timestamp()
    return Status(201, {"sign_in_link": _link(secret), "expires_at": ends})


def _link(secret: str) -> str:
    return f"{settings.PUBLIC_URL}{reverse('access:sign-in-link', args=[secret])}"


# --- Roles everywhere -------------------------------------------------------------------------------------------------


class RoleRef(Schema):
    role: str


@router.get("/users/{name}/roles", summary="Roles held everywhere", url_name="user-roles", response=list[RoleOut])
def user_roles(request: HttpRequest, name: Path[str]) -> list[dict[str, object]]:
    """By the person themselves; for roles of groups and in single places see `grants` of the person."""
    return [role_out(role) for role in _everywhere(load_person_named(request, name))]


@router.put(
    "/users/{name}/roles", summary="Set the roles held everywhere", url_name="user-roles", response=list[RoleOut]
)
def set_user_roles(request: HttpRequest, name: Path[str], body: Body[list[str | RoleRef]]) -> list[dict[str, object]]:
    """A list of names, or of roles as GET gives them. Roles in single places and of groups stay as they are.

    Refused where a role comes from single sign-on and is not in the list, and for the last admin.
    """
    person = load_person_named(request, name)
    wanted = named_roles([one if isinstance(one, str) else one.role for one in body])
    grants.set_roles(actor=signed_in(request), person=person, roles=wanted)
    return [role_out(role) for role in _everywhere(person)]


def _everywhere(person: User) -> QuerySet[Role]:
    held = Grant.objects.filter(user=person, assistant_id=None)
    return Role.objects.filter(pk__in=held.order_by().values("role")).order_by("name")


# --- Shapes -----------------------------------------------------------------------------------------------------------


def _people_out(rows: Iterable[User]) -> list[dict[str, object]]:
    found = list(rows)
    prefetch_related_objects(found, "identities")
    held, places = grants_of(found, Grant.objects.select_related("user")), by_scope()
    return [
        {
            "username": person.username,
            "name": person.name,
            "email": person.email,
            "kind": person.kind,
            "state": _state(person),
            "groups": person.groups,
            "identities": [_identity(one) for one in person.identities.all()],
            "roles": sorted({row.role.name for row in held[person.pk]}),
            "grants": grants_out(held[person.pk], places),
            "created_at": person.created_at.timestamp(),
            "last_seen_at": epoch(person.last_seen_at or person.last_login),
        }
        for person in found
    ]


def _identity(row: Identity) -> dict[str, str | None]:
    return {"issuer": row.issuer, "subject": row.subject, "admin_page": admin_page(row) or None}


def _state(person: User) -> str:
    if not person.is_active:
        return "out"
    if person.kind == User.Kind.SERVICE:
        return "service"
    return "expected" if person.awaits_identity else "active"
