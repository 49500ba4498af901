"""Assistants, their training data, their models, the names (tags) models carry, and the trainings that make them."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from models_app.querysets import AssistantQuerySet, JobQuerySet, ModelQuerySet, TagQuerySet

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"
MODEL_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
RESERVED_MODEL_NAMES = frozenset({"tags", "jobs"})

valid_name = RegexValidator(
    rf"^{NAME_PATTERN}\Z",
    "Use 1 to 63 small letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
)
valid_model_name = RegexValidator(
    rf"^{MODEL_NAME_PATTERN}\Z",
    "Use 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
)
PERSON = settings.AUTH_USER_MODEL


class Assistant(models.Model):
    """One bot: its data, models, environments and conversations. The slug never changes, servers poll it."""

    slug = models.CharField(max_length=63, validators=[valid_name])
    title = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
        ordering = ["title"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], condition=Q(deleted_at=None), name="assistant_slug_unique")
        ]

    def __str__(self) -> str:
        return self.title


class Blob(models.Model):
    """The content of one training data file, kept once however many revisions hold it."""

    sha256 = models.BinaryField(max_length=32, primary_key=True)
    size = models.PositiveIntegerField()
    content = models.BinaryField()

    def __str__(self) -> str:
        return bytes(self.sha256).hex()[:12]


class Revision(models.Model):
    """One immutable snapshot of an assistant's training data. Numbers count up from 1 for each assistant."""

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    digest = models.BinaryField(max_length=32)  # of the sorted paths and contents: equal data, equal digest
    message = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    author_label = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["assistant", "number"], name="revision_number_unique")]

    def __str__(self) -> str:
        return f"revision {self.number}"


class RevisionFile(models.Model):
    """One file of a revision: a relative POSIX path and its content."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=500)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["revision", "path"], name="revision_path_unique")]

    def __str__(self) -> str:
        return self.path


class Artifact(models.Model):
    """The bytes of a model archive in the artifact store, known by their SHA-256 (hexadecimal)."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField()
    stored_at = models.DateTimeField(auto_now_add=True)
    freed_at = models.DateTimeField(null=True)  # the bytes are gone from the store, the row stays for history

    def __str__(self) -> str:
        return self.sha256[:12]


class Model(models.Model):
    """One immutable trained model. Named like its file without `.tar.gz`; unique per assistant while not deleted."""

    class Origin(models.TextChoices):
        UPLOADED = "uploaded", "uploaded"
        TRAINED = "trained", "trained here"
        IMPORTED = "imported", "imported"

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE)
    name = models.CharField(max_length=200, validators=[valid_model_name])
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT)
    size = models.PositiveBigIntegerField()
    origin = models.CharField(max_length=16, choices=Origin)
    revision = models.ForeignKey(Revision, on_delete=models.SET_NULL, null=True)
    # Facts of the archive's metadata.json; empty or None where an older Rasa did not write them.
    trained_at = models.DateTimeField(null=True)
    rasa_version = models.CharField(max_length=40, blank=True)
    rasa_model_id = models.CharField(max_length=200, blank=True)
    rasa_assistant_id = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=20, blank=True)
    project_fingerprint = models.CharField(max_length=200, blank=True)
    training_type = models.CharField(max_length=20, blank=True)
    domain = models.JSONField(default=dict)  # studio.rasa.domain.DomainSummary.as_json()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by_label = models.CharField(max_length=200, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["assistant", "name"], condition=Q(deleted_at=None), name="model_name_unique"
            )
        ]
        indexes = [models.Index(fields=["assistant", "-id"]), models.Index(fields=["rasa_model_id"])]

    def __str__(self) -> str:
        return self.name

    @property
    def file_name(self) -> str:
        return f"{self.name}.tar.gz"

    @property
    def etag(self) -> str:
        return f'"{self.artifact_id}"'


class Tag(models.Model):
    """A name that points at most at one model of an assistant.

    A tag of kind `environment` belongs to the environment of the same name, and only promotion moves it; it stays
    with no model while the environment is out of service.
    """

    class Kind(models.TextChoices):
        FREE = "free", "free"
        ENVIRONMENT = "environment", "environment"

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=63, validators=[valid_name])
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.FREE)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, related_name="tags")
    moved_at = models.DateTimeField(auto_now=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(fields=["assistant", "name"], name="tag_unique"),
            models.CheckConstraint(
                condition=Q(kind="environment") | Q(model__isnull=False), name="tag_free_points_at_model"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TrainingJob(models.Model):
    """One training. This row is the truth, the queue only carries its id; each change of state is compare-and-set."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        PREPARING = "preparing", "Preparing"
        TRAINING = "training", "Training"
        PACKAGING = "packaging", "Packaging"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Lost"

    ACTIVE = (State.PREPARING, State.TRAINING, State.PACKAGING)
    ENDED = (State.DONE, State.FAILED, State.CANCELLED, State.LOST)

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="jobs")
    number = models.PositiveIntegerField()
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="jobs")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(
        default=0
    )  # grows with every start; an older attempt's result is refused
    max_attempts = models.PositiveSmallIntegerField(default=2)
    rasa_version = models.CharField(max_length=40, blank=True)
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

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["assistant", "number"], name="job_number_unique")]
        indexes = [models.Index(fields=["state", "id"])]

    def __str__(self) -> str:
        return f"training {self.number}"

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
