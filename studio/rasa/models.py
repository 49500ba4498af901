"""The Rasa runtimes of this installation and how far each is."""

from django.db import models


class RasaRuntime(models.Model):
    """One Rasa that assistants can choose. This row is the truth that pages show; the files live under PARLEY_RASA,
    or, of an own one, where the team keeps it."""

    class State(models.TextChoices):
        MISSING = "missing", "not installed"
        WANTED = "wanted", "waiting for a worker"
        INSTALLING = "installing", "installing"
        READY = "ready", "ready"
        FAILED = "failed", "failed"
        REMOVING = "removing", "being removed"

    version = models.CharField(max_length=40, unique=True)  # of an own one its name in PARLEY_RASA_OWN
    own = models.BooleanField(default=False)  # a team's own interpreter, which we neither install nor remove
    state = models.CharField(max_length=16, choices=State, default=State.MISSING)
    step = models.CharField(max_length=200, blank=True)
    done = models.PositiveBigIntegerField(default=0)  # of `total`; bytes, for the packages
    total = models.PositiveBigIntegerField(default=0)  # 0: not known
    message = models.TextField(blank=True)  # what went wrong
    mend = models.TextField(blank=True)  # what to do about it
    # Facts of one that is ready.
    release = models.CharField(max_length=40, blank=True)  # the version that it says of itself
    minimum_compatible_version = models.CharField(max_length=40, blank=True)  # of the models that it loads
    python = models.CharField(max_length=40, blank=True)  # version of its interpreter
    size = models.PositiveBigIntegerField(null=True)  # bytes on disk
    freed = models.PositiveBigIntegerField(null=True)  # of them, those that nothing else holds as well
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        if not self.own:
            return f"Rasa {self.version}"
        return f"{self.version} (Rasa {self.release})" if self.release else self.version

    @property
    def is_usable(self) -> bool:
        """An own one stays so while it is asked again."""
        return self.state == self.State.READY or (self.own and self.release != "")
