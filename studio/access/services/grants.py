"""The only writer of grants given here by hand: a role for a person or for a group of the single sign-on, somewhere."""

from collections.abc import Collection

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from studio.access.models import Grant, Role, User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.rights import refuse_beyond
from studio.access.services.last_admin import keeping_an_admin
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict


@transaction.atomic
def grant(*, actor: User | None, person: User, role: Role, scope: Scope = EVERYWHERE, scope_label: str = "") -> Grant:
    """Give a person a role; giving it twice is one grant. Nobody gives what they do not have there."""
    return _give(actor, role, scope, scope_label, person=person)


@transaction.atomic
def grant_to_group(
    *, actor: User | None, group: str, role: Role, scope: Scope = EVERYWHERE, scope_label: str = ""
) -> Grant:
    """Give a role to whoever the single sign-on says is in `group`, now and later."""
    return _give(actor, role, scope, scope_label, group=group)


def _give(
    actor: User | None, role: Role, scope: Scope, label: str, *, person: User | None = None, group: str = ""
) -> Grant:
    refuse_beyond(actor, role.permissions, scope, what=f"You cannot give the role {role}")
    row, made = Grant.objects.get_or_create(
        user=person,
        group=group,
        role=role,
        source=Grant.Source.HAND,
        assistant_id=scope.assistant_id,
        environment_id=scope.environment_id,
        defaults={"scope_label": label, "created_by": actor},
    )
    if made:
        record(actor, Action.ROLE_GRANTED, person or row, assistant_id=scope.assistant_id, after=_words(row))
    return row


@transaction.atomic
def revoke(*, actor: User | None, grant: Grant) -> None:
    """Take a role away; the last person who may manage people keeps it."""
    reason = why_grant_stays(grant)
    if reason:
        raise Conflict(reason)
    person, words, target = grant.user, _words(grant), grant.user or grant
    with keeping_an_admin():
        record(actor, Action.ROLE_REVOKED, target, assistant_id=grant.assistant_id, before=words)
        grant.delete()
    if person is not None:
        person.__dict__.pop("granted", None)


@transaction.atomic
def set_roles(*, actor: User | None, person: User, roles: Collection[Role]) -> None:
    """Make `roles` those that a person holds everywhere. What they hold in some place or by a group stays."""
    _replace(actor, Grant.objects.filter(user=person), [(person, role) for role in roles])


@transaction.atomic
def set_holders(*, actor: User | None, role: Role, people: Collection[User]) -> None:
    """Make `people` those who hold a role everywhere. Who holds it in some place or by a group keeps it there."""
    _replace(actor, Grant.objects.filter(role=role, user__isnull=False), [(person, role) for person in people])


def _replace(actor: User | None, among: QuerySet[Grant], wanted: Collection[tuple[User, Role]]) -> None:
    """Give before taking, so that whoever hands the admin role over is never the last without it."""
    held = list(among.filter(assistant_id=None).select_related("user", "role"))
    before = {(row.user_id, row.role_id) for row in held}
    for person, role in wanted:
        if (person.pk, role.pk) not in before:
            grant(actor=actor, person=person, role=role)
    kept = {(person.pk, role.pk) for person, role in wanted}
    for row in held:
        if (row.user_id, row.role_id) not in kept:
            revoke(actor=actor, grant=row)


def why_grant_stays(grant: Grant) -> str:
    """Why a grant cannot be taken away here; empty when it can."""
    if grant.source == Grant.Source.SINGLE_SIGN_ON:
        name = settings.OIDC_NAME
        return f"This role comes from {name}, and would come back at the next sign-in. Take it away there."
    return ""


def _words(row: Grant) -> dict[str, str]:
    words = {"role": row.role.name, "where": row.scope_label or "everywhere"}
    return {**words, "group": row.group} if row.group else words
