"""The only writer of grants given here by hand: a role for a person or for a group of the single sign-on, somewhere."""

from django.conf import settings
from django.db import transaction

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


def why_grant_stays(grant: Grant) -> str:
    """Why a grant cannot be taken away here; empty when it can."""
    if grant.source == Grant.Source.SINGLE_SIGN_ON:
        name = settings.OIDC_NAME
        return f"This role comes from {name}, and would come back at the next sign-in. Take it away there."
    return ""


def _words(row: Grant) -> dict[str, str]:
    words = {"role": row.role.name, "where": row.scope_label or "everywhere"}
    return {**words, "group": row.group} if row.group else words
