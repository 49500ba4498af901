"""What people hold, where, and why: the rule that nobody gives what they do not have, and what pages explain."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from studio.access.models import Grant, User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.scopes import Place
from studio.errors import Forbidden

NAMED = 3  # permissions that a refusal names; of more it says how many


class Beyond(Forbidden):
    """Somebody tries to give, or to become, more than they are."""

    code = "beyond"


def beyond(actor: User, permissions: Iterable[str], scope: Scope = EVERYWHERE) -> set[Permission]:
    """Those of `permissions` that `actor` does not hold in the whole of `scope`; values of other versions count not."""
    asked = set(permissions)
    return {one for one in Permission if one in asked and not actor.may(one, scope)}


def refuse_beyond(
    actor: User | None, permissions: Iterable[str], scope: Scope = EVERYWHERE, *, what: str = "You cannot give this"
) -> None:
    """Raise Beyond, which names what is missing. Parley itself (None) may everything."""
    missing = beyond(actor, permissions, scope) if actor is not None else set()
    if missing:
        raise Beyond(f"{what}: {_missing(missing)}")


def _missing(missing: set[Permission]) -> str:
    permissions = sorted(missing)
    shown = ", ".join(f"“{one.label}”" for one in permissions[:NAMED])
    more = len(permissions) - NAMED
    return f"you do not hold {shown}{f' and {more} more' if more > 0 else ''} there yourself."


def why_not_become(actor: User | None, person: User) -> str:
    """What `person` holds somewhere and `actor` does not: who signs in as them has it. Empty when there is nothing."""
    if actor is None:
        return ""
    missing = {one for scope, permissions in person.granted for one in beyond(actor, permissions, scope)}
    return _missing(missing) if missing else ""


# --- Why --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One permission of one person in one place: the grants that give it, and those that give it in a part alone."""

    permission: Permission
    by: list[Grant]
    partly_by: list[Grant]


def explain(person: User, scope: Scope) -> dict[Permission, Line]:
    """Every permission with the grants behind it; whoever is shut out holds nothing whatever the grants say."""
    grants = list(Grant.objects.of(person).select_related("created_by")) if person.is_active else []
    return {permission: _line(permission, grants, scope) for permission in Permission}


def _line(permission: Permission, grants: list[Grant], scope: Scope) -> Line:
    giving = [grant for grant in grants if permission in grant.role.permissions]
    whole = [grant for grant in giving if grant.scope.covers(scope)]
    partly = [grant for grant in giving if grant not in whole and scope.covers(grant.scope)]
    return Line(permission, whole, partly)


def covering(scope: Scope) -> QuerySet[Grant]:
    """Grants that count in the whole of `scope`."""
    where = Q(assistant_id=None)
    if scope.assistant_id is not None:
        where |= Q(assistant_id=scope.assistant_id, environment_id=None)
    if scope.environment_id is not None:
        where |= Q(assistant_id=scope.assistant_id, environment_id=scope.environment_id)
    return Grant.objects.filter(where)


def holders(scope: Scope, permission: Permission | None = None) -> QuerySet[User]:
    """Who may do something in the whole of `scope`, or `permission` there."""
    grants = covering(scope)
    grants = (
        grants.filter(role__permissions__contains=[permission]) if permission else grants.exclude(role__permissions=[])
    )
    return User.objects.filter(holding(grants), is_active=True)


def near(person: User, places: Iterable[Place]) -> list[Place]:
    """Those of `places` that a person's own grants are about."""
    held = [scope for scope, _ in person.granted]
    return [place for place in places if any(scope.covers(place.scope) or place.scope.covers(scope) for scope in held)]


def holding(grants: QuerySet[Grant]) -> Q:
    """Condition on users: those to whom `grants` give something, by themselves or by a group."""
    groups = list(grants.exclude(group="").order_by().values_list("group", flat=True).distinct())
    own = Q(pk__in=grants.exclude(user=None).order_by().values("user"))
    return own | Q(groups__overlap=groups) if groups else own


def grants_of(people: Iterable[User], grants: QuerySet[Grant] | None = None) -> dict[int, list[Grant]]:
    """The grants of each person by their id, own and of groups: one query for any number of people."""
    rows = list(people)
    groups = {group for person in rows for group in person.groups}
    among = Grant.objects.all() if grants is None else grants
    found = among.filter(Q(user__in=rows) | Q(group__in=groups)).select_related("role", "created_by")
    by_user: dict[int, list[Grant]] = defaultdict(list)
    by_group: dict[str, list[Grant]] = defaultdict(list)
    for grant in found:
        if grant.user_id is not None:
            by_user[grant.user_id].append(grant)
        else:
            by_group[grant.group].append(grant)
    return {one.pk: by_user[one.pk] + [row for group in one.groups for row in by_group[group]] for one in rows}
