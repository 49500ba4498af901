"""The only writer of people, roles and grants."""

from collections.abc import Iterable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from studio.access.models import Grant, Role, User
from studio.access.permissions import DEFAULT_ROLES, EVERYWHERE, Permission, Scope
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

ADMIN = "admin"  # the role that always holds every permission


def ensure_default_roles() -> None:
    """Make the roles every installation begins with; existing ones stay as people shaped them, admin is kept whole."""
    for name, description, permissions in DEFAULT_ROLES:
        Role.objects.get_or_create(
            name=name,
            defaults={"description": description, "permissions": sorted(permissions), "is_builtin": True},
        )
    Role.objects.filter(name=ADMIN).update(permissions=sorted(Permission))


@transaction.atomic
def create_person(*, actor: User | None, username: str, password: str | None, name: str = "", email: str = "") -> User:
    """A new local account; without a password it can only be entered by a one-time link."""
    if User.objects.filter(username__iexact=username).exists():
        raise Conflict(f"There is already a person called {username}.")
    person = User(username=username, name=name, email=email)
    _set_password(person, password)
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError:
        raise Conflict(f"There is already a person called {username}.") from None
    record(actor, Action.PERSON_CREATED, person, after={"username": username, "name": name, "email": email})
    return person


@transaction.atomic
def add_person(
    *, actor: User, username: str, name: str, email: str, role: Role, scope: Scope = EVERYWHERE, scope_label: str = ""
) -> User:
    """A new person with a first role; they come in by a one-time link."""
    person = create_person(actor=actor, username=username, password=None, name=name, email=email)
    grant(actor=actor, person=person, role=role, scope=scope, scope_label=scope_label)
    return person


@transaction.atomic
def change_person(*, actor: User, person: User, name: str, email: str) -> None:
    before = {"name": person.name, "email": person.email}
    person.name, person.email = name, email
    person.save(update_fields=["name", "email"])
    record(actor, Action.PERSON_CHANGED, person, before=before, after={"name": name, "email": email})


@transaction.atomic
def change_password(*, actor: User, person: User, password: str) -> None:
    """Set a new password and end that person's sessions and sign-in links."""
    _set_password(person, password)
    person.save(update_fields=["password"])
    _end_sessions(person)
    record(actor, Action.PASSWORD_CHANGED, person)


def _end_sessions(person: User) -> None:
    """A number read earlier may be old: the database counts."""
    User.objects.filter(pk=person.pk).update(session_epoch=F("session_epoch") + 1)
    person.refresh_from_db(fields=["session_epoch"])
    person.sign_in_links.filter(used_at=None).delete()


def _set_password(person: User, password: str | None) -> None:
    if password is None:
        person.set_unusable_password()
        return
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), code="weak-password") from None
    person.set_password(password)


@transaction.atomic
def set_active(*, actor: User, person: User, is_active: bool) -> None:
    """Let a person in or shut them out at once, their sessions included."""
    if actor.pk == person.pk and not is_active:
        raise Invalid("You cannot shut yourself out.")
    if not is_active:
        _refuse_losing_last_admin(without=Grant.objects.filter(user=person))
    if User.objects.filter(pk=person.pk, is_active=not is_active).update(is_active=is_active) != 1:
        return  # it is so already
    person.is_active = is_active
    _end_sessions(person)
    record(actor, Action.PERSON_CHANGED, person, before={"active": not is_active}, after={"active": is_active})


@transaction.atomic
def grant(*, actor: User | None, person: User, role: Role, scope: Scope = EVERYWHERE, scope_label: str = "") -> Grant:
    """Give a role; giving it twice is one grant."""
    row, made = Grant.objects.get_or_create(
        user=person,
        role=role,
        assistant_id=scope.assistant_id,
        environment_id=scope.environment_id,
        defaults={"scope_label": scope_label, "created_by": actor},
    )
    if made:
        after = {"role": role.name, "where": scope_label or "everywhere"}
        record(actor, Action.ROLE_GRANTED, person, assistant_id=scope.assistant_id, after=after)
    return row


@transaction.atomic
def revoke(*, actor: User, grant: Grant) -> None:
    """Take a role away; the last person who may manage people keeps it."""
    _refuse_losing_last_admin(without=Grant.objects.filter(pk=grant.pk))
    before = {"role": grant.role.name, "where": grant.scope_label or "everywhere"}
    record(actor, Action.ROLE_REVOKED, grant.user, assistant_id=grant.assistant_id, before=before)
    grant.delete()


def _refuse_losing_last_admin(*, without: "Iterable[Grant]") -> None:
    # One at a time: two admins who take each other's role at once would each still see the other's.
    list(Role.objects.select_for_update().filter(name=ADMIN))
    managing = Grant.objects.filter(
        role__permissions__contains=[Permission.PEOPLE_MODIFY], assistant_id=None, user__is_active=True
    )
    gone = {row.pk for row in without}
    held = set(managing.values_list("pk", flat=True))
    if held & gone and not held - gone:
        raise Conflict("This is the last person who may manage people. Give somebody else the admin role first.")


@transaction.atomic
def save_role(
    *,
    actor: User | None,
    role: Role | None,
    name: str,
    description: str,
    permissions: Iterable[str],
    is_default: bool = False,
) -> Role:
    """Create or change a role. The admin role always holds every permission; at most one role is the default."""
    wanted = sorted({Permission(value) for value in permissions})
    before = None
    if role is None:
        role = Role(name=name)
    else:
        before = {"name": role.name, "permissions": role.permissions}
        _refuse_bad_change(role, name, wanted)
    if Role.objects.filter(name=name).exclude(pk=role.pk).exists():
        raise Conflict(f"There is already a role called {name}.")
    if is_default:
        Role.objects.exclude(pk=role.pk).update(is_default=False)
    role.name, role.description, role.permissions, role.is_default = name, description, wanted, is_default
    role.save()
    action = Action.ROLE_CHANGED if before else Action.ROLE_CREATED
    record(actor, action, role, before=before, after={"name": name, "permissions": wanted})
    return role


def _refuse_bad_change(role: Role, name: str, wanted: list[Permission]) -> None:
    if role.name == ADMIN and (name != ADMIN or set(wanted) != set(Permission)):
        raise Invalid("The admin role keeps its name and every permission.")
    if role.is_builtin and name != role.name:
        raise Invalid(f"{role.name} is one of the roles every installation keeps, so its name stays.")
    if Permission.PEOPLE_MODIFY not in wanted:
        _refuse_losing_last_admin(without=Grant.objects.filter(role=role))


def why_role_stays(role: Role) -> str:
    """Why a role cannot be deleted; empty when it can."""
    if role.is_builtin:
        return f"{role.name} is one of the roles every installation keeps."
    people = role.grants.values("user").distinct().count()
    if people:
        return f"{people} {'person has' if people == 1 else 'people have'} this role. Take it from them first."
    return ""


@transaction.atomic
def delete_role(*, actor: User, role: Role) -> None:
    """Delete a role that nobody has; the roles of every installation stay."""
    reason = why_role_stays(role)
    if reason:
        raise Conflict(reason)
    record(actor, Action.ROLE_DELETED, role, before={"permissions": role.permissions})
    role.delete()
