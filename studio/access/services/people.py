"""The only writer of people, roles and grants."""

from collections.abc import Iterable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from studio.access.models import Grant, Role, User
from studio.access.permissions import DEFAULT_ROLES, EVERYWHERE, Permission, Scope
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid


def ensure_default_roles() -> None:
    """Make the roles every installation begins with; existing ones stay as people shaped them, admin is kept whole."""
    for name, description, permissions in DEFAULT_ROLES:
        Role.objects.get_or_create(
            name=name,
            defaults={"description": description, "permissions": sorted(permissions), "is_builtin": True},
        )
    Role.objects.filter(name="admin").update(permissions=sorted(Permission))


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
def change_password(*, actor: User, person: User, password: str) -> None:
    """Set a new password and end every other session of that person."""
    _set_password(person, password)
    person.session_epoch += 1
    person.save(update_fields=["password", "session_epoch"])
    record(actor, Action.PASSWORD_CHANGED, person)


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
    person.is_active = is_active
    person.session_epoch += 1
    person.save(update_fields=["is_active", "session_epoch"])
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
    gone = [row.pk for row in without]
    remaining = (
        Grant.objects.select_for_update()
        .filter(
            role__permissions__contains=[Permission.PEOPLE_MODIFY],
            assistant_id=None,
            user__is_active=True,
        )
        .exclude(pk__in=gone)
    )
    if gone and not remaining.exists():
        raise Conflict("This is the last person who may manage people. Give somebody else the admin role first.")


@transaction.atomic
def save_role(
    *, actor: User, role: Role | None, name: str, description: str, permissions: Iterable[str], is_default: bool = False
) -> Role:
    """Create or change a role. The admin role always holds every permission."""
    wanted = sorted({Permission(value) for value in permissions})
    before = None
    if role is None:
        if Role.objects.filter(name=name).exists():
            raise Conflict(f"There is already a role called {name}.")
        role = Role(name=name)
    else:
        before = {"name": role.name, "permissions": role.permissions}
        if role.name == "admin" and (name != "admin" or set(wanted) != set(Permission)):
            raise Invalid("The admin role keeps its name and every permission.")
    role.name, role.description, role.permissions, role.is_default = name, description, wanted, is_default
    role.save()
    action = Action.ROLE_CHANGED if before else Action.ROLE_CREATED
    record(actor, action, role, before=before, after={"name": name, "permissions": wanted})
    return role


@transaction.atomic
def delete_role(*, actor: User, role: Role) -> None:
    """Delete a role that nobody has; the roles of every installation stay."""
    if role.is_builtin:
        raise Invalid(f"{role.name} is one of the roles every installation keeps.")
    if role.grants.exists():
        raise Conflict(f"{role.grants.count()} people have this role. Take it from them first.")
    record(actor, Action.ROLE_DELETED, role, before={"permissions": role.permissions})
    role.delete()
