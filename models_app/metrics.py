"""What `/metrics` tells of trainings, validations and tests of models."""

from collections.abc import Iterator

from django.db.models import Count, Min

from models_app.models import TrainingJob
from studio.metrics import jobs, readings
from studio.metrics.jobs import Waiting
from studio.metrics.readings import Reading

OPEN = (TrainingJob.State.QUEUED, *TrainingJob.ACTIVE)

ENDED = readings.family(
    "parley_training_jobs_ended_total", "Trainings, tests and validations that ended.", "kind", "state"
)


def register() -> None:
    jobs.register(open_jobs)
    readings.register("trainings", ended_jobs)


def open_jobs() -> Iterator[Waiting]:
    rows = TrainingJob.objects.filter(state__in=OPEN).values_list("kind", "state").order_by()
    found = {
        (kind, state): (number, since) for kind, state, number, since in rows.annotate(Count("pk"), Min("requested_at"))
    }
    for kind in TrainingJob.Kind.values:
        for state in OPEN:
            yield Waiting(kind, state, *found.get((kind, state), (0, None)))


def ended_jobs() -> Iterator[Reading]:
    """All that ever ended: thousands at most, counted from an index."""
    rows = TrainingJob.objects.filter(state__in=TrainingJob.ENDED).values_list("kind", "state").order_by()
    found = {(kind, state): number for kind, state, number in rows.annotate(Count("pk"))}
    for kind in TrainingJob.Kind.values:
        for state in TrainingJob.ENDED:
            yield ENDED(found.get((kind, state), 0), kind, state)
