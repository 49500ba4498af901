"""A training as people follow it: its steps, and what it waits for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from models_app.models import Assistant, TrainingJob
from models_app.services.training_settings import settings_of
from models_app.training.outlook import Outlook, UnderWay, look_ahead
from studio import redis

State = TrainingJob.State


# What the states are called in jobs that train nothing.
WORDS = {
    TrainingJob.Kind.VALIDATION: {State.TRAINING: "Validating"},
    TrainingJob.Kind.TEST: {State.TRAINING: "Testing", State.PACKAGING: "Keeping the result"},
}
STEPS = {
    TrainingJob.Kind.VALIDATION: ("Requested", "Preparing", "Validating", "Keeping", "Result"),
    TrainingJob.Kind.TEST: ("Requested", "Preparing", "Testing", "Keeping", "Result"),
}


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    state: str  # done, now, failed, stopped, todo: the states of the `steps` tag
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A job of the list."""

    job: TrainingJob
    state: str
    outlook: str  # of the time ahead
    seconds: float | None


def rows_of(jobs: Iterable[TrainingJob], under_way: UnderWay) -> list[Row]:
    jobs = list(jobs)
    outlook = look_ahead(under_way) if any(not job.is_ended for job in jobs) else Outlook()
    return [Row(job, state_words(job, outlook), outlook.words(job), seconds_of(job)) for job in jobs]


def state_words(job: TrainingJob, outlook: Outlook) -> str:
    if job.cancel_requested_at and not job.is_ended:
        return "Cancelling"
    if job.pk in outlook.missing:
        return f"Waits for Rasa {outlook.missing[job.pk]}"
    place = outlook.place(job)
    if job.state == State.QUEUED and place:
        return "Next in line" if place == 1 else f"Waits, place {place} in line"
    return WORDS.get(TrainingJob.Kind(job.kind), {}).get(State(job.state), job.get_state_display())


def seconds_of(job: TrainingJob) -> float | None:
    """How long the last attempt took, or has taken so far; None before the first."""
    if job.started_at is None or job.state == State.QUEUED:
        return None
    return max(0.0, ((job.finished_at or timezone.now()) - job.started_at).total_seconds())


def percent_of(job: TrainingJob) -> int | None:
    """None until the first component: Rasa's own start takes a while and tells nothing."""
    return round(100 * job.step_done / job.step_total) if job.step_done and job.step_total else None


def steps_of(job: TrainingJob) -> list[Step]:
    """Where the job is, or, when it ended without a model, how far it came."""
    reached = _reached(job)
    stopped = job.is_ended and job.state != State.DONE
    usual = ("Requested", "Preparing", "Training", "Packaging", "Model")
    titles = STEPS.get(TrainingJob.Kind(job.kind), usual)
    kept = _clock(job.finished_at) if job.state == State.DONE else ""
    notes = (_clock(job.requested_at), _clock(job.started_at), job.step if reached == 2 else "", "", kept)
    ended_as = "stopped" if job.state == State.CANCELLED else "failed"
    steps = []
    for at, (title, note) in enumerate(zip(titles, notes, strict=True)):
        state = "done" if at < reached else "todo" if at > reached else ended_as if stopped else "now"
        steps.append(Step(job.get_state_display() if state == ended_as else title, state, note))
    return steps


def _reached(job: TrainingJob) -> int:
    order = [State.QUEUED, State.PREPARING, State.TRAINING, State.PACKAGING]
    if job.state in order:
        return order.index(State(job.state))
    if job.state == State.DONE:
        return 5
    return 0 if job.started_at is None else 2 if job.step else 1


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S} UTC" if moment else ""


# --- What stands in the way ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """The line of waiting trainings of the whole installation, and what keeps it from moving."""

    waiting: int
    running: int
    workers: int
    busy: int
    redis_away: bool
    rasa: str  # what the assistant is trained with; empty for the installation's own
    rasa_ready: bool

    @property
    def no_workers(self) -> bool:
        return self.workers == 0


def look_at_line(assistant: Assistant, under_way: UnderWay) -> Line:
    """The line as a page of `assistant` shows it."""
    rasa = settings_of(assistant).rasa_version
    return Line(
        waiting=under_way.waiting_total,
        running=len(under_way.running),
        workers=len(under_way.workers),
        busy=sum(bool(worker.busy_with) for worker in under_way.workers),
        redis_away=not _redis_answers(),
        rasa=rasa,
        rasa_ready=(rasa or settings.RASA_VERSION) in under_way.ready,
    )


def _redis_answers() -> bool:
    try:
        redis.client().ping()
    except RedisError:
        return False
    return True
