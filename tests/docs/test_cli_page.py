"""The lines at the top of docs/cli.md, in a shell. What a person would be asked is answered for them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.fake import FakeParley
from tests.docs.pages import CHECKOUT, block_of

PAGE = "docs/cli.md"
PROGRAMS = {
    "pip": 'echo "pip $*" >> "$LOG"',
    "parley": f"""
echo "parley $*" >> "$LOG"
case $1 in
    login) printf %s "$TOKEN" | "{sys.executable}" -m parley_cli "$@" --token-stdin ;;
    push) "{sys.executable}" -m parley_cli "$@" --yes ;;
    talk) "{sys.executable}" -m parley_cli "$@" --say hello ;;
    *) "{sys.executable}" -m parley_cli "$@" ;;
esac""",
}


def test_a_project_goes_live_and_back(fake: FakeParley, tmp_path: Path) -> None:
    bin_folder, project, log = tmp_path / "bin", tmp_path / "my-rasa-project", tmp_path / "log"
    bin_folder.mkdir()
    project.mkdir()
    (project / "domain.yml").write_text('version: "3.1"\n')
    for name, lines in PROGRAMS.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (bin_folder / name).chmod(0o755)
    fake.is_quick = True
    fake.server()
    fake.add_model("before")
    fake.promote("before", "production", "ada")
    fake.advance()
    fake.training_ends("done", model="otter")
    fake.replies.append([{"text": "Hello!"}])
    environment = {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LOG": str(log),
        "TOKEN": fake.token,
        "PYTHONPATH": str(CHECKOUT / "cli" / "src"),
    }
    lines = block_of(PAGE, "pip install").replace("https://parley.example.com", fake.url)
    ended = subprocess.run(
        ["bash", "-e", "-c", lines], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert log.read_text().splitlines()[-1] == "parley rollback production --wait"
    assert [row["model"] for row in fake.promotions] == ["before", "otter", "before"]
