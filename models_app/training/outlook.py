"""What comes next: places in line, when each job starts, how long it takes, and what the workers do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, F, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from models_app.models import Assistant, TrainingJob
from models_app.training import estimate
from models_app.training.estimate import Running, Spread
from studio.jobs import heartbeat
from studio.jobs.models import Heartbeat
from studio.rasa.models import RasaRuntime

State = TrainingJob.State
WORKER = "training-worker"
REMEMBERED = 20  # trainings of an assistant that an estimate is made of
_SHOWN = 1000  # places of the line

# Jobs of one key take about as long: the assistant, the kind, and whether it goes on from a model.
Key = tuple[int, str, bool]
History = Mapping[Key, Sequence[float]]


@dataclass(frozen=True)
class Outlook:
    """`places`, `starts` and `missing` are by the job's primary key; `missing` names the Rasa that it waits for."""

    places: Mapping[int, int] = field(default_factory=dict)
    starts: Mapping[int, Spread | None] = field(default_factory=dict)
    missing: Mapping[int, str] = field(default_factory=dict)
    history: History = field(default_factory=dict)

    def place(self, job: TrainingJob) -> int:
        """1 for the job that is taken next; 0 when it does not wait, or waits for a Rasa that is not here."""
        return self.places.get(job.pk, 0)

    def left(self, job: TrainingJob) -> Spread | None:
        """Until a running job ends, as far as those before it tell."""
        if job.is_ended or job.state == State.QUEUED:
            return None
        return estimate.remaining(self.history.get(key_of(job), ()), _elapsed(job, timezone.now()))

    def words(self, job: TrainingJob) -> str:
        """What can be said of a job's time ahead; empty once it has ended, and while no worker runs."""
        if job.is_ended or job.cancel_requested_at or (job.state == State.QUEUED and job.pk not in self.starts):
            return ""
        usual = estimate.spread_of(self.history.get(key_of(job), ()))
        if job.state == State.QUEUED:
            return self._words_waiting(job, usual)
        if usual is None:
            return f"no estimate: no {_kind(job)} of this assistant has ended well yet"
        left = self.left(job)
        if left is None:
            return f"takes longer than any of the last {len(self.history[key_of(job)])}"
        return f"{estimate.words(left)} left"

    def _words_waiting(self, job: TrainingJob, usual: Spread | None) -> str:
        start = self.starts[job.pk]
        begins = "no estimate of its start: how long others before it take is not known"
        if start is not None:
            begins = "starts at once" if start.high < 1 else f"starts in {estimate.words(start)}"
        takes = (
            f"takes {estimate.words(usual)}"
            if usual
            else f"no estimate of its length: no {_kind(job)} of this assistant has ended well yet"
        )
        return f"{begins}; {takes}"


def key_of(job: TrainingJob) -> Key:
    return job.assistant_id, job.kind, job.epoch_fraction is not None


def _kind(job: TrainingJob) -> str:
    return "finetuning" if job.epoch_fraction is not None else job.get_kind_display().lower()


def _elapsed(job: TrainingJob, now: datetime) -> float:
    return (now - job.started_at).total_seconds() if job.started_at else 0.0


class UnderWay:
    """The jobs that wait and run, who runs them and with what: of the whole installation, for a line is one, whoever
    looks at it. Each is read once, when it is first asked for. `assistant` is the one whose page it is for.
    """

    def __init__(self, assistant: Assistant | None = None) -> None:
        self._assistant = assistant

    @cached_property
    def waiting(self) -> list[TrainingJob]:
        return list(TrainingJob.objects.in_line()[:_SHOWN])

    @cached_property
    def waiting_total(self) -> int:
        """How many wait, those beyond the places that are shown as well."""
        return len(self.waiting) if len(self.waiting) < _SHOWN else TrainingJob.objects.in_line().count()

    @cached_property
    def running(self) -> list[TrainingJob]:
        return list(TrainingJob.objects.filter(state__in=TrainingJob.ACTIVE).select_related("assistant")[:_SHOWN])

    @cached_property
    def workers(self) -> list[Heartbeat]:
        """Those that live, the oldest first."""
        return list(heartbeat.living(WORKER).order_by("started_at"))

    @cached_property
    def ready(self) -> set[str]:
        """The versions of Rasa that jobs can take."""
        return {row.version for row in RasaRuntime.objects.all() if row.is_usable}

    @cached_property
    def history(self) -> History:
        own = {self._assistant.pk} if self._assistant is not None else set()
        return history_of(own | {job.assistant_id for job in (*self.waiting, *self.running)})


def look_ahead(under_way: UnderWay | None = None) -> Outlook:
    now = under_way or UnderWay()
    if not now.waiting and not now.running:
        return Outlook()
    # Of the installation's own version the page says already how far it is.
    missing = {job.pk: job.wanted for job in now.waiting if job.wanted not in now.ready | {settings.RASA_VERSION}}
    line = [job for job in now.waiting if job.pk not in missing]
    starts = _starts(line, now) if {job.wanted for job in line} <= now.ready else {}
    return Outlook({job.pk: place for place, job in enumerate(line, 1)}, starts, missing, now.history)


def _starts(line: Sequence[TrainingJob], under_way: UnderWay) -> Mapping[int, Spread | None]:
    """Nothing while no worker runs."""
    workers, now, history = len(under_way.workers), timezone.now(), under_way.history
    if workers == 0:
        return {}
    running = [Running(history.get(key_of(job), ()), _elapsed(job, now)) for job in under_way.running]
    found = estimate.starts(running, [history.get(key_of(job), ()) for job in line], workers)
    return {job.pk: start for job, start in zip(line, found, strict=True)}


def history_of(assistants: Iterable[int]) -> History:
    """Seconds that the last jobs of these assistants took that ended well."""
    tuned = ExpressionWrapper(Q(epoch_fraction__isnull=False), output_field=BooleanField())
    partition = [F("assistant_id"), F("kind"), F("tuned")]
    rows = (
        TrainingJob.objects.filter(assistant_id__in=list(assistants), state=State.DONE)
        .annotate(tuned=tuned)
        .annotate(newest=Window(RowNumber(), partition_by=partition, order_by=F("pk").desc()))
        .filter(newest__lte=REMEMBERED)
        .values_list("assistant_id", "kind", "tuned", "started_at", "finished_at")
    )
    found: dict[Key, list[float]] = {}
    for assistant, kind, is_tuned, began, ended in rows:
        if began and ended:
            found.setdefault((assistant, kind, is_tuned), []).append((ended - began).total_seconds())
    return found


def usual_words(assistant: Assistant, under_way: UnderWay | None = None) -> str:
    """How long a training of this assistant usually takes; empty before the first."""
    history = (under_way or UnderWay(assistant)).history
    usual = estimate.spread_of(history.get((assistant.pk, TrainingJob.Kind.TRAINING, False), ()))
    return estimate.words(usual) if usual else ""


# --- Workers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Worker:
    """A live training worker, and the job that it runs."""

    name: str
    since: datetime
    busy_with: str
    job: TrainingJob | None


def workers(under_way: UnderWay) -> list[Worker]:
    """For those who run the installation: which worker runs what."""
    by_worker = {job.worker: job for job in under_way.running}
    return [Worker(row.name, row.started_at, row.busy_with, by_worker.get(row.name)) for row in under_way.workers]
