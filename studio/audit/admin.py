"""The table of this app on the operators' pages."""

from studio.audit.models import AuditEvent
from studio.operators.site import show

show(
    AuditEvent,
    ("pk", "at", "actor_label", "action", "target_label", "assistant_id", "address"),
    ("=pk", "=actor_label", "=action", "=request_id"),
)
