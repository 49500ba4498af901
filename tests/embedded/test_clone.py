"""The lines of docs/first-steps.md, typed: what is committed is cloned, brings what it needs, starts and ends.

Those of docs/one-machine.md that ask and back up what runs are typed meanwhile.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.docs.pages import CHECKOUT, block_of
from tests.embedded.installation import Installation, wait_until

pytestmark = pytest.mark.stack

# Whoever runs the tests stands for the page's user.
SUDO = """#!/bin/sh
[ "$1 $2" = "-u parley" ] || exit 2
shift 2
exec "$@"
"""


def test_a_fresh_clone_runs(installations: Callable[[], Installation]) -> None:
    lines = block_of("docs/first-steps.md", "git clone")
    assert lines.endswith(f"\n{block_of('README.md', 'make run')}")
    house = installations()
    house.settings = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{CHECKOUT}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.example.com/parley.git",
    }
    folder = house.folders.data.parent
    house.type(["bash", "-e", "-c", lines], folder)
    wait_until(lambda: "Parley starts" in house.said() or house.has_exited(), "the packages")
    wait_until(lambda: "Ctrl-C stops everything" in house.said() or house.has_exited(), "the clone to start")
    assert house.launcher is not None and house.answers(), house.said()
    assert all(line in house.said() for line in ("  User name   admin", "  Password    ", "  Sign in     http"))
    assert house.process("gunicorn").cwd() == str(folder / "parley")
    wait_until(lambda: {"schedule", "background worker"} <= well(house), "the processes that it cannot be without")
    assert_asked_and_backed_up(house, folder / "parley")
    os.killpg(house.launcher.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    house.exit_code()
    assert not house.processes()


def well(house: Installation) -> set[str]:
    """The parts that work."""
    parts = requests.get(f"http://127.0.0.1:{house.port}/readyz", timeout=20).json()["parts"]
    return {name for name, part in parts.items() if part["status"] == "ok"}


def assert_asked_and_backed_up(house: Installation, checkout: Path) -> None:
    """In a shell that knows no settings: where the data are stands in `.env` of the checkout, as on the page."""
    folder = checkout.parent
    (checkout / ".env").write_text(f"PARLEY_DATA={house.folders.data}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "sudo").write_text(SUDO)
    (folder / "bin" / "sudo").chmod(0o755)
    ours = {"/srv/parley": str(checkout), "/srv/backups": str(folder / "backups")}
    lines = block_of("docs/one-machine.md", "cd /srv/parley\nsudo", ours)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-e", "-c", lines],
        env={"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ok   database: PostgreSQL" in ended.stdout
    assert json.loads((folder / "backups" / "monday" / "manifest.json").read_text())["missing"] == []
