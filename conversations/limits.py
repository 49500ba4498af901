"""The limit of an API token on work that goes on in the background, where the token itself is not there any more.

The row of a run keeps it as `limit`: `permissions` and, where it has any, `assistant` and `environment`; {} is none.
"""

from typing import Any

from django.db.models import Q

from studio.access.models import User
from studio.access.permissions import Limit, Scope

Kept = dict[str, Any]


def kept(person: User) -> Kept:
    """What this request is limited to."""
    limit = person.limit
    if limit is None:
        return {}
    scope = {"assistant": limit.scope.assistant_id, "environment": limit.scope.environment_id}
    return {"permissions": sorted(limit.permissions), **{name: pk for name, pk in scope.items() if pk is not None}}


def limited(person: User, limit: Kept) -> User:
    """`person` as they may act in a run that keeps `limit`."""
    if limit:
        scope = Scope(limit.get("assistant"), limit.get("environment"))
        person.limit = Limit(frozenset(limit["permissions"]), scope)
        vars(person).pop("granted", None)
    return person


def own(person: User) -> Q:
    """Condition on runs: those that the person asked for, with no more than this request is limited to."""
    asked = Q(requested_by=person)
    if person.limit is None:
        return asked
    given = kept(person)
    scope = {f"limit__{name}": given[name] for name in ("assistant", "environment") if name in given}
    return asked & Q(limit__permissions__contained_by=given["permissions"], **scope)
