"""The whole round by hand: the command in an environment of its own, what `make run` starts, and a real Rasa."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.docs.pages import CHECKOUT, block_of
from tests.embedded.installation import Installation, open_folder
from tests.rasa_fixtures import SMALL, runtime_folder

pytestmark = pytest.mark.rasa

PASSWORD = "correct-horse-battery"
LONG = 900  # seconds: a training or a Rasa that starts, on a machine with other work


class Terminal:
    """Runs the installed `parley` in a project's folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.project, self.home = url, folder / "project", folder / "home"
        for path in (self.project, self.home):
            path.mkdir()
        environment = folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        self._install(environment)
        self._parley = environment / "bin" / "parley"

    def _install(self, environment: Path) -> None:
        command = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", CHECKOUT / "cli"]
        subprocess.run(command, check=True)
        found = subprocess.run(
            [environment / "bin" / "python", "-c", "import django"], capture_output=True, check=False
        )
        assert found.returncode != 0, "the command needs nothing of the house"

    def run(self, *words: str, typed: str = "", code: int = 0) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        ended = subprocess.run(
            [self._parley, *words],
            cwd=self.project,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
        assert ended.returncode == code, f"parley {' '.join(words)}: {ended.returncode}\n{ended.stderr}"
        return ended.stdout.strip()

    def write(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (self.project / name).parent.mkdir(exist_ok=True)
            (self.project / name).write_bytes(content)


def run_production_here(url: str) -> None:
    """What one does once on the environment's page."""
    signed_in = requests.post(f"{url}/api/auth", json={"username": "admin", "password": PASSWORD}, timeout=30)
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    address = f"{url}/api/projects/default/environments/production"
    assert requests.put(address, json={"kind": "managed"}, headers=headers, timeout=30).status_code == 200


@pytest.fixture(scope="module")
def terminal(rasa_runtime: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    settings = {"PARLEY_RASA": str(runtime_folder()), "PARLEY_ADMIN_PASSWORD": PASSWORD}
    house = Installation(open_folder(), settings=settings)
    try:
        house.start()
        run_production_here(f"http://localhost:{house.port}")
        yield Terminal(tmp_path_factory.mktemp("cli"), f"http://localhost:{house.port}")
    finally:
        house.clean()


def test_push_train_promote_talk_and_back(terminal: Terminal) -> None:
    terminal.run("login", "--url", terminal.url, "--username", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    terminal.run("init")
    terminal.write(SMALL)
    terminal.run("push", "--yes", "--message", "first")
    first = terminal.run("train")
    _parley, *words = shlex.split(block_of("docs/promotion.md", "parley promote", {"calm-otter": first}))
    terminal.run(*words, "--timeout", "800")
    assert terminal.run("talk", "--say", "hello") == "Hello"

    changed = SMALL["domain.yml"].replace(b"text: Hello", b"text: Good day")
    terminal.write({"domain.yml": changed})
    terminal.run("push", "--yes")
    second = terminal.run("train")
    assert second != first
    terminal.run("promote", second, "--to", "production", "--wait", "--expected-current", first)
    assert terminal.run("talk", "--say", "hello") == "Good day"

    terminal.run("rollback", "production", "--wait")
    assert terminal.run("talk", "--say", "hello") == "Hello"
    assert terminal.run("status").splitlines()[0].split("\t")[:4] == ["production", first, "running", "1 of 1"]


def test_a_model_goes_out_and_comes_back(terminal: Terminal) -> None:
    model = terminal.run("models", "--limit", "1").split("\t")[0]
    terminal.run("download", model)
    assert terminal.run("upload", f"{model}.tar.gz", "--name", "again") == "again"
    terminal.run("tag", "again", "candidate")
    assert terminal.run("models", "--tag", "candidate").split("\t")[0] == "again"
    assert terminal.run("upload", f"{model}.tar.gz") == model
