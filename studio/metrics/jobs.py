"""Work that waits or is under way, of every kind in one form, and the queues that carry it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from studio import redis
from studio.jobs import heartbeat, queues
from studio.jobs.models import Heartbeat
from studio.metrics import counting, readings
from studio.metrics.readings import Reading

QUEUES = (queues.TRAINING, queues.RUNNING, queues.BACKGROUND)
BUCKETS = (0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0)

JOBS = readings.family("parley_jobs", "Work that waits or is under way.", "kind", "state")
OLDEST = readings.family(
    "parley_job_oldest_seconds", "How long ago the oldest of these was asked for; 0 for none.", "kind", "state"
)
DEPTH = readings.family("parley_queue_jobs", "Jobs that no worker has taken from a queue yet.", "queue")
PROCESSES = readings.family("parley_processes", "Our own processes that have spoken lately.", "kind")

_seconds = counting.histogram(
    "parley_worker_job_duration_seconds",
    "How long workers took for what they took from a queue, and how it ended.",
    ("queue", "function", "outcome"),
    BUCKETS,
)


class Waiting(NamedTuple):
    """So many jobs of a kind are in a state, the oldest of them since `since`."""

    kind: str
    state: str
    number: int
    since: datetime | None = None


Source = Callable[[], Iterable[Waiting]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Apps call it from AppConfig.ready()."""
    _sources.append(source)


def start() -> None:
    """Read all of this at each scrape."""
    readings.register("jobs", _jobs)
    readings.register("processes", _processes)
    readings.register("queues", _queues)


def note_job(queue: str, function: str, seconds: float, *, succeeded: bool) -> None:
    """A worker has done a job."""
    counting.took(_seconds, seconds, queue, function.rpartition(".")[2], "done" if succeeded else "failed")


def _jobs() -> Iterator[Reading]:
    now = timezone.now()
    for source in _sources:
        for one in source():
            age = (now - one.since).total_seconds() if one.since is not None else 0.0
            yield JOBS(one.number, one.kind, one.state)
            yield OLDEST(max(0.0, age), one.kind, one.state)


def _processes() -> Iterator[Reading]:
    live = Heartbeat.objects.filter(at__gte=timezone.now() - heartbeat.LIVE_WITHIN).values_list("kind", flat=True)
    found = list(live)
    for kind in heartbeat.KINDS:
        yield PROCESSES(found.count(kind), kind)


def _queues() -> Iterator[Reading]:
    with redis.client().pipeline(transaction=False) as pipeline:
        for name in QUEUES:
            pipeline.llen(queues.queue(name).key)
        for name, depth in zip(QUEUES, pipeline.execute(), strict=True):
            yield DEPTH(depth, name)
