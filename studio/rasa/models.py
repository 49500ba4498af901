"""The Rasa runtimes of this installation and how far each is."""

from django.db import models


class RasaRuntime(models.Model):
    """One version of Rasa. This row is the truth that pages show; the files live under PARLEY_RASA."""

    class State(models.TextChoices):
        MISSING = "missing", "not installed"
        WANTED = "wanted", "waiting for a worker"
        INSTALLING = "installing", "installing"
        READY = "ready", "ready"
        FAILED = "failed", "failed"

    version = models.CharField(max_length=40, unique=True)
    state = models.CharField(max_length=16, choices=State, default=State.MISSING)
    step = models.CharField(max_length=200, blank=True)
    done = models.PositiveBigIntegerField(default=0)  # of `total`; bytes, for the packages
    total = models.PositiveBigIntegerField(default=0)  # 0: not known
    message = models.TextField(blank=True)  # what went wrong
    mend = models.TextField(blank=True)  # what to do about it
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Rasa {self.version}"
