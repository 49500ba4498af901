"""`--suite NAME` writes down what a long suite has passed with, in .ci/passed, by which .ci/run knows it (.ci/digest)."""

import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[1] / ".ci"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", help="write .ci/passed/SUITE when all of its tests have passed, and none was skipped")


def pytest_configure(config: pytest.Config) -> None:
    if suite := config.getoption("--suite"):
        config.pluginmanager.register(_Suite(suite))


class _Suite:
    def __init__(self, name: str) -> None:
        self.name = name
        self.digest = _digest(name)  # what changes meanwhile is not tested
        self.is_whole = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.is_whole = self.is_whole and report.passed

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0 and self.is_whole:
            (CI / "passed").mkdir(exist_ok=True)
            (CI / "passed" / self.name).write_text(self.digest)


def _digest(name: str) -> str:
    return subprocess.run([CI / "digest", name], stdout=subprocess.PIPE, text=True, check=True).stdout
