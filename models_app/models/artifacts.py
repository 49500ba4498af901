"""Models, their bytes, and the names (tags) they carry."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from models_app.models.assistants import Assistant, valid_name
from models_app.models.data import Revision
from models_app.querysets import ModelQuerySet, TagQuerySet

MODEL_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
RESERVED_MODEL_NAMES = frozenset({"tags", "jobs"})

valid_model_name = RegexValidator(
    rf"^{MODEL_NAME_PATTERN}\Z",
    "Use 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
)
PERSON = settings.AUTH_USER_MODEL


class Artifact(models.Model):
    """The bytes of a model archive in the artifact store, known by their SHA-256 (hexadecimal)."""

    class Problem(models.TextChoices):
        MISSING = "missing", "missing"
        DAMAGED = "damaged", "damaged"

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField()
    stored_at = models.DateTimeField(auto_now_add=True)
    freed_at = models.DateTimeField(null=True)  # the bytes are gone from the store, the row stays for history
    # When all bytes were read and hashed last, in the store of which label, and what was wrong with them.
    checked_at = models.DateTimeField(null=True)
    checked_in = models.TextField(blank=True)
    problem = models.CharField(max_length=16, choices=Problem, blank=True)

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
    # Somebody wants it kept: neither people nor rules delete it while it has this mark.
    kept_at = models.DateTimeField(null=True, blank=True)
    kept_by_label = models.CharField(max_length=200, blank=True)
    kept_reason = models.CharField(max_length=200, blank=True)
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
    def kept_why(self) -> str:
        """`kept by anna: the one of the fair`; empty without the mark."""
        if self.kept_at is None:
            return ""
        return f"kept by {self.kept_by_label}{f': {self.kept_reason}' if self.kept_reason else ''}"

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
