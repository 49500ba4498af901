"""What was taken away for good, what keeps it away, and the wishes to do so."""

from datetime import UTC, datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from conversations.querysets import ErasureRunQuerySet
from environments.models import Environment
from models_app.models import Assistant

PERSON = settings.AUTH_USER_MODEL


class Tombstone(models.Model):
    """Somebody of whom everything was erased: known by the keyed hash alone, which nothing leads back from.

    What they said up to `up_to` is refused for ever, however often it is sent again; what they say later is welcome.
    """

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+", db_index=False)
    sender_key = models.BinaryField(max_length=32)
    up_to = models.FloatField()  # Rasa's time, seconds since 1970; infinite for an id that nobody comes back under
    erased_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assistant", "sender_key"], name="tombstone_once")]

    def __str__(self) -> str:
        return bytes(self.sender_key).hex()[:16]


class RetentionRule(models.Model):
    """How long conversations are kept. An environment's own rule, on or off, goes before the assistant's."""

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="retention_rules")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, null=True, related_name="retention_rules")
    days = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(36_500)])
    is_on = models.BooleanField(default=False)
    last_run_at = models.DateTimeField(null=True)  # by night, whether or not there was anything to delete
    changed_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["environment__name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["assistant", "environment"], nulls_distinct=False, name="retention_rule_of_place"
            )
        ]

    def __str__(self) -> str:
        return f"{self.place}: {self.days} days"

    @property
    def place(self) -> str:
        return self.environment.name if self.environment else "Everywhere"


class ErasureRun(models.Model):
    """The wish to erase what a filter or a rule chooses. It is counted first, and erased once somebody confirmed it.

    The row is the truth: a run goes on where it was, whichever process takes it up. `attempt` grows with each that
    does, so that one believed dead cannot write any more.
    """

    class State(models.TextChoices):
        COUNTING = "counting", "Being counted"
        COUNTED = "counted", "To be confirmed"
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Deleting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        STOPPED = "stopped", "Stopped"

    UNDER_WAY = (State.COUNTING, State.WAITING, State.RUNNING)
    OPEN = (*UNDER_WAY, State.COUNTED)

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    rule = models.ForeignKey(RetentionRule, on_delete=models.SET_NULL, null=True, related_name="runs")
    environment = models.ForeignKey(Environment, on_delete=models.SET_NULL, null=True, related_name="+")  # the rule's
    before = models.FloatField(null=True)  # of a rule: nothing was said since; seconds since 1970
    days = models.PositiveIntegerField(null=True)  # which the rule asked for
    query = models.TextField(blank=True)  # of a filter, as the address of the list has it
    sender = models.CharField(max_length=64, blank=True)  # of one conversation: its keyed hash
    is_nightly = models.BooleanField(default=False)

    state = models.CharField(max_length=8, choices=State, default=State.COUNTING)
    message = models.TextField(blank=True)  # why it failed or was stopped
    total = models.PositiveIntegerField(default=0)  # conversations, as they were counted
    events_total = models.PositiveBigIntegerField(default=0)
    letters_total = models.PositiveIntegerField(default=0)  # of a rule: records that could not be read, as old
    seen = models.PositiveIntegerField(default=0)  # conversations whose turn came
    conversations = models.PositiveIntegerField(default=0)  # of these, erased; others were gone, or matched no more
    events = models.PositiveBigIntegerField(default=0)
    letters = models.PositiveIntegerField(default=0)
    is_paused = models.BooleanField(default=False)  # until ingestion has caught up

    attempt = models.PositiveIntegerField(default=0)
    is_held = models.BooleanField(default=False)  # a process works on it, as long as the heartbeat is fresh
    heartbeat_at = models.DateTimeField(auto_now_add=True)
    requested_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by_label = models.CharField(max_length=200)
    limit = models.JSONField(default=dict, db_default={})  # of the token that it was asked for with
    requested_at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = ErasureRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["assistant", "-id"]),
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(state__in=["counting", "waiting", "running"]),
                name="erasure_under_way",
            ),
        ]

    def __str__(self) -> str:
        return f"deletion {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def is_under_way(self) -> bool:
        return self.state in self.UNDER_WAY

    @property
    def percent(self) -> int:
        return min(100, 100 * self.seen // self.total) if self.total else 100

    @property
    def before_at(self) -> datetime | None:
        return None if self.before is None else datetime.fromtimestamp(self.before, UTC)


class ErasurePart(models.Model):
    """Some of the conversations of a run, as it counted them; gone once their turn came."""

    run = models.ForeignKey(ErasureRun, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    ids = ArrayField(models.BigIntegerField())

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="erasure_part_once")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"
