"""Which of our own processes live: the truth behind `/readyz` and the pages that say what works."""

from django.db import models


class Heartbeat(models.Model):
    """One running process of a kind, refreshed every few seconds while it lives."""

    kind = models.CharField(max_length=40)  # training-worker, controller, ingest, schedule
    name = models.CharField(max_length=200)  # host and process id
    busy_with = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="heartbeat_unique")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
