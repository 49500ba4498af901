"""The parts of `/readyz` that this app knows."""

from django.conf import settings

from models_app.models import TrainingJob
from studio.health import Part
from studio.jobs import heartbeat


def training_workers() -> Part:
    live = heartbeat.live("training-worker")
    waiting = TrainingJob.objects.filter(state=TrainingJob.State.QUEUED).count()
    if live == 0 and settings.TRAINING_WORKERS > 0:
        return Part("degraded", f"No training worker is running; {waiting} trainings wait.")
    return Part("ok", f"{live} running, {waiting} trainings wait.")
