"""How it ends when nobody reads what it says."""

import os
import subprocess
import sys

import pytest

from tests.cli.worlds import DOMAIN


@pytest.fixture
def run(with_fake):
    """A `parley` of its own with broken or closed streams; its exit code and what came by those that hold."""

    def run(*words: str, broken: str = "", closed: str = "") -> tuple[int, str]:
        reader, writer = os.pipe()
        os.close(reader)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **({broken: writer} if broken else {})}
        line = f'exec "$@" {closed}'
        command = ["bash", "-c", line, "bash", sys.executable, "-m", "parley_cli", *words]
        source = os.pathsep.join(path for path in sys.path if path.endswith("cli/src"))
        ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": source}, timeout=60, text=True, **streams)
        os.close(writer)
        return ended.returncode, (ended.stdout or "") + (ended.stderr or "")

    with_fake.world.is_quick = True
    with_fake.world.save(domain=DOMAIN)
    with_fake.world.add_model("mink")
    return run


@pytest.mark.parametrize(("state", "ended"), [("failed", (20, "")), ("done", (0, "otter\n"))])
def test_a_training_goes_on_when_nobody_reads_its_log(with_fake, run, state, ended) -> None:
    with_fake.world.training_ends(state, lines="Epochs: 1\n", model="otter")
    assert run("train", broken="stderr") == ended


@pytest.mark.parametrize(("words", "code"), [(["models"], 0), (["models", "--json"], 0), (["promote", "mink"], 141)])
def test_a_list_may_be_left_early_and_a_result_is_to_be_read(run, words, code) -> None:
    to = ["--to", "production"] if words == ["promote", "mink"] else []
    assert run(*words, *to, broken="stdout") == (code, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(run, closed) -> None:
    code, said = run("models", closed=closed)
    assert (code, "Traceback" in said, said.startswith("mink\t")) == (0, False, closed in ("2>&-", "<&-"))
