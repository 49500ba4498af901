"""The only writer of roles."""

from collections.abc import Iterable

from django.db import transaction

from studio.access.models import Role, User
from studio.access.permissions import DEFAULT_ROLES, Permission
from studio.access.ready_made import ReadyMade
from studio.access.rights import refuse_beyond
from studio.access.services.last_admin import ADMIN, keeping_an_admin
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
    Role.objects.filter(name=ADMIN).update(permissions=sorted(Permission))


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
    """Create or change a role. The admin role always holds every permission; at most one role is the default.

    A role counts wherever it is given, so whoever shapes it holds everything that is in it, before and after.
    """
    wanted = sorted({Permission(value) for value in permissions})
    before = None if role is None else {"name": role.name, "permissions": role.permissions}
    refuse_beyond(actor, {*wanted, *(role.permissions if role else ())}, what="You cannot shape this role")
    if role is None:
        role = Role(name=name)
    else:
        _refuse_bad_change(role, name, wanted)
    if Role.objects.filter(name=name).exclude(pk=role.pk).exists():
        raise Conflict(f"There is already a role called {name}.")
    with keeping_an_admin():
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


def add_ready_made(*, actor: User | None, offer: ReadyMade) -> Role:
    """Make a role of the offer; Conflict when there is one of its name."""
    return save_role(
        actor=actor, role=None, name=offer.name, description=offer.description, permissions=offer.permissions
    )


def why_role_stays(role: Role) -> str:
    """Why a role cannot be deleted; empty when it can."""
    if role.is_builtin:
        return f"{role.name} is one of the roles every installation keeps."
    people = role.grants.exclude(user=None).values("user").distinct().count()
    groups = role.grants.exclude(group="").values("group").distinct().count()
    holding = [_counted(people, "person", "people"), _counted(groups, "group", "groups")]
    if people or groups:
        have = "has" if people + groups == 1 else "have"
        return f"{' and '.join(filter(None, holding))} {have} this role. Take it from them first."
    return ""


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""


@transaction.atomic
def delete_role(*, actor: User, role: Role) -> None:
    """Delete a role that nobody has; the roles of every installation stay."""
    list(Role.objects.select_for_update().filter(pk=role.pk))  # nobody gets it while it goes
    reason = why_role_stays(role)
    if reason:
        raise Conflict(reason)
    record(actor, Action.ROLE_DELETED, role, before={"permissions": role.permissions})
    role.delete()
