"""A whole installation in a folder of its own, started by the launcher as `make run` does it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil

from studio.embedded import leftovers
from studio.embedded.config import CHECKOUT
from studio.embedded.folders import Folders
from studio.embedded.ports import free_port

PATIENCE = 400.0  # the machine may be busy with other tests


class Installation:
    """Starts, kills and stops one. `settings` are environment variables beside those that every test's needs."""

    def __init__(self, root: Path, *, port: int | None = None, settings: dict[str, str] | None = None) -> None:
        self.settings = settings or {}
        self.folders = Folders(root / "data")
        self.port = port or free_port()
        self.output = root / "output"
        self.launcher: subprocess.Popen[bytes] | None = None

    def launch(self, *arguments: str) -> None:
        """`run`, or what is said instead."""
        self.type([sys.executable, "-m", "studio.embedded", *(arguments or ("run",))], CHECKOUT)

    def type(self, command: Sequence[str], folder: Path) -> None:
        """A command that starts it, in a shell with its settings."""
        own = {name: value for name, value in os.environ.items() if not _of_this_test_run(name)}
        settings = {"PARLEY_DATA": str(self.folders.data), "PORT": str(self.port), "PARLEY_STARTER": "0"}
        with self.output.open("wb") as output:
            self.launcher = subprocess.Popen(
                command,
                cwd=folder,
                env={**own, **settings, "RASA_PYTHON": "/nonexistent", **self.settings},
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(self) -> None:
        self.launch()
        wait_until(lambda: "Parley is running" in self.said() or self.has_exited(), "the launcher to finish starting")
        assert not self.has_exited(), self.said()

    def manage(self, *arguments: str) -> str:
        """What `manage.py` says that somebody types by hand, in a shell that knows the folder alone."""
        environment = {"PATH": os.environ["PATH"], "PARLEY_DATA": str(self.folders.data)}
        command = [sys.executable, "manage.py", *arguments]
        result = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def said(self) -> str:
        return self.output.read_text()

    def has_exited(self) -> bool:
        return self.launcher is None or self.launcher.poll() is not None

    def exit_code(self) -> int:
        assert self.launcher is not None
        return self.launcher.wait(PATIENCE)

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        assert self.launcher is not None
        self.launcher.send_signal(signal.SIGINT)
        return self.exit_code()

    def processes(self) -> list[psutil.Process]:
        return leftovers.find(self.folders)

    def process(self, word: str) -> psutil.Process:
        """The eldest process with `word` on its command line."""
        found = [process for process in self.processes() if word in " ".join(typed(process))]
        return min(found, key=lambda process: (process.create_time(), process.pid))

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=20) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def setting(self, name: str) -> str:
        """A value of the file from which `manage.py` typed by hand learns where everything is."""
        lines = (self.folders.run / "parley.env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))

    def kill_everything(self) -> None:
        """kill -9 of all, the launcher first, and none of them asked."""
        found = [*([psutil.Process(self.launcher.pid)] if self.launcher else []), *self.processes()]
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=10)
        if self.launcher is not None:
            self.launcher.wait(10)

    def clean(self) -> None:
        if self.launcher is not None and self.launcher.poll() is None:
            self.launcher.kill()
            self.launcher.wait()
        leftovers.end(self.folders)
        remove(self.folders)


def remove(folders: Folders) -> None:
    """All of an installation, also what is behind links."""
    if folders.postgres.is_symlink():
        shutil.rmtree(folders.postgres.resolve().parent, ignore_errors=True)
    for note in folders.run.glob("*.elsewhere"):
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(folders.data.parent, ignore_errors=True)


def open_folder() -> Path:
    """A temporary folder that PostgreSQL's own user may pass through; pytest's are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="parley-launch-")).resolve()
    folder.chmod(0o711)
    return folder


def wait_until(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.1)


def typed(process: psutil.Process) -> list[str]:
    """Its command line; nothing when it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _of_this_test_run(name: str) -> bool:
    return name.startswith(("PARLEY_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PYTEST_"))
