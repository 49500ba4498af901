"""How an attempt says that it lives while it does something that takes long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection

from models_app.models import TrainingJob
from models_app.services import training

BEAT_SECONDS = 2.0


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
