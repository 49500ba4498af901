"""What one attempt does while something it needs is away, and how it says meanwhile that it lives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from models_app.models import TrainingJob
from models_app.services import training

log = structlog.get_logger()
T = TypeVar("T")

BEAT_SECONDS = 2.0
DATABASE_SECONDS = 3600.0  # how long a result waits for the database
AGAIN_SECONDS = 1.0


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
            log.warning("database away, waiting to write what a training made")
            connection.close()
            time.sleep(AGAIN_SECONDS)


@contextmanager
def pulse(job: TrainingJob) -> Iterator[None]:
    """Beat from a thread while the body runs: storing a large model takes longer than a silent worker is given."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(job, stop), name="training-pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat_until(job: TrainingJob, stop: threading.Event) -> None:
    """A job that is somebody else's by now is noticed by the body, at its next step."""
    while not stop.wait(BEAT_SECONDS):
        try:
            training.still_there(job)
        except training.Superseded:
            break
        except (DatabaseError, InterfaceError):
            connection.close()
    connection.close()
