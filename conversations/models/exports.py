"""Files of conversations that are made in the background."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from conversations.querysets import ExportRunQuerySet
from models_app.models import Assistant

PERSON = settings.AUTH_USER_MODEL


class ExportRun(models.Model):
    """A person's wish for a file of what a filter shows. The row is the truth; `attempt` grows with each process that
    takes it up, which begins the file anew, so that one believed dead cannot write any more."""

    class Format(models.TextChoices):
        JSONL = "jsonl", "JSON lines, one conversation each"
        MESSAGES = "messages", "CSV, one row for each message"
        CONVERSATIONS = "conversations", "CSV, one row for each conversation"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Being written"
        DONE = "done", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        EXPIRED = "expired", "Deleted"

    OPEN = (State.WAITING, State.RUNNING)

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    query = models.TextField(blank=True)  # of the filter, as the address of the list has it
    format = models.CharField(max_length=16, choices=Format)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    message = models.TextField(blank=True)  # why there is no file
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)  # of the file, by which the store has it
    size = models.PositiveBigIntegerField(default=0)  # bytes
    expires_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    is_held = models.BooleanField(default=False)  # a process works on it, as long as the heartbeat is fresh
    heartbeat_at = models.DateTimeField(auto_now_add=True)
    requested_by = models.ForeignKey(PERSON, on_delete=models.CASCADE, related_name="+")
    limit = models.JSONField(default=dict, db_default={})  # of the token that it was asked for with
    requested_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects = ExportRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["requested_by", "assistant", "-id"]),
            models.Index(
                fields=["state"], condition=Q(state__in=["waiting", "running", "done"]), name="export_with_content"
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done // self.total) if self.total else 0


class ExportPart(models.Model):
    """Some of the conversations of a file, in its order: what is in it, should one of them be erased."""

    run = models.ForeignKey(ExportRun, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    ids = ArrayField(models.BigIntegerField())

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="export_part_once")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"
