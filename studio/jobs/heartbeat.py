"""How a process says that it lives, and how others read it."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import Count, QuerySet
from django.utils import timezone

from studio.jobs.models import Heartbeat

log = structlog.get_logger()

BEAT_SECONDS = 5
KINDS = ("training-worker", "running-worker", "background-worker", "controller", "ingest", "schedule")
LIVE_WITHIN = timedelta(seconds=4 * BEAT_SECONDS)

# Held while a beat is written. A process forked in the middle of it would inherit OpenSSL's locks as the beating
# thread holds them, without that thread, and wait for ever at its own first connection to the database.
_writing = threading.Lock()
_works = threading.Event()
_counted: ContextVar[dict[str, int] | None] = ContextVar("counted", default=None)
os.register_at_fork(before=_writing.acquire, after_in_parent=_writing.release, after_in_child=_writing.release)


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def parent_name() -> str:
    """What a job's own process calls the worker that forked it."""
    return f"{socket.gethostname()}:{os.getppid()}"


def beat(kind: str) -> None:
    """Refresh this process's row; makes it at the first call. One that works on no job is busy with nothing."""
    now = timezone.now()
    idle = {} if _works.is_set() else {"busy_with": ""}
    Heartbeat.objects.update_or_create(
        kind=kind,
        name=process_name(),
        defaults={"at": now, **idle},
        create_defaults={"at": now, "started_at": now},
    )


def say_busy(busy_with: str, *, worker: str) -> None:
    """Write into the row of the worker of that name what it does; the worker itself takes it back."""
    Heartbeat.objects.filter(name=worker).update(busy_with=busy_with[:200])


@contextmanager
def working() -> Iterator[None]:
    """Around each job of this process, however that job ends."""
    _works.set()
    try:
        yield
    finally:
        _works.clear()
        try:
            say_busy("", worker=process_name())
        except (DatabaseError, InterfaceError):
            connection.close()  # the next beat says it


def living(kind: str) -> QuerySet[Heartbeat]:
    """The processes of that kind that have spoken lately."""
    return Heartbeat.objects.filter(kind=kind, at__gte=timezone.now() - LIVE_WITHIN)


def live(kind: str) -> int:
    """How many there are of these."""
    if (counted := _counted.get()) is None:
        return living(kind).count()
    if not counted:
        lately = Heartbeat.objects.filter(at__gte=timezone.now() - LIVE_WITHIN).order_by()
        counted.update(dict.fromkeys(KINDS, 0), **dict(lately.values_list("kind").annotate(Count("pk"))))
    return counted.get(kind, 0)


@contextmanager
def counted_once() -> Iterator[None]:
    """For who asks after one kind after the other: all are counted by the first question, and not again."""
    token = _counted.set({})
    try:
        yield
    finally:
        _counted.reset(token)


def forget_silent() -> None:
    Heartbeat.objects.filter(at__lt=timezone.now() - timedelta(hours=1)).delete()


@contextmanager
def beating(kind: str) -> Iterator[None]:
    """Beat from a thread of its own while the body runs, whatever the body waits for."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(kind, stop), name=f"{kind}-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=2)
        try:
            Heartbeat.objects.filter(kind=kind, name=process_name()).delete()
        except (DatabaseError, InterfaceError):
            log.warning("heartbeat not taken back", kind=kind)  # it is soon too old to count


def _beat_until(kind: str, stop: threading.Event) -> None:
    while not stop.is_set():
        with _writing:
            try:
                close_old_connections()
                beat(kind)
            except (DatabaseError, InterfaceError):
                log.warning("heartbeat not written", kind=kind)
        stop.wait(BEAT_SECONDS)
    with _writing:
        connection.close()
