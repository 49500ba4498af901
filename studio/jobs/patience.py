"""Doing a thing although the database is away for a while, and saying meanwhile that one lives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

log = structlog.get_logger()
T = TypeVar("T")

DATABASE_SECONDS = 3600.0  # how long a result waits for the database
AGAIN_SECONDS = 1.0
BEAT_SECONDS = 2.0


class Superseded(Exception):
    """The work is over for this worker, or somebody else's by now."""


def insist(action: Callable[[], T]) -> T:
    """Do it, again and again while the database is away: what was done is not thrown away for that.

    The action must do no harm when it is done twice: a commit may be made and its answer lost.
    """
    until = time.monotonic() + DATABASE_SECONDS
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning("database away, waiting to write what a job made")
            connection.close()
            time.sleep(AGAIN_SECONDS)


@contextmanager
def pulse(beat: Callable[[], object]) -> Iterator[None]:
    """Call `beat` from a thread while the body runs: moving a large file takes longer than a silent worker is given.

    What `beat` raises because the work is somebody else's by now is noticed by the body, at its next step.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(beat, stop), name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat_until(beat: Callable[[], object], stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            beat()
        except (DatabaseError, InterfaceError):
            connection.close()
        except Superseded:
            break
    connection.close()
