"""What is read at a scrape: apps register readers, each of which makes a few cheap queries.

All readings are kept for a moment, so that many scrapes cost no more than one. They are made in a thread of their own:
a database that is away delays a scrape by no more than PATIENCE_SECONDS, which then tells that it is away.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

log = structlog.get_logger()

KEPT_SECONDS = 5.0
PATIENCE_SECONDS = 3.0
STATEMENT_MILLISECONDS = 2000


@dataclass(frozen=True)
class Family:
    """One metric that readers give values of. A counter's name ends in `_total`."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "counter" if self.name.endswith("_total") else "gauge"

    def __call__(self, value: float, *labels: str) -> "Reading":
        return Reading(self, labels, float(value))


class Reading(NamedTuple):
    family: Family
    labels: tuple[str, ...]
    value: float


Reader = Callable[[], Iterable[Reading]]

READER_UP = Family(
    "parley_reader_up", "1 when what a part of Parley tells could be read, 0 when its database is away.", ("reader",)
)
BUILD = Family("parley_build_info", "1, with the version of Parley.", ("version",))
families: dict[str, Family] = {one.name: one for one in (READER_UP, BUILD)}
_readers: dict[str, Reader] = {}


def family(name: str, text: str, *labels: str) -> Family:
    """Declare a metric; whoever declares one of that name gets the same."""
    made = Family(name, text, labels)
    if families.setdefault(name, made) != made:
        raise ValueError(f"{name} is declared twice, and not the same.")
    return made


def register(name: str, reader: Reader) -> None:
    """Apps call it from AppConfig.ready()."""
    _readers[name] = reader


class _Kept:
    """The last readings of this process, and the next ones while they are being made."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._made_at = float("-inf")
        self._readings: list[Reading] = []
        self._coming: Future[list[Reading]] | None = None

    def get(self) -> list[Reading]:
        with self._guard:
            if time.monotonic() - self._made_at < KEPT_SECONDS:
                return self._readings
            if self._coming is None or self._coming.done():  # what came too late is old by now
                self._coming = _in_thread(_read_all)
            try:
                self._readings = self._coming.result(PATIENCE_SECONDS)
            except Late:
                return [READER_UP(0, name) for name in _readers]
            self._coming, self._made_at = None, time.monotonic()
            return self._readings

    def forget(self) -> None:
        with self._guard:
            self._made_at, self._coming = float("-inf"), None


kept = _Kept()


def collected() -> Iterator[Metric]:
    """Each family that has a value, with all of its values."""
    by_family: dict[Family, list[Reading]] = {}
    for reading in (BUILD(1, settings.VERSION), *kept.get()):
        by_family.setdefault(reading.family, []).append(reading)
    for one, readings in by_family.items():
        made = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
        metric = made(one.name, one.text, labels=one.labels)
        for reading in readings:
            metric.add_metric(reading.labels, reading.value)
        yield metric


def _in_thread(work: Callable[[], list[Reading]]) -> Future[list[Reading]]:
    """A daemon's, unlike that of an executor: a database that hangs must not hold up the end of the process."""
    future: Future[list[Reading]] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)
        finally:
            connection.close()

    threading.Thread(target=run, name="metrics", daemon=True).start()
    return future


def _read_all() -> list[Reading]:
    readings: list[Reading] = []
    for name, reader in _readers.items():
        found = _read(name, reader)
        readings += [READER_UP(found is not None, name), *(found or ())]
    return readings


def _read(name: str, reader: Reader) -> list[Reading] | None:
    """None when it cannot be read. A query that takes long is ended rather than to weigh on everybody else."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}")
            return list(reader())
    except (DatabaseError, InterfaceError, RedisError) as error:
        log.warning("metrics not read", reader=name, error=type(error).__name__)
    except Exception:  # a bug in one of them leaves the others to be read
        log.exception("metrics not read", reader=name)
    return None
