"""Where events come from, how far they were taken, and what could not be taken."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from conversations.querysets import DeadLetterQuerySet, DeadLetterRunQuerySet
from environments.models import Environment
from models_app.models import Assistant
from studio.fields import EncryptedField

PERSON = settings.AUTH_USER_MODEL


class IntakeSource(models.Model):
    """One place that events are taken from: an environment's table, or topics of a Kafka cluster.

    People write the wishes; the facts below them are the ingest process's. `assistant` is whose events these are; one
    of `other_assistants` is chosen where an event's `metadata.assistant_id` is that of its models.
    """

    class Kind(models.TextChoices):
        SQL = "sql", "SQL"
        KAFKA = "kafka", "Kafka"
        HISTORY = "history", "History"  # what an import or a repair brought

    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=120)
    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="intake_sources")
    other_assistants = models.ManyToManyField(Assistant, related_name="+", blank=True)
    # SQL: whose table it is. Kafka: where events belong that name no environment.
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, null=True, related_name="intake_sources")
    settings = models.JSONField(default=dict)  # of Kafka: what conversations.ingest.kafka_settings reads
    secrets_encrypted = EncryptedField(default=bytes)  # JSON of its passwords and private key
    settings_version = models.PositiveIntegerField(default=0)  # grows with each change, so that processes connect anew
    is_on = models.BooleanField(default=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    events_total = models.PositiveBigIntegerField(default=0)  # stored as new
    known_total = models.PositiveBigIntegerField(default=0)  # came, and were stored before
    erased_total = models.PositiveBigIntegerField(default=0)  # came, and were of somebody erased
    last_event_at = models.DateTimeField(null=True)  # when one was last stored
    newest_event_at = models.FloatField(null=True)  # Rasa's time of the newest one stored, seconds since 1970
    last_error = models.TextField(blank=True)
    alarm = models.TextField(blank=True)  # why nothing is taken until a person says so
    accepts_invalid = models.BooleanField(default=False)  # a person said: they may become dead letters
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=Q(kind="sql", removed_at=None), name="intake_source_of_table"
            ),
            models.CheckConstraint(
                condition=~Q(kind="sql") | Q(environment__isnull=False), name="intake_source_has_table"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def bound(self) -> QuerySet[Assistant]:
        """The assistants that its events may be of."""
        others = self.other_assistants.values("pk")
        return Assistant.objects.filter(Q(pk=self.assistant_id) | Q(pk__in=others))


class IntakeStream(models.Model):
    """The events that one source brings under one name of an environment."""

    source = models.ForeignKey(IntakeSource, on_delete=models.CASCADE, related_name="streams")
    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    environment_name = models.CharField(max_length=255)  # as Rasa says it
    adopted_by = models.ForeignKey(Environment, on_delete=models.SET_NULL, null=True, related_name="+")
    moved = models.PositiveBigIntegerField(default=0, db_default=0)  # conversations that came before the adoption
    records_total = models.PositiveBigIntegerField(default=0)  # those that were known already too
    newest_event_at = models.FloatField()
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField()  # when a record last came

    class Meta:
        ordering = ["environment_name"]
        constraints = [
            models.UniqueConstraint(fields=["source", "assistant", "environment_name"], name="intake_stream_unique")
        ]

    def __str__(self) -> str:
        return self.environment_name


class IntakePosition(models.Model):
    """How far one partition was taken. Moved by compare-and-set in the transaction that stores what came before it."""

    source = models.ForeignKey(IntakeSource, on_delete=models.CASCADE, related_name="positions")
    topic = models.CharField(max_length=249)
    partition = models.PositiveIntegerField()
    topic_id = models.UUIDField(null=True)  # Kafka's own: another topic of the same name has another one
    next_offset = models.BigIntegerField()
    end_offset = models.BigIntegerField(default=0)  # of the partition, when it was last looked at
    moved_at = models.DateTimeField(null=True)
    event_at = models.FloatField(null=True)  # Rasa's time of the newest event taken from it, seconds since 1970

    class Meta:
        ordering = ["topic", "partition"]
        constraints = [models.UniqueConstraint(fields=["source", "topic", "partition"], name="intake_position_unique")]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} at {self.next_offset}"

    @property
    def lag(self) -> int:
        return max(0, self.end_offset - self.next_offset)


class IntakeIncident(models.Model):
    """Records that could not be taken: offsets from `first_offset` up to, without, `end_offset`."""

    class Kind(models.TextChoices):
        OVERTAKEN = "overtaken", "Deleted before they were taken"
        RECREATED = "recreated", "The topic was made anew"
        UNPARSED = "unparsed", "Damaged, kept as a dead letter"

    source = models.ForeignKey(IntakeSource, on_delete=models.CASCADE, related_name="incidents")
    kind = models.CharField(max_length=16, choices=Kind)
    topic = models.CharField(max_length=249)
    partition = models.PositiveIntegerField()
    first_offset = models.BigIntegerField()
    end_offset = models.BigIntegerField()
    # Rasa's times between which events are missing: since the newest that was taken of the partition. Unknown is all.
    since = models.FloatField(null=True)
    until = models.FloatField(null=True)
    found_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.TextField(blank=True)  # what was done about it

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.topic}/{self.partition}, {self.count}"

    @property
    def count(self) -> int:
        return self.end_offset - self.first_offset


class DeadLetter(models.Model):
    """A record that can never be decoded or stored, kept whole with the reason."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        STORED = "stored", "Stored after all"
        KNOWN = "known", "Was stored already"
        DISCARDED = "discarded", "Discarded"

    source = models.ForeignKey(IntakeSource, on_delete=models.CASCADE, related_name="dead_letters")
    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    environment = models.ForeignKey(Environment, on_delete=models.SET_NULL, null=True, related_name="dead_letters")
    environment_name = models.CharField(max_length=255, blank=True)
    fault = models.CharField(max_length=40)  # kind of fault, as studio names it: see conversations.ingest.faults
    place = models.CharField(max_length=120, blank=True)  # the field it is in
    reason = models.TextField()  # in words
    record = models.BinaryField()  # as it came
    edited = models.BinaryField(null=True)  # as a person changed it
    # Of everybody whom `record` or `edited` names: keyed hashes in hexadecimal, by which erasing finds it.
    sender_keys = ArrayField(models.CharField(max_length=64), default=list)
    topic = models.CharField(max_length=249, blank=True)
    partition = models.PositiveIntegerField(null=True)
    offset = models.BigIntegerField(null=True)
    headers = models.JSONField(default=list)  # of Kafka: [name, value] in their order, bytes as Latin-1
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.TextField(blank=True)  # why it was discarded

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["assistant", "fault", "place", "-id"], condition=Q(state="waiting"), name="dead_waiting"
            ),
            # What conversations.causes walks: from one kind of letter to the next, and to the ends of each.
            models.Index(
                "assistant", "state", "fault", "place", "source", Coalesce("environment", 0), "id", name="dead_by_kind"
            ),
            # Those of no environment, which move once somebody adopts their name; and the handled ones by their age.
            models.Index(
                fields=["assistant", "environment_name", "id"], condition=Q(environment=None), name="dead_homeless"
            ),
            models.Index(fields=["ended_at"], condition=~Q(state="waiting"), name="dead_handled"),
            GinIndex(fields=["sender_keys"], name="dead_by_sender"),
            BrinIndex(fields=["at"], name="dead_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.fault} {self.place}".rstrip()


class DeadLetterRun(models.Model):
    """A person's wish for all letters of one cause that waited when it was made: to try them again, or discard them.

    The row is the truth; a job of the background queue carries it out in steps, each of which adds to the counts.
    """

    class Act(models.TextChoices):
        RETRY = "retry", "Trying again"
        DISCARD = "discard", "Discarding"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    OPEN = (State.WAITING, State.RUNNING)

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    source = models.ForeignKey(IntakeSource, on_delete=models.CASCADE, null=True, related_name="+")  # None: of all
    act = models.CharField(max_length=8, choices=Act)
    fault = models.CharField(max_length=40)
    place = models.CharField(max_length=120, blank=True)
    reason = models.TextField(blank=True)
    up_to = models.BigIntegerField()  # the newest letter that it is about
    reached = models.BigIntegerField(default=0)  # the letter that it came to; older ones are handled first
    total = models.PositiveIntegerField()
    stored = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0)  # they go on waiting
    discarded = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    requested_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    limit = models.JSONField(default=dict, db_default={})  # of the token that it was asked for with
    requested_at = models.DateTimeField(auto_now_add=True)
    beat_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects = DeadLetterRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["assistant", "fault", "place", "requested_by"],
                condition=Q(state__in=["waiting", "running"]),
                name="dead_run_one_each",
            )
        ]
        indexes = [
            models.Index(fields=["assistant", "fault", "place", "-id"], name="dead_run_of_cause"),
        ]

    def __str__(self) -> str:
        return f"{self.fault} {self.place}".rstrip()

    @property
    def handled(self) -> int:
        return self.stored + self.known + self.unreadable + self.discarded

    @property
    def percent(self) -> int:
        return min(100, 100 * self.handled // self.total) if self.total else 100

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN
