"""An installation from docker-compose.yml, as somebody on a fresh machine makes it.

While you work on these tests: CONTAINERS_HOUSE=<folder> keeps one there, and takes it up again when it is there.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers.images import APP, CHECKOUT, RASA, docker_variables, set_aside
from tests.docs.pages import block_of
from tests.stack.programs import free_port

PAGE = "docs/containers.md"
PROJECT = "parley-tests"
PORT = "port"  # a file that keeps it, for who takes the house up again
PATIENCE = 600  # seconds until all are healthy; 150 on a quiet machine of two cores


@dataclass
class House:
    folder: Path
    port: int
    project: str = PROJECT

    @property
    def url(self) -> str:
        return f"https://parley.localhost:{self.port}"

    @property
    def origin(self) -> Path:
        """Where `git pull` takes from."""
        return self.folder.with_name(f"{self.folder.name}-origin")

    @property
    def variables(self) -> dict[str, str]:
        """Those of the shell, which win over .env: an address and images of its own. Nothing else of this machine's."""
        kept = {
            name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or name.startswith("DOCKER")
        }
        own = {
            "COMPOSE_FILE": "docker-compose.yml:tests/containers/parts.yml",
            "COMPOSE_PROJECT_NAME": self.project,
            "PARLEY_URL": self.url,
            "PARLEY_HTTPS_PORT": str(self.port),
            "PARLEY_IMAGE": APP,
            "PARLEY_RASA_IMAGE": RASA,
        }
        return {**kept, **docker_variables(), **own}

    def prepare(self) -> None:
        """A clone of what is in this checkout now, committed or not."""
        for name in _git(CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
            if name and (CHECKOUT / name).exists():
                place = self.origin / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / name, place)
        _git(self.origin, "init", "--quiet")
        self._commit("begin")
        _git(self.origin.parent, "clone", "--quiet", str(self.origin), str(self.folder))
        (self.folder / PORT).write_text(str(self.port))

    def publish(self, name: str, text: str) -> None:
        """A newer version of a file, which `git pull` brings."""
        (self.origin / name).write_text(text)
        self._commit(f"change {name}")

    def _commit(self, message: str) -> None:
        _git(self.origin, "add", "--all")
        who = ("-c", "user.name=Parley", "-c", "user.email=parley@example.com", "-c", "commit.gpgsign=false")
        _git(self.origin, *who, "commit", "--quiet", "--message", message)

    def typed(self, beginning: str, ours: dict[str, str] | None = None, **variables: str) -> None:
        """A block of the page, as somebody types it here."""
        text = block_of(PAGE, beginning, ours)
        done = self._run(["bash", "-e", "-c", text], **variables)
        assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"

    def make_secrets(self) -> str:
        return subprocess.run([self.folder / "scripts/secrets.sh"], capture_output=True, text=True, check=True).stdout

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text().strip()

    def try_compose(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._run(["docker", "compose", *arguments], **variables)

    def _run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE * 2,
        )

    def compose(self, *arguments: str) -> str:
        done = self.try_compose(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def inside(self, service: str, *command: str) -> str:
        return self.compose("exec", "--no-TTY", service, *command)

    def python(self, code: str) -> str:
        """What a line of Python says inside the web's container, with Django."""
        return self.inside("web", "python", "-W", "ignore", "manage.py", "shell", "-v0", "-c", code).strip()

    def await_health(self) -> None:
        self.eventually(lambda: not self.ill(), PATIENCE, self._why)

    def ill(self) -> list[str]:
        """Services that are not (yet) healthy; a job that ended well is."""
        rows = [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]
        return [row["Name"] for row in rows if not (row["Health"] == "healthy" or _ended_well(row))]

    def remove(self) -> None:
        """Also before there are secrets: Compose wants to know their folder, to take anything down."""
        down = self.try_compose("down", "--volumes", "--timeout", "5", PARLEY_SECRETS="secrets")
        assert down.returncode == 0, down.stderr

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


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@contextmanager
def running(folder: Path) -> Iterator[House]:
    """A new one, of which nothing is left at the end; or the one that is kept."""
    kept = os.environ.get("CONTAINERS_HOUSE")
    if kept and Path(kept, PORT).is_file():
        yield House(Path(kept), int(Path(kept, PORT).read_text()), Path(kept).name)
        return
    house = House(Path(kept or folder), free_port(), Path(kept).name if kept else PROJECT)
    house.prepare()
    set_aside()
    try:
        yield house
    finally:
        if not kept:
            house.remove()
