"""Counters and histograms of what processes do, added up over all of a machine.

Every metric has labels: without one it would take a seat as soon as it is imported. Labels are words of ours, names of
rows or templates of addresses, never what somebody sent: each value stays in memory and in every scrape.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from prometheus_client import Counter, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from studio.metrics.seats import files, seat

log = structlog.get_logger()

COMPLAIN_SECONDS = 60.0
_is_in_use = False  # the class below asks for a seat when it is made, and then at each use
values.ValueClass = values.MultiProcessValue(lambda: seat() if _is_in_use else "")  # type: ignore[no-untyped-call]
_is_in_use = True

names: dict[str, str] = {}  # of every metric, with its kind
label_names: dict[str, tuple[str, ...]] = {}
_complained = float("-inf")


def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
    """`name` ends in `_total`."""
    names[name], label_names[name] = "counter", labels
    return Counter(name, text, labels, registry=None)


def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
    """`buckets` in seconds; few of them, since each is a line of every scrape for each set of labels."""
    names[name], label_names[name] = "histogram", labels
    return Histogram(name, text, labels, buckets=buckets, registry=None)


def count(metric: Counter, *labels: str, by: int = 1) -> None:
    """So many more."""
    _do(lambda: metric.labels(*labels).inc(by))


def took(metric: Histogram, seconds: float, *labels: str) -> None:
    """One more, which took so long."""
    _do(lambda: metric.labels(*labels).observe(seconds))


def _do(work: Callable[[], None]) -> None:
    """A folder that cannot be written costs nobody an answer."""
    global _complained
    try:
        work()
    except OSError as error:
        if time.monotonic() - _complained > COMPLAIN_SECONDS:
            _complained = time.monotonic()
            log.warning("not counted: PARLEY_METRICS_DIR cannot be written", error=str(error))


def collected() -> Iterable[Metric]:
    """The sums over all processes, dead ones too."""
    merge = partial(MultiProcessCollector.merge, accumulate=True)
    try:
        return list(merge([str(path) for path in files()]))
    except FileNotFoundError:  # somebody came to an empty house in this moment
        return list(merge([str(path) for path in files()]))
