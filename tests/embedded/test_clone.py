"""The lines of docs/first-steps.md, typed: what is committed is cloned, brings what it needs, starts and ends."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.docs.pages import CHECKOUT, block_of
from tests.embedded.installation import Installation, wait_until

pytestmark = pytest.mark.stack


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
    os.killpg(house.launcher.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    house.exit_code()
    assert not house.processes()
