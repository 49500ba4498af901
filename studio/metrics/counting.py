"""Counters and histograms of what processes do, added up over all of a machine.

Every metric has labels: without one it would take a seat as soon as it is imported. Labels are words of ours, names of
rows or templates of addresses, never what somebody sent: each value stays in memory and in every scrape.
"""

import json
import time
from collections.abc import Callable
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict

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


def collected() -> list[Metric]:
    """The sums over all processes, dead ones too.

    As `MultiProcessCollector.merge` of prometheus_client makes them, in a third of its time: values are added up before
    anything is made of them.
    """
    try:
        sums = _sums()
    except FileNotFoundError:  # somebody came to an empty house in this moment
        sums = _sums()
    found: dict[str, Metric] = {}
    for kind, values_of_kind in sums.items():
        for key, value in values_of_kind.items():
            name, sample, labels, text = _parsed(key)
            metric = found.setdefault(name, Metric(name, text, kind))
            metric.add_sample(sample, labels, value)
    for metric in found.values():
        if metric.type == "histogram":
            _add_up_buckets(metric)
    return list(found.values())


def _sums() -> dict[str, dict[str, float]]:
    """By kind and by what prometheus_client calls a value in its files."""
    sums: dict[str, dict[str, float]] = {}
    for path in files():
        of_kind = sums.setdefault(path.name.partition("_")[0], {})
        for key, value, _timestamp, _position in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            of_kind[key] = of_kind.get(key, 0.0) + value
    return sums


@lru_cache(maxsize=50_000)
def _parsed(key: str) -> tuple[str, str, dict[str, str], str]:
    """Name of the metric and of the series, labels, text."""
    name, sample, labels, text = json.loads(key)
    return name, sample, labels, text


def _add_up_buckets(metric: Metric) -> None:
    """Processes count each bucket by itself; told is how many were at most as slow."""
    buckets: dict[tuple[str, ...], list[tuple[float, dict[str, str], float]]] = {}
    told = [sample for sample in metric.samples if "le" not in sample.labels]
    for sample in metric.samples:
        if "le" in sample.labels:
            series = tuple(value for name, value in sorted(sample.labels.items()) if name != "le")
            buckets.setdefault(series, []).append((float(sample.labels["le"]), sample.labels, sample.value))
    metric.samples = told
    for bounds in buckets.values():
        total = 0.0
        labels: dict[str, str] = {}
        for _bound, labels, value in sorted(bounds, key=lambda one: one[0]):
            total += value
            metric.add_sample(f"{metric.name}_bucket", labels, total)
        without = {name: value for name, value in labels.items() if name != "le"}
        metric.add_sample(f"{metric.name}_count", without, total)
