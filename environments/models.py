"""Where models run: environments, the Rasa processes that poll for them, and every move of an environment's tag."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from environments.querysets import EnvironmentQuerySet
from models_app.models import Assistant, Model, Tag, valid_name
from studio.fields import EncryptedField

PERSON = settings.AUTH_USER_MODEL


class Environment(models.Model):
    """A Rasa server plus the tag of the same name, of one assistant.

    `connected`: the team runs the server at `url`. `managed`: our controller runs it. `unset`: neither is decided yet.
    `tried`: no deployment, but where the conversations with the assistant's slots belong; it has no tag.
    Everything named `*_encrypted` is opened with studio.crypto.
    """

    class Kind(models.TextChoices):
        UNSET = "unset", "not set up"
        CONNECTED = "connected", "connected"
        MANAGED = "managed", "managed"
        TRIED = "tried", "tried models"

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="environments")
    name = models.CharField(max_length=63, validators=[valid_name])
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.UNSET)
    url = models.CharField(max_length=500, blank=True)  # of a connected server
    protected = models.BooleanField(default=False)  # only roles with that right may modify it
    tag = models.OneToOneField(Tag, on_delete=models.PROTECT, null=True, related_name="environment")
    generation = models.PositiveBigIntegerField(default=0)  # grows with each promotion, in its transaction
    server_token_encrypted = EncryptedField(default=bytes)  # theirs: what their Rasa's HTTP API asks for
    model_token_encrypted = EncryptedField(default=bytes)  # ours: what a Rasa shows us when it polls
    model_token_digest = models.BinaryField(max_length=32, unique=True)
    private_key_encrypted = EncryptedField(default=bytes)  # signs the tokens of its `rasa` channel
    public_key = models.TextField(blank=True)  # PEM, what the server fetches
    action_server_url = models.CharField(max_length=500, blank=True)
    # Roles and schemas in our PostgreSQL for Rasa's SQL event broker and SQL tracker store; empty = not made.
    database_key = models.CharField(max_length=40, blank=True)
    events_password_encrypted = EncryptedField(default=bytes)
    tracker_password_encrypted = EncryptedField(default=bytes)
    # What its Rasa server said of itself when it was last asked; empty = never.
    server_version = models.CharField(max_length=40, blank=True)
    server_minimum_version = models.CharField(max_length=40, blank=True)  # of the models that it loads
    server_checked_at = models.DateTimeField(null=True)
    pull_speed = models.FloatField(null=True)  # bytes per second of the last large model that a replica took
    pull_speed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = EnvironmentQuerySet.as_manager()

    class Meta:
        ordering = ["-protected", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["assistant", "name"], condition=Q(removed_at=None), name="environment_name_unique"
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=False) | Q(tag__isnull=False) ^ Q(kind="tried"),
                name="environment_has_tag",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EnvironmentAlias(models.Model):
    """A former name of an environment, answered by the model server until no replica asks for it any more."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="aliases")
    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=63)
    last_used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assistant", "name"], name="environment_alias_unique")]

    def __str__(self) -> str:
        return self.name


class ManagedServer(models.Model):
    """The wish of people and the facts of the controller about one managed environment's Rasa process."""

    class State(models.TextChoices):
        STOPPED = "stopped", "Stopped"
        WAITING = "waiting", "Waiting"  # for the Rasa runtime, a model, or the next try after a crash
        STARTING = "starting", "Starting"
        RUNNING = "running", "Running"
        STOPPING = "stopping", "Stopping"

    environment = models.OneToOneField(Environment, on_delete=models.CASCADE, related_name="server")
    wanted = models.BooleanField(default=True)  # Start and Stop set it
    restart_requested_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    message = models.TextField(blank=True)
    host = models.CharField(max_length=255, blank=True, db_default="")  # where it listens, once that is known
    port = models.PositiveIntegerField(null=True)
    token_encrypted = EncryptedField(default=bytes)  # of its HTTP API, random for each start
    handle = models.JSONField(null=True)  # what studio.rasa.process needs to find the process again
    # What it was started with last: a version that we installed or the name of an own interpreter, and its version.
    rasa = models.CharField(max_length=40, blank=True)
    rasa_version = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # deaths in a row; sets the backoff
    last_end = models.TextField(blank=True, db_default="")  # why it last ended, or did not start, by itself
    last_ended_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"server of {self.environment}"

    @property
    def is_silent(self) -> bool:
        """It runs, and has not answered the controller, which asks every ten seconds, for half a minute."""
        if self.state != self.State.RUNNING or self.heartbeat_at is None:
            return False
        return timezone.now() - self.heartbeat_at > timedelta(seconds=30)

    @property
    def ended_by_itself(self) -> bool:
        """Nobody stopped it, and it is not yet started again."""
        return self.state == self.State.WAITING and self.failures > 0


class Slot(models.Model):
    """One Rasa process of the running service, with one model, from the wish to have it until it has ended.

    Each row is one life of a slot. What waits in line is a row too; a worker takes it by counting `attempt` up, and
    whatever an earlier attempt still says is refused.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "In line"
        STARTING = "starting", "Starting"
        RUNNING = "running", "Running"
        STOPPING = "stopping", "Stopping"
        ENDED = "ended", "Ended"
        FAILED = "failed", "Failed"

    HELD = (State.STARTING, State.RUNNING, State.STOPPING)  # by a worker
    USABLE = (State.WAITING, State.STARTING, State.RUNNING)  # answers, or soon will

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="slots")
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="slots")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    step = models.CharField(max_length=200, blank=True)  # what it does while it starts
    message = models.TextField(blank=True)  # why it is as it is, for people
    is_automatic = models.BooleanField(default=False)  # nobody asked for it: a training ended
    replaces = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")  # ends when it runs
    requested_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by_label = models.CharField(max_length=200)
    requested_at = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    deaths = models.PositiveSmallIntegerField(default=0)  # of its process or its worker; after one it is replaced
    worker = models.CharField(max_length=200, blank=True)
    host = models.CharField(max_length=255, blank=True)  # where the web reaches it
    port = models.PositiveIntegerField(null=True)
    token_encrypted = EncryptedField(default=bytes)  # of its HTTP API, random for each start
    log = models.TextField(blank=True)  # the end of what it wrote; can hold what people said, and is soon removed
    log_cuts = models.PositiveIntegerField(default=0, db_default=0)  # how often it was forgotten while it was written
    rasa = models.CharField(max_length=40, blank=True)
    rasa_version = models.CharField(max_length=40, blank=True)
    memory = models.PositiveBigIntegerField(null=True)  # bytes in use now
    peak_memory = models.PositiveBigIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)  # somebody asked for it, or said something
    heartbeat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model"],
                condition=Q(state__in=["waiting", "starting", "running"]),
                name="slot_once_for_each_model",
            )
        ]
        indexes = [models.Index(fields=["state", "is_automatic", "id"])]

    def __str__(self) -> str:
        return f"slot {self.pk} with {self.model}"

    @property
    def is_usable(self) -> bool:
        return self.state in self.USABLE

    @property
    def is_ended(self) -> bool:
        return self.state in (self.State.ENDED, self.State.FAILED)

    @property
    def status_kind(self) -> str:
        """The kind that the `{% status %}` tag shows this state as."""
        if self.state == self.State.RUNNING:
            return "running"
        if self.state == self.State.FAILED:
            return "failed"
        return "silent" if self.state == self.State.ENDED else "busy"


class TryingSettings(models.Model):
    """How an assistant's models are tried. What is None here is as the installation's settings say."""

    assistant = models.OneToOneField(
        Assistant, on_delete=models.CASCADE, primary_key=True, related_name="trying_settings"
    )
    start_after_training = models.BooleanField(default=True)  # the model of a person's training, in a free slot
    idle_minutes = models.PositiveIntegerField(null=True)  # without a word; then its slot is stopped

    def __str__(self) -> str:
        return f"trying settings of {self.assistant_id}"


class Replica(models.Model):
    """One Rasa process that polls for an environment, known by the name it gives itself, else by its address."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="replicas")
    key = models.CharField(max_length=200)
    named = models.BooleanField(default=False)  # only named ones can fail a promotion
    runs_etag = models.CharField(max_length=80, blank=True)  # its If-None-Match without quotes: what it really runs
    model = models.ForeignKey(Model, on_delete=models.SET_NULL, null=True, related_name="+")
    runs_since = models.DateTimeField(null=True)
    rasa_version = models.CharField(max_length=40, blank=True)
    claims = models.CharField(max_length=63, blank=True)  # its RASA_ENVIRONMENT, when its endpoints.yml sends that
    first_seen_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField()
    interval = models.FloatField(null=True)  # seconds between its polls, as seen
    # Its last poll was answered with a model that it did not run: since then it pulls and loads, and may be silent
    # until `busy_until`, which moves as the pull does.
    pulling_since = models.DateTimeField(null=True)
    busy_until = models.DateTimeField(null=True)
    # The model of the current promotion that it took to the last byte, and how often it asked again without running it.
    served_etag = models.CharField(max_length=80, blank=True)
    served_at = models.DateTimeField(null=True)
    polls_since_served = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["environment", "key"], name="replica_unique")]

    def __str__(self) -> str:
        return self.key


class Promotion(models.Model):
    """One move of an environment's tag. Who, what and why never change; its state is that of its last transition."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="promotions")
    number = models.PositiveIntegerField()
    generation = models.PositiveBigIntegerField()
    from_model = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, related_name="+")
    to_model = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, related_name="promotions")
    actor = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    actor_label = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    requested_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["environment", "number"], name="promotion_number_unique")]

    def __str__(self) -> str:
        return f"promotion {self.number} of {self.environment}"


class PromotionTransition(models.Model):
    """A promotion reached a state. Rows are only added, each state at most once."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        SWITCHED = "switched", "Switched"
        FIRST_RUNNING = "first-running", "First replica"
        RUNNING = "running", "Running"
        FAILED = "failed", "Failed"
        SUPERSEDED = "superseded", "Superseded"

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="transitions")
    state = models.CharField(max_length=16, choices=State)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)  # e.g. {"replicas": ["rasa-1"]} of a failure

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["promotion", "state"], name="transition_once")]

    def __str__(self) -> str:
        return f"{self.promotion}: {self.state}"
