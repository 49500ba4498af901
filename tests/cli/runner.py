"""Typing `parley …` in a test: in this process, in a folder and with a configuration of the test's own."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parley_cli import clock
from parley_cli.main import app
from tests.cli.worlds import World


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Parley:
    """Signed in at a world by variables, as a CI job is; what the command waits for happens meanwhile."""

    def __init__(self, world: World, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.world, self.folder, self._patch = world, folder, patch
        self._paused, self._is_still = 0.0, False
        patch.setenv("PARLEY_URL", world.url)
        patch.setenv("PARLEY_TOKEN", world.token)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.setenv("PARLEY_DEBUG", "1")
        patch.delenv("PARLEY_PROFILE", raising=False)
        patch.delenv("PARLEY_PROJECT", raising=False)
        patch.setattr(clock, "pause", self._pause)
        patch.setattr(clock, "now", lambda: time.monotonic() + self._paused)
        self.project = folder / "project"
        self.project.mkdir()
        patch.chdir(self.project)

    def _pause(self, seconds: float) -> None:
        self._paused += seconds
        if not self._is_still:
            self.world.advance()

    def nothing_happens(self) -> None:
        """Time passes and nothing else."""
        self._is_still = True

    def interrupted_while_waiting(self) -> None:
        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        self._patch.setattr(clock, "pause", interrupt)

    def at_a_terminal(self) -> None:
        """Somebody can be asked; what they answer is `typed`, secrets too."""
        self._patch.setattr("parley_cli.output.somebody_is_there", lambda: True)
        self._patch.setattr("getpass.getpass", lambda question: sys.stdin.readline())

    def without_variables(self) -> None:
        self._patch.delenv("PARLEY_URL")
        self._patch.delenv("PARLEY_TOKEN")

    def variable(self, name: str, value: str) -> None:
        self._patch.setenv(name, value)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.project / f"{name.replace('__', '/')}.yml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def read(self, name: str) -> str:
        return (self.project / name).read_text()

    def __call__(self, *words: str, typed: str | bytes = "") -> Ended:
        result = CliRunner().invoke(app, list(words), input=typed, prog_name="parley")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def done(self, *words: str, typed: str | bytes = "") -> Ended:
        ended = self(*words, typed=typed)
        assert ended.code == 0, f"{ended.code}: {ended.err}"
        return ended
