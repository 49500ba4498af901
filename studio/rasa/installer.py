"""Installs, looks into and removes Rasa runtimes as their rows ask for it.

The controller calls `tick` in its loop. There is one controller, so there is one installer, which does one thing at a
time in a thread that waits for uv; the web is up meanwhile. Who finds a row `installing` without running its
installation follows one that was killed, and takes it up again.
"""

import threading
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from studio.rasa.disk import room_of
from studio.rasa.images import ask_image
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import RuntimeProblem
from studio.rasa.running import in_cluster, processes_of
from studio.rasa.runtime import Own, Progress, Report, Runtime, Runtimes, probe
from studio.rasa.services import State, current_runtime, own_interpreters, runtimes
from studio.rasa.uses import spoken, uses_of

log = structlog.get_logger()

Work = Callable[[RasaRuntime], None]
WRITE_SECONDS = 1.0
FACTS_GONE = {"release": "", "minimum_compatible_version": "", "python": "", "size": None, "freed": None}


class Installer:
    """`of` gives the place of the runtimes, for tests elsewhere."""

    def __init__(self, of: Callable[[], Runtimes] = runtimes) -> None:
        self._of = of
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Bring the rows in line with disk and settings when the controller starts.

        What is there is ready, whoever put it there. What the settings name is tried again when it failed; what
        somebody added waits for that until it is asked for.
        """
        own = own_interpreters()
        current_runtime()
        for name in [*(() if in_cluster() else self._of().installed()), *own]:
            RasaRuntime.objects.get_or_create(version=name, defaults={"own": name in own})
        if in_cluster():  # the images are all there is
            RasaRuntime.objects.filter(version__in=own).update(own=True)
            RasaRuntime.objects.filter(own=False).delete()
        RasaRuntime.objects.filter(own=True).exclude(version__in=own).delete()
        for row in RasaRuntime.objects.exclude(state=State.REMOVING):
            if not row.own and (found := self._of().find(row.version)) is not None:
                _move(row, row.state, State.READY, **_facts(found))
            elif row.own:
                _move(row, row.state, State.WANTED)
            elif row.version == settings.RASA_VERSION or row.state != State.FAILED:
                _move(row, row.state, State.WANTED, **FACTS_GONE)

    def tick(self) -> None:
        """Begin what a row asks for, unless something is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        for row in RasaRuntime.objects.filter(state=State.READY, own=False):
            if not self._is_there(row):  # somebody removed the folder
                _move(row, State.READY, State.WANTED, **FACTS_GONE)
        asked = _next()
        if asked is not None and (work := self._work_on(asked)) is not None:
            self._thread = threading.Thread(target=self._run, args=[asked, work], name="rasa-installer", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def do_now(self, row: RasaRuntime) -> None:
        """What the row asks for, in this thread and to its end; the row says how it went."""
        if (work := self._work_on(row)) is not None:
            self._run(row, work)

    def _is_there(self, row: RasaRuntime) -> bool:
        return self._of().find(row.version) is not None

    def _work_on(self, row: RasaRuntime) -> Work | None:
        if row.state == State.READY:
            return self._measure
        if row.state == State.REMOVING:
            return self._remove
        if not _move(row, row.state, State.INSTALLING):
            return None
        return self._probe if row.own else self._install

    def _run(self, row: RasaRuntime, work: Work) -> None:
        try:
            work(row)
        except RuntimeProblem as problem:
            log.warning("Rasa not installed", message=problem.message, details=problem.details)
            _fail(row, "\n".join(filter(None, [problem.message, problem.details])), problem.mend)
        except DatabaseError:  # the row stays as it was, so the next tick finds what is on the disk
            log.warning("the database is away, the end of the installation is not written")
        except Exception:
            log.exception("installation failed")
            _fail(row, "The installation ended with an error of Parley.", "The controller's log says more. Try again.")
        finally:
            if threading.current_thread() is self._thread:
                connection.close()

    def _install(self, row: RasaRuntime) -> None:
        runtime = self._of().install(row.version, _report(row))
        _move(row, State.INSTALLING, State.READY, **_facts(runtime))
        log.info("Rasa is installed", version=row.version)
        self._measure(row)

    def _probe(self, row: RasaRuntime) -> None:
        own = own_interpreters().get(row.version)
        if own is None:
            return  # the settings changed; the next controller takes the row away
        _report(row)(Progress("check", 0, 0, "Asking it which Rasa it has"))
        runtime = _asked(own)
        _move(row, State.INSTALLING, State.READY, **_facts(runtime))
        log.info("own interpreter found", name=own.name, version=runtime.version)

    def _measure(self, row: RasaRuntime) -> None:
        runtime = self._of().find(row.version)
        if runtime is not None:
            room = room_of(runtime.folder)
            RasaRuntime.objects.filter(pk=row.pk, state=State.READY).update(
                size=room.size, freed=room.freed, **_facts(runtime)
            )

    def _remove(self, row: RasaRuntime) -> None:
        if self._of().remove(row.version, _report(row), lambda: not uses_of(row.version)):
            RasaRuntime.objects.filter(pk=row.pk, state=State.REMOVING).delete()
            log.info("Rasa is removed", version=row.version)
        else:
            words = f"It is kept, because it is used again by {spoken(uses_of(row.version))}."
            _move(row, State.REMOVING, State.READY, message=words)


def _asked(own: Own) -> Runtime:
    """What it says of itself. Raises OwnFailed."""
    if own.image:
        return ask_image(own, processes_of(own.python, settings.SERVERS_DIR / "home", own.image), settings.SERVERS_DIR)
    return probe(own, settings.RASA_DIR / "own" / own.name)


def _next() -> RasaRuntime | None:
    """What takes seconds first, then the settings' own before what was added, and housekeeping last."""
    waits = Q(state__in=[State.WANTED, State.INSTALLING, State.REMOVING])
    unmeasured = Q(state=State.READY, own=False, size=None)
    turn = Case(
        When(unmeasured, then=Value(3)),
        When(own=True, then=Value(0)),
        When(version=settings.RASA_VERSION, then=Value(1)),
        default=Value(2),
    )
    return RasaRuntime.objects.filter(waits | unmeasured).order_by(turn, "changed_at", "pk").first()


def _facts(runtime: Runtime) -> dict[str, object]:
    return {
        "release": runtime.version[:40],
        "minimum_compatible_version": runtime.minimum_compatible_version[:40],
        "python": runtime.python_version[:40],
    }


def _report(row: RasaRuntime) -> Report:
    written, step = 0.0, ""

    def report(progress: Progress) -> None:
        """Written once a second, and when a step begins: the check follows at once and then says nothing more."""
        nonlocal written, step
        if time.monotonic() - written < WRITE_SECONDS and progress.step == step:
            return
        written, step = time.monotonic(), progress.step
        _tell(row, progress)

    return report


def _tell(row: RasaRuntime, progress: Progress) -> None:
    """A database that is away must not end an installation that needs none."""
    try:
        RasaRuntime.objects.filter(pk=row.pk, state__in=[State.INSTALLING, State.REMOVING]).update(
            step=progress.message[:200], done=progress.done, total=progress.total
        )
    except DatabaseError:
        connection.close()


def _fail(row: RasaRuntime, message: str, mend: str) -> None:
    before = State.REMOVING if row.state == State.REMOVING else State.INSTALLING
    _move(row, before, State.FAILED, message=message, mend=mend, **FACTS_GONE)


def _move(row: RasaRuntime, before: str, after: str, **changes: object) -> bool:
    """Compare and set; how far the former state was is no longer true."""
    fresh = {"step": "", "done": 0, "total": 0, "message": "", "mend": "", "changed_at": timezone.now()}
    return RasaRuntime.objects.filter(pk=row.pk, state=before).update(state=after, **{**fresh, **changes}) == 1
