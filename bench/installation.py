"""A whole installation with data of its own, started by the launcher as `make run` does it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.ground import CHECKOUT, free_port
from bench.rows import NotRun

if TYPE_CHECKING:
    from environments.models import Environment
    from models_app.models import Assistant, TrainingJob
    from studio.rasa.runtime import Runtime, Runtimes

LAUNCHER = (sys.executable, "-m", "studio.embedded", "run", "--end-with-parent")
ADMIN_PASSWORD = "of this benchmark alone"
PATIENCE = 300.0
INSTALLING = 1800.0  # Rasa, where it has to be downloaded
T = TypeVar("T")


@dataclass(frozen=True)
class Installation:
    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        return (self.folder / "output").read_text()

    def wait(self, found: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
        """What `found` gives as soon as it gives something; asked ten times a second."""
        until = time.monotonic() + seconds
        while not (value := found()):
            if self.process.poll() is not None:
                raise RuntimeError(f"The installation ended before {what}:\n{self.said()}")
            if time.monotonic() > until:
                raise RuntimeError(f"Waited {seconds:.0f} s in vain for {what}:\n{self.said()}")
            time.sleep(0.1)
        return value

    def use(self) -> None:
        """Let Django in this process work on the installation, as `manage.py` typed by hand does."""
        import django

        os.environ |= {"PARLEY_DATA": str(self.data), "DJANGO_SETTINGS_MODULE": "studio.settings"}
        django.setup()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """PostgreSQL's own user has to pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="parley-bench-")).resolve()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def started(
    command: tuple[str, ...], folder: Path, *, checkout: Path = CHECKOUT, environment: dict[str, str]
) -> Iterator[Installation]:
    """Run `command` as somebody would at a terminal; its data is in `folder`. Ended by Ctrl-C."""
    port = free_port()
    own = {"PARLEY_DATA": str(folder / "data"), "PORT": str(port), "PARLEY_ADMIN_PASSWORD": ADMIN_PASSWORD}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=checkout,
            env={**environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Installation(folder, port, process)
    finally:
        _interrupt(process)


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C goes to the whole group, as a terminal sends it; the launcher then ends all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    process.wait(PATIENCE)


@contextlib.contextmanager
def installation(**settings: str) -> Iterator[Installation]:
    """One with an empty assistant `default`, with Rasa installed, for this process's Django."""
    from studio.rasa.runtime import Runtimes

    environment = {**os.environ, "PARLEY_STARTER": "0", "PARLEY_RASA": str(runtime_folder()), **settings}
    with temporary_folder() as folder, started(LAUNCHER, folder, environment=environment) as house:
        house.wait(lambda: "Parley is running" in house.said() or None, "its start")
        house.use()
        from django.conf import settings as found

        runtimes = Runtimes(runtime_folder())
        house.wait(lambda: _installed(runtimes, found.RASA_VERSION), "Rasa", INSTALLING)
        yield house


def runtime_folder() -> Path:
    """Where Rasa is already, or will be kept: 2.7 GB that no benchmark should install each time."""
    beside = CHECKOUT / "var" / "rasa"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "rasa"
    return Path(os.environ.get("PARLEY_RASA") or (beside if beside.is_dir() else cache))


def _installed(runtimes: "Runtimes", version: str) -> "Runtime | None":
    """None while it is being installed. Raises NotRun when that failed."""
    from studio.rasa.models import RasaRuntime
    from studio.rasa.services import current_runtime

    found = runtimes.find(version)
    row = current_runtime()
    if found is None and row.state == RasaRuntime.State.FAILED:
        raise NotRun(f"Rasa could not be installed: {row.message}")
    return found


def default_assistant() -> "Assistant":
    from models_app.models import Assistant

    return Assistant.objects.current().get(slug="default")


def production() -> "Environment":
    from environments.models import Environment

    return Environment.objects.current().get(assistant=default_assistant(), name="production")


def ended_well(job: "TrainingJob") -> bool | None:
    """None while it is under way."""
    job.refresh_from_db()
    if job.is_ended and job.state != job.State.DONE:
        raise RuntimeError(f"The training ended as {job.state}: {job.message}")
    return job.is_ended or None
