"""Whether the index has a version, as uv tells it. The uv here is a script."""

import pytest

from studio.rasa import index
from studio.rasa.problems import NoSuchVersion, OtherPython, problem_of_uv
from tests.rasa.test_runtime import program

NONE = (
    "error: No solution found when resolving dependencies\\n  cause: Because there is no version of rasa==3.6.99 and "
    "you require rasa==3.6.99, we can conclude that your requirements are unsatisfiable."
)


def uv(tmp_path, monkeypatch, script: str) -> None:
    made = str(program(tmp_path / "uv", script))  # once: two threads ask for it
    monkeypatch.setattr(index, "find_uv", lambda: made)


def test_a_version_that_is_there_passes(tmp_path, monkeypatch):
    uv(tmp_path, monkeypatch, "read asked; echo rasa==3.6.20")
    index.check_exists("3.6.20")


def test_a_version_that_is_missing_names_the_newest(tmp_path, monkeypatch):
    uv(
        tmp_path,
        monkeypatch,
        f'read -r asked; case "$asked" in rasa==*) printf "{NONE}" >&2; exit 1;; esac; echo rasa==3.6.21',
    )
    with pytest.raises(NoSuchVersion, match=r"no Rasa 3\.6\.99. The newest that it has is 3\.6\.21"):
        index.check_exists("3.6.99")


def test_an_index_that_does_not_answer_leaves_it_to_the_installation(tmp_path, monkeypatch):
    uv(tmp_path, monkeypatch, "echo 'error: Request failed after 3 retries: dns error' >&2; exit 2")
    index.check_exists("3.6.20")


def test_a_uv_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "SECONDS", 0.2)
    uv(tmp_path, monkeypatch, "exec sleep 30")
    index.check_exists("3.6.20")


def test_an_installation_that_finds_no_such_version_says_so_too():
    problem = problem_of_uv(NONE.replace("\\n", "\n"), making_environment=False)
    assert isinstance(problem, NoSuchVersion)
    assert "no Rasa 3.6.99." in problem.message


def test_a_rasa_for_another_python_says_so():
    said = (
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because the current Python version (3.10.13) does not "
        "satisfy Python>=3.7,<3.9 and rasa==3.1.0 depends on Python>=3.7,<3.9, we can conclude that …"
    )
    problem = problem_of_uv(said, making_environment=False)
    assert isinstance(problem, OtherPython)
    assert "Python>=3.7,<3.9" in problem.details
