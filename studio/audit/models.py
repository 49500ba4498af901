"""Who changed what, when, why: one append-only row for every change of state."""

from django.conf import settings
from django.db import models

from studio.audit.querysets import AuditEventQuerySet


class AuditEvent(models.Model):
    """Labels are copied so that history outlives what it speaks of. Rows are never changed (a trigger refuses it)."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, db_constraint=False)
    actor_label = models.CharField(max_length=200)
    action = models.CharField(max_length=63)
    assistant_id = models.BigIntegerField(null=True)
    target_kind = models.CharField(max_length=63, blank=True)
    target_id = models.CharField(max_length=200, blank=True)
    target_label = models.CharField(max_length=300, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.GenericIPAddressField(null=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["action", "-id"]),
            models.Index(fields=["actor_label", "-id"]),
            models.Index(fields=["assistant_id", "-id"]),
            models.Index(fields=["target_kind", "target_id", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.actor_label} {self.action} {self.target_label}"
