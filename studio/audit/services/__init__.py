"""Writing the audit log."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import models, transaction
from structlog.contextvars import get_contextvars

from studio.audit.actions import Action
from studio.audit.models import AuditEvent

if TYPE_CHECKING:
    from studio.access.models import User

SYSTEM = "Parley"


def record(
    actor: "User | None",
    action: Action,
    target: models.Model | None = None,
    *,
    assistant_id: int | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
    actor_label: str = "",
) -> AuditEvent:
    """Write one event in the caller's transaction, so that a change and its record stand or fall together.

    `actor` None means Parley itself, or whoever `actor_label` names (a guest, a command, a server).
    Secrets never belong in `before` and `after`.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("audit.record belongs inside the transaction of the change it records")
    context = get_contextvars()
    return AuditEvent.objects.create(
        actor=actor,
        actor_label=(actor_label or (actor.username if actor else SYSTEM))[:200],
        action=action,
        assistant_id=assistant_id,
        target_kind=target._meta.model_name or "" if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_label=str(target)[:300] if target is not None else "",
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        reason=reason,
        request_id=str(context.get("request_id", ""))[:64],
        address=context.get("address"),
    )
