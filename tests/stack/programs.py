"""What the suites that start programs have in common."""

import shutil
import socket
import time
from collections.abc import Callable

import pytest


def need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        pytest.fail(f"These tests need {program}, which is not on this machine: install {package}.")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def eventually(condition: Callable[[], bool], seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)
