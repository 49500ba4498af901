"""The trainings that make models."""

from django.conf import settings
from django.db import models

from models_app.models.artifacts import Model
from models_app.models.assistants import Assistant
from models_app.models.data import Revision
from models_app.querysets import JobQuerySet

PERSON = settings.AUTH_USER_MODEL


class PackageLock(models.Model):
    """The packages of a Rasa runtime, one `name==version` a line, known by the SHA-256 (hexadecimal) of that text."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    packages = models.TextField()

    def __str__(self) -> str:
        return self.sha256[:12]


class TrainingJob(models.Model):
    """One piece of work for a training worker. This row is the truth, the queue only carries its id.

    Each change of state is compare-and-set with the attempt number.
    """

    class Kind(models.TextChoices):
        TRAINING = "training", "Training"  # of `revision`; makes `model`
        TEST = "test", "Test"  # of the model `tested` with the test stories and NLU data of `revision`
        VALIDATION = "validation", "Validation"  # of `revision`

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        PREPARING = "preparing", "Preparing"
        TRAINING = "training", "Training"
        PACKAGING = "packaging", "Packaging"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Lost"

    class Priority(models.IntegerChoices):
        """Workers take the lowest first; within one, first come first served."""

        PERSON = 1, "asked for by a person"
        AUTOMATION = 2, "automatic"

    ACTIVE = (State.PREPARING, State.TRAINING, State.PACKAGING)
    ENDED = (State.DONE, State.FAILED, State.CANCELLED, State.LOST)

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="jobs")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.TRAINING)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="jobs")
    test_after = models.BooleanField(default=False)  # a training: its model is tested as soon as it is kept
    tested = models.ForeignKey(Model, on_delete=models.CASCADE, null=True, related_name="tests")
    finetune_from = models.ForeignKey(Model, on_delete=models.SET_NULL, null=True, related_name="finetunings")
    epoch_fraction = models.FloatField(null=True)  # of the epochs in the configuration, when it goes on from a model
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.PERSON)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(
        default=0
    )  # grows with every start; an older attempt's result is refused
    max_attempts = models.PositiveSmallIntegerField(default=2)
    rasa_version = models.CharField(max_length=40, blank=True)
    lock = models.ForeignKey(PackageLock, on_delete=models.PROTECT, null=True, related_name="+")
    config_path = models.CharField(max_length=500, blank=True)
    config_digest = models.BinaryField(max_length=32, null=True)  # SHA-256 of that file
    config_core_digest = models.BinaryField(max_length=32, null=True)  # of what must stay when a training goes on
    seeds = models.JSONField(default=list)  # [component, its random_seed or None when its result varies], in order
    peak_memory = models.PositiveBigIntegerField(null=True)  # bytes, of all processes of an attempt together
    step = models.CharField(max_length=200, blank=True)
    step_done = models.PositiveIntegerField(default=0)
    step_total = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True)  # why it ended as it did, for people
    model = models.OneToOneField(Model, on_delete=models.SET_NULL, null=True, related_name="job")
    requested_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by_label = models.CharField(max_length=200)
    requested_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, blank=True)

    objects = JobQuerySet.as_manager()
    wanted: str  # set by JobQuerySet.in_line

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["assistant", "number"], name="job_number_unique")]
        indexes = [
            models.Index(fields=["state", "priority", "id"]),
            models.Index(fields=["assistant", "kind", "state", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def title(self) -> str:
        return f"{self.get_kind_display()} {self.number}"

    @property
    def epoch_percent(self) -> int | None:
        return None if self.epoch_fraction is None else round(self.epoch_fraction * 100)

    @property
    def seeds_vary(self) -> bool:
        """Whether another training of the same may bring another model."""
        return any(seed is None for _component, seed in self.seeds)

    @property
    def is_automatic(self) -> bool:
        return self.priority == self.Priority.AUTOMATION

    @property
    def is_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def status_kind(self) -> str:
        """The kind that the `{% status %}` tag shows this state as."""
        if self.state == self.State.DONE:
            return "running"
        if self.state in (self.State.FAILED, self.State.LOST):
            return "failed"
        return "silent" if self.state == self.State.CANCELLED else "busy"


class TrainingLog(models.Model):
    """A piece of a training's output, in the order it came. Times and sizes are bounded by the writer."""

    job = models.ForeignKey(TrainingJob, on_delete=models.CASCADE, related_name="log")
    attempt = models.PositiveSmallIntegerField()
    text = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["job", "id"])]

    def __str__(self) -> str:
        return f"log of {self.job_id}"


class TrainingSettings(models.Model):
    """How one assistant is trained. What is None or blank here is as the installation's settings say."""

    assistant = models.OneToOneField(
        Assistant, on_delete=models.CASCADE, primary_key=True, related_name="training_settings"
    )
    rasa_version = models.CharField(max_length=40, blank=True)
    validate_first = models.BooleanField(default=True)  # `rasa data validate` before each training
    test_after = models.BooleanField(default=False)  # `rasa test` after each training
    held_out_percent = models.PositiveSmallIntegerField(default=20)  # of the NLU examples, for the test
    minutes = models.PositiveIntegerField(null=True)
    memory_mb = models.PositiveIntegerField(null=True)
    disk_mb = models.PositiveIntegerField(null=True)
    processes = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"training settings of {self.assistant_id}"
