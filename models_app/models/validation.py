"""What `rasa data validate` said about a revision."""

from django.db import models

from models_app.models.assistants import Assistant
from models_app.models.data import Revision
from models_app.models.training import TrainingJob


class Validation(models.Model):
    """One whole run of Rasa's validation, by a job of its own or at the beginning of a training."""

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="validations")
    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="validations")
    job = models.OneToOneField(TrainingJob, on_delete=models.CASCADE, related_name="validation")
    digest = models.BinaryField(max_length=32)  # of the revision: equal data and Rasa, equal findings
    rasa_version = models.CharField(max_length=40)
    errors = models.PositiveIntegerField()
    warnings = models.PositiveIntegerField()
    left_out = models.PositiveIntegerField(default=0)  # findings beyond those that are kept; the log has them
    finished_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["assistant", "digest", "-id"])]

    def __str__(self) -> str:
        return f"validation by {self.job_id}"

    @property
    def kept(self) -> int:
        """How many findings are kept."""
        return self.errors + self.warnings - self.left_out

    @property
    def words(self) -> str:
        """Such as "2 errors, 1 warning"; empty when there is nothing to say."""
        counts = ((self.errors, "error"), (self.warnings, "warning"))
        return ", ".join(f"{number} {noun}{'s' if number != 1 else ''}" for number, noun in counts if number)


class Finding(models.Model):
    """One thing that Rasa found, and where it stands, when that can be told."""

    class Severity(models.TextChoices):
        ERROR = "error", "Error"  # Rasa does not train with it
        WARNING = "warning", "Warning"

    validation = models.ForeignKey(Validation, on_delete=models.CASCADE, related_name="findings")
    severity = models.CharField(max_length=16, choices=Severity)
    message = models.TextField()  # Rasa's own words
    advice = models.CharField(max_length=400, blank=True)  # what to do, when we know
    path = models.CharField(max_length=500, blank=True)  # blank: Rasa names nothing that could be found
    line = models.PositiveIntegerField(null=True)  # from 1
    others = models.JSONField(default=list)  # [path, line] of further places, such as the other story of a conflict

    class Meta:
        ordering = ["id"]  # kept in the order in which people read them
        indexes = [models.Index(fields=["validation", "id"])]

    def __str__(self) -> str:
        return self.message[:80]
