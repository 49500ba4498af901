"""Installs the Rasa runtime when its row asks for it.

The controller calls `tick` in its loop. There is one controller, so there is one installer; the installation itself is
a thread that waits for uv, and the web is up meanwhile. Who finds a row `installing` without running its installation
follows one that was killed, and takes it up again.
"""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from studio.rasa.models import RasaRuntime
from studio.rasa.problems import RuntimeProblem
from studio.rasa.runtime import Progress, Runtimes
from studio.rasa.services import State, current_runtime, runtimes

log = structlog.get_logger()

WRITE_SECONDS = 1.0


class Installer:
    """`of` gives the place of the runtimes, for tests elsewhere."""

    def __init__(self, of: Callable[[], Runtimes] = runtimes) -> None:
        self._of = of
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Bring the row in line with the disk when the controller starts: what is missing or failed is tried again."""
        row = current_runtime()
        _move(row, row.state, State.READY if self._is_there(row) else State.WANTED)

    def tick(self) -> None:
        """Begin the installation that somebody asked for, unless it is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        row = current_runtime()
        if row.state == State.READY and not self._is_there(row):  # somebody removed the folder
            _move(row, State.READY, State.WANTED)
        elif row.state in {State.WANTED, State.INSTALLING} and _move(row, row.state, State.INSTALLING):
            self._thread = threading.Thread(target=self._run, args=[row], name="rasa-installer", daemon=True)
            self._thread.start()

    def _is_there(self, row: RasaRuntime) -> bool:
        return self._of().find(row.version) is not None

    def wait(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, row: RasaRuntime) -> None:
        try:
            self._install(row)
        except RuntimeProblem as problem:
            log.warning("Rasa not installed", message=problem.message, details=problem.details)
            _fail(row, "\n".join(filter(None, [problem.message, problem.details])), problem.mend)
        except DatabaseError:  # the row stays `installing`, so the next tick finds what is on the disk
            log.warning("the database is away, the end of the installation is not written")
        except Exception:
            log.exception("installation failed")
            _fail(row, "The installation ended with an error of Parley.", "The controller's log says more. Try again.")
        finally:
            connection.close()

    def _install(self, row: RasaRuntime) -> None:
        written, step = 0.0, ""

        def report(progress: Progress) -> None:
            """Written once a second, and when a step begins: the check follows at once and then says nothing more."""
            nonlocal written, step
            if time.monotonic() - written < WRITE_SECONDS and progress.step == step:
                return
            written, step = time.monotonic(), progress.step
            _tell(row, progress)

        self._of().install(row.version, report)
        _move(row, State.INSTALLING, State.READY)
        log.info("Rasa is installed", version=row.version)


def _tell(row: RasaRuntime, progress: Progress) -> None:
    """A database that is away must not end an installation that needs none."""
    try:
        RasaRuntime.objects.filter(pk=row.pk, state=State.INSTALLING).update(
            step=progress.message[:200], done=progress.done, total=progress.total
        )
    except DatabaseError:
        connection.close()


def _fail(row: RasaRuntime, message: str, mend: str) -> None:
    _move(row, State.INSTALLING, State.FAILED, message=message, mend=mend)


def _move(row: RasaRuntime, before: str, after: str, message: str = "", mend: str = "") -> bool:
    """Compare and set; how far the former state was is no longer true."""
    return (
        RasaRuntime.objects.filter(pk=row.pk, state=before).update(
            state=after, step="", done=0, total=0, message=message, mend=mend, changed_at=timezone.now()
        )
        == 1
    )
