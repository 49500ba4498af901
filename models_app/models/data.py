"""An assistant's training data: revisions of files."""

from django.conf import settings
from django.db import models

from models_app.models.assistants import Assistant

PERSON = settings.AUTH_USER_MODEL


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
