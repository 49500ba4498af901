"""An installation from docker-compose.yml, as somebody on a fresh machine makes it.

While you work on these tests: CONTAINERS_HOUSE=<folder> keeps one there, and takes it up again when it is there.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers.images import APP, CHECKOUT, RASA, compose_program
from tests.stack.programs import free_port

# What somebody needs beside the images.
FILES = ("docker-compose.yml", ".env.example", "deploy", "scripts/secrets.sh")
PROJECT = "parley-tests"
PATIENCE = 600  # seconds until all are healthy; 150 on a quiet machine of two cores


@dataclass
class House:
    folder: Path
    port: int
    project: str = PROJECT

    @property
    def url(self) -> str:
        return f"https://parley.localhost:{self.port}"

    def prepare(self) -> None:
        for name in FILES:
            source, place = CHECKOUT / name, self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, place)
        shutil.copy2(CHECKOUT / "tests/containers/parts.yml", self.folder)
        shutil.copy2(self.folder / ".env.example", self.folder / ".env")
        own = {
            "PARLEY_URL": self.url,
            "PARLEY_HTTPS_PORT": str(self.port),
            "PARLEY_IMAGE": APP,
            "PARLEY_RASA_IMAGE": RASA,
        }
        text = (self.folder / ".env").read_text()
        for name, value in own.items():
            text = re.sub(f"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        (self.folder / ".env").write_text(text)

    def make_secrets(self) -> str:
        return subprocess.run([self.folder / "scripts/secrets.sh"], capture_output=True, text=True, check=True).stdout

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text().strip()

    def try_compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The settings come from .env alone: variables of this shell would win over it."""
        files = ["--file", "docker-compose.yml", "--file", "parts.yml", "--project-name", self.project]
        kept = {
            name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or name.startswith("DOCKER")
        }
        command = [str(compose_program()), *files, *arguments]
        return subprocess.run(command, cwd=self.folder, env=kept, capture_output=True, text=True, check=False)

    def compose(self, *arguments: str) -> str:
        done = self.try_compose(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def inside(self, service: str, *command: str) -> str:
        return self.compose("exec", "--no-TTY", service, *command)

    def python(self, code: str) -> str:
        """What a line of Python says inside the web's container, with Django."""
        return self.inside("web", "python", "-W", "ignore", "manage.py", "shell", "-v0", "-c", code).strip()

    def up(self) -> None:
        self.compose("up", "--detach", "--no-build")
        self.await_health()

    def await_health(self) -> None:
        self.eventually(lambda: not self.ill(), PATIENCE, self._why)

    def ill(self) -> list[str]:
        """Services that are not (yet) healthy; a job that ended well is."""
        rows = [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]
        return [row["Name"] for row in rows if not (row["Health"] == "healthy" or _ended_well(row))]

    def _why(self) -> str:
        logs = "\n".join(
            self.try_compose("logs", "--tail", "15", name).stdout for name in self._services_of(self.ill())
        )
        return f"{self.compose('ps', '--all')}\n{logs}"

    def _services_of(self, containers: list[str]) -> list[str]:
        return sorted({name.removeprefix(f"{self.project}-").rpartition("-")[0] for name in containers})

    def eventually(self, condition: Callable[[], bool], seconds: float, why: Callable[[], str] = lambda: "") -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"It did not come about within {seconds} s.\n{why()}"
            time.sleep(2)


def _ended_well(row: dict[str, str]) -> bool:
    return row["Service"] == "migrate" and row["State"] == "exited" and row["ExitCode"] == 0


@contextmanager
def running(folder: Path) -> Iterator[House]:
    """A new one, of which nothing is left at the end; or the one that is kept."""
    kept = os.environ.get("CONTAINERS_HOUSE")
    if kept and Path(kept, ".env").is_file():
        yield House(Path(kept), int(_setting(Path(kept, ".env"), "PARLEY_HTTPS_PORT")), Path(kept).name)
        return
    house = House(Path(kept or folder), free_port(), Path(kept).name if kept else PROJECT)
    house.prepare()
    try:
        yield house
    finally:
        if not kept:
            house.make_secrets()  # Compose reads their names to take anything down
            house.compose("down", "--volumes", "--timeout", "5")


def _setting(file: Path, name: str) -> str:
    return next(line.partition("=")[2] for line in file.read_text().splitlines() if line.startswith(f"{name}="))
