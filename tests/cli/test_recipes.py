"""The jobs of docs/ci.md do what they say: their shell lines, in a shell, against a Parley."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import block_of, text_of

CHECKOUT = Path(__file__).resolve().parents[2]
# What a recipe calls besides parley: an installer that finds all installed, and a Rasa that trains at once, other bytes
# each time.
PROGRAMS = {
    "pip": "exit 0",
    "rasa": 'echo "rasa $*" >> "$LOG"; if [ "$1" = train ]; then mkdir -p models; date +%N > "models/$3.tar.gz"; fi',
    "parley": f'echo "parley $*" >> "$LOG"; exec "{sys.executable}" -m parley_cli "$@"',
}
PAGE = "docs/ci.md"
SHA = "0123456789abcdef0123456789abcdef01234567"


def recipes() -> dict[str, str]:
    """The shell lines of each, by the title of its section."""
    found = {
        "Go back where it does not run": block_of(PAGE, "parley promote"),
        "Train in Parley instead": block_of(PAGE, "pip install"),
    }
    for title, block in re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(.*?)^```", text_of(PAGE), re.M | re.S):
        job = YAML(typ="safe").load(block)
        if "jobs" in job:
            release = job["jobs"]["release"]
            found[title] = _exports(release["env"]) + "\n".join(step.get("run", "") for step in release["steps"])
        else:
            found[title] = "\n".join(job["release"]["script"])
    return found


def _exports(variables: dict[str, str]) -> str:
    """What GitHub sets before a job's steps; where Parley is the test sets itself."""
    ours = {name: value for name, value in variables.items() if "secrets." not in value and "vars." not in value}
    lines = [f'export {name}="{value}"\n' for name, value in ours.items()]
    return re.sub(r"\$\{\{ github\.(\w+) \}\}", lambda found: f"$GITHUB_{found[1].upper()}", "".join(lines))


@pytest.fixture
def shell(fake, tmp_path):
    """Runs lines in bash as a CI does, at a Parley whose servers poll; gives the exit code and what was called."""
    bin_folder, project, log = tmp_path / "bin", tmp_path / "project", tmp_path / "log"
    for folder in (bin_folder, project):
        folder.mkdir()
    for name, line in PROGRAMS.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (bin_folder / name).chmod(0o755)
    (project / "domain.yml").write_text('version: "3.1"\n')
    fake.is_quick = True
    fake.server()

    runs = itertools.count(1)

    def run(lines: str) -> tuple[int, list[str]]:
        log.write_text("")
        number = str(next(runs))
        environment = {
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LOG": str(log),
            "PYTHONPATH": str(CHECKOUT / "cli" / "src"),
            "PARLEY_URL": fake.url,
            "PARLEY_TOKEN": fake.token,
            "GITHUB_SHA": SHA,
            "GITHUB_RUN_NUMBER": "57",
            "GITHUB_RUN_ATTEMPT": number,
            "CI_COMMIT_SHA": SHA,
            "CI_COMMIT_SHORT_SHA": SHA[:8],
            "CI_JOB_ID": number,
        }
        command = ["bash", "-e", "-o", "pipefail", "-c", lines]
        ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
        assert "Traceback" not in ended.stderr
        return ended.returncode, log.read_text().splitlines()

    return run


def test_there_are_recipes_for_both() -> None:
    assert set(recipes()) == {"GitHub Actions", "GitLab CI", "Go back where it does not run", "Train in Parley instead"}


@pytest.mark.parametrize(("title", "model"), [("GitHub Actions", "bot-57"), ("GitLab CI", f"bot-{SHA[:8]}")])
def test_a_model_trained_in_ci_is_released_and_once_more(fake, shell, title: str, model: str) -> None:
    code, called = shell(recipes()[title])
    assert code == 0
    assert [" ".join(line.split()[:2]) for line in called] == [
        "rasa data", "rasa train", "rasa test", "parley upload", "parley promote", "parley promote",
    ]  # fmt: skip
    assert "--fail-on-prediction-errors" in called[2]
    assert fake.tags == {"worker": f"{model}-1", "production": f"{model}-1"}
    assert [row["state"] for row in fake.promotions] == ["running", "running"]
    assert shell(recipes()[title])[0] == 0  # a job that is run again, of which Rasa makes other bytes
    assert fake.tags["production"] == f"{model}-2"


def test_a_model_trained_in_parley_is_released(fake, shell) -> None:
    fake.training_ends("done", model="otter")
    fake.test_ends(2, 2)
    code, _called = shell(recipes()["Train in Parley instead"])
    assert (code, fake.tags) == (0, {"worker": "otter", "production": "otter"})


def test_a_model_that_fails_its_tests_is_not_released(fake, shell) -> None:
    fake.training_ends("done", model="otter")
    fake.test_ends(1, 2)
    assert (shell(recipes()["Train in Parley instead"])[0], fake.tags) == (23, {})


def test_what_people_saved_in_the_pages_is_not_overwritten(fake, shell, tmp_path) -> None:
    lines = recipes()["Train in Parley instead"]
    fake.training_ends("done", model="otter")
    fake.test_ends(2, 2)
    assert shell(lines)[0] == 0
    fake.save(data__nlu="theirs: 1")
    domain = tmp_path / "project" / "domain.yml"
    domain.write_text('version: "3.1"\n# more\n')
    assert (shell(lines)[0], len(fake.revisions)) == (6, 2)
    (tmp_path / "project" / "data").mkdir()
    (tmp_path / "project" / "data" / "nlu.yml").write_text("theirs: 1")  # pulled and committed
    assert (shell(lines)[0], len(fake.revisions)) == (0, 3)
    assert fake.revisions[-1][1]["data/nlu.yml"] == b"theirs: 1"
    shutil.rmtree(tmp_path / "project" / ".parley")  # the cache is lost
    assert shell(lines)[0] == 0
    domain.write_text('version: "3.1"\n')
    shutil.rmtree(tmp_path / "project" / ".parley")
    assert (shell(lines)[0], len(fake.revisions)) == (6, 3)


@pytest.mark.parametrize("title", ["GitHub Actions", "GitLab CI"])
def test_what_does_not_load_in_worker_never_reaches_production(fake, shell, title: str) -> None:
    fake.servers[:] = [False]
    code, _called = shell(recipes()[title])
    assert (code, set(fake.tags)) == (10, {"worker"})


GO_BACK = "Go back where it does not run"


@pytest.fixture
def released(fake, shell):
    """`one` runs in production, and `two` is there; gives what goes back where `two` does not run."""
    fake.add_model("one")
    fake.add_model("two")
    fake.promote("one", "production", "ada")
    fake.advance()
    return lambda model: shell(f'export MODEL="{model}"\n{recipes()[GO_BACK]}')


def test_what_runs_stays(fake, released) -> None:
    code, called = released("two")
    assert (code, len(called), fake.tags) == (0, 1, {"production": "two"})


def test_what_does_not_load_in_production_is_taken_back(fake, released) -> None:
    fake.servers[:] = [False]
    code, called = released("two")
    assert (code, len(called), fake.tags) == (10, 2, {"production": "one"})


def test_nothing_goes_back_where_nothing_was_promoted(fake, released) -> None:
    fake.promote("two", "production", "ada")
    fake.advance()
    code, called = released("none")
    assert (code, len(called), fake.tags) == (1, 2, {"production": "two"})
