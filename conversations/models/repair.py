"""How complete an environment's events are, and what was brought in afterwards."""

from datetime import UTC, datetime

from django.conf import settings
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import Q

from conversations.models.conversations import Conversation
from conversations.models.intake import IntakeIncident
from environments.models import Environment

PERSON = settings.AUTH_USER_MODEL


class CompletenessRun(models.Model):
    """One comparison of our events with what the environment's Rasa server remembers; a repair also stores what misses.

    The row is the truth: a run goes on where it was, whichever process takes it up. `attempt` grows with each that
    does, so that one believed dead cannot write any more.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        STOPPED = "stopped", "Stopped"

    class Phase(models.TextChoices):
        OURS = "ours"  # conversations that we have
        THEIRS = "theirs"  # those that the server has beside them
        FOUND = "found"  # those in which another run found something missing

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="completeness_runs")
    repairs = models.BooleanField(default=False)
    is_nightly = models.BooleanField(default=False)
    incident = models.ForeignKey(IntakeIncident, on_delete=models.SET_NULL, null=True, related_name="repairs")
    of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="repaired_by")
    since = models.FloatField(null=True)  # Rasa's times; null is the beginning
    until = models.FloatField()
    sample = models.PositiveIntegerField(null=True)  # as many conversations; null is all
    requested_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by_label = models.CharField(max_length=200)
    requested_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    message = models.TextField(blank=True)  # why it failed
    attempt = models.PositiveIntegerField(default=0)
    is_held = models.BooleanField(default=False)  # a process works on it, as long as the heartbeat is fresh
    heartbeat_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    phase = models.CharField(max_length=8, choices=Phase, default=Phase.OURS)
    plan = models.JSONField(null=True)  # keys of the conversations of a sample
    fraction = models.FloatField(default=1.0)  # of the period's conversations that the sample is
    cursor = models.TextField(blank=True)  # of the phase: what was handled last
    lists_senders = models.BooleanField(null=True)  # whether the server's conversations can be listed

    conversations_total = models.PositiveIntegerField(default=0)  # to be compared, as far as known
    conversations_compared = models.PositiveIntegerField(default=0)
    conversations_unknown = models.PositiveIntegerField(default=0)  # on the server, and nothing of them here
    conversations_unasked = models.PositiveIntegerField(default=0)  # the server has no answer for them
    events_there = models.PositiveBigIntegerField(default=0)  # of the period, on the server
    events_missing = models.PositiveBigIntegerField(default=0)  # of these, not here
    events_extra = models.PositiveBigIntegerField(default=0)  # here, and not on the server
    events_added = models.PositiveBigIntegerField(default=0)  # stored by this run
    events_unreadable = models.PositiveBigIntegerField(default=0)
    seconds_waited = models.FloatField(default=0.0)  # for the server's answers

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=Q(state__in=("waiting", "running")), name="completeness_one_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["environment", "-id"])]

    def __str__(self) -> str:
        return f"{'repair' if self.repairs else 'check'} {self.pk} of {self.environment}"

    @property
    def is_ended(self) -> bool:
        return self.state not in (self.State.WAITING, self.State.RUNNING)

    @property
    def share(self) -> float | None:
        """Of the server's events, how many were here when it looked: 0 to 1, None when there were none to compare."""
        return 1 - self.events_missing / self.events_there if self.events_there else None

    @property
    def since_at(self) -> datetime | None:
        return None if self.since is None else datetime.fromtimestamp(self.since, UTC)

    @property
    def until_at(self) -> datetime:
        return datetime.fromtimestamp(self.until, UTC)


class CompletenessFinding(models.Model):
    """A conversation whose events here are not those of the server. Of the events only kinds and times."""

    run = models.ForeignKey(CompletenessRun, on_delete=models.CASCADE, related_name="findings")
    conversation = models.ForeignKey(Conversation, on_delete=models.SET_NULL, null=True, related_name="+")
    sender_id = models.TextField()
    missing = models.PositiveIntegerField(default=0)
    extra = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    fault = models.TextField(blank=True)  # why it could not be compared
    details = models.JSONField(default=dict)  # {"missing": [[time, kind, name], …], "extra": …}, the first of each

    class Meta:
        ordering = ["pk"]
        indexes = [HashIndex(fields=["sender_id"], name="finding_by_sender")]

    def __str__(self) -> str:
        return self.sender_id
