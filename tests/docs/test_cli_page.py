"""The lines of docs/cli.md and docs/first-steps.md, in a shell. What a person would be asked is answered for them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.fake import FakeParley
from tests.docs.pages import CHECKOUT, block_of

PROGRAMS = {
    "pipx": 'echo "pipx $*" >> "$LOG"',
    "parley": f"""
echo "parley $*" >> "$LOG"
case $1 in
    login) printf %s "$TOKEN" | "{sys.executable}" -m parley_cli "$@" --token-stdin ;;
    push) "{sys.executable}" -m parley_cli "$@" --yes ;;
    talk) "{sys.executable}" -m parley_cli "$@" --say hello ;;
    *) "{sys.executable}" -m parley_cli "$@" ;;
esac""",
}


Typed = Callable[[str], str]


@pytest.fixture
def typed(fake: FakeParley, tmp_path: Path) -> Typed:
    """Runs lines beside a folder `my-rasa-project`; gives what they say."""
    bin_folder, project = tmp_path / "bin", tmp_path / "my-rasa-project"
    bin_folder.mkdir()
    project.mkdir()
    (project / "domain.yml").write_text('version: "3.1"\n')
    for name, lines in PROGRAMS.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (bin_folder / name).chmod(0o755)
    environment = {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LOG": str(tmp_path / "log"),
        "TOKEN": fake.token,
        "PYTHONPATH": str(CHECKOUT / "cli" / "src"),
    }

    def run(lines: str) -> str:
        ended = subprocess.run(
            ["bash", "-e", "-c", lines], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def promoted(fake: FakeParley) -> None:
    fake.is_quick = True
    fake.server()
    fake.add_model("before")
    fake.promote("before", "production", "ada")
    fake.advance()


def test_a_project_goes_live_and_back(fake: FakeParley, typed: Typed, tmp_path: Path) -> None:
    promoted(fake)
    fake.training_ends("done", model="otter")
    fake.replies.append([{"text": "Hello!"}])
    typed(block_of("docs/cli.md", "pipx install", {"https://parley.example.com": fake.url}))
    assert (tmp_path / "log").read_text().splitlines()[-1] == "parley rollback production --wait"
    assert [row["model"] for row in fake.promotions] == ["before", "otter", "before"]


def test_a_terminal_tells_what_is_live(fake: FakeParley, typed: Typed) -> None:
    promoted(fake)
    said = typed(block_of("docs/first-steps.md", "pipx install", {"http://localhost:8000": fake.url}))
    assert ["production", "before", "running"] in [line.split("\t")[:3] for line in said.splitlines()]
