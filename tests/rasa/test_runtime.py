import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from studio.rasa import adopt, problems, runtime
from studio.rasa.interpreter import find_interpreter, version_of
from studio.rasa.runtime import MARKER, Progress, Runtimes
from tests.rasa.implementations import eventually


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def a_runtime(folder: Path) -> Path:
    """What a whole installation leaves, as far as `find` looks."""
    place = folder / "3.6.21"
    program(place / "bin" / "python", "exit 0")
    (place / MARKER).write_text(json.dumps({"minimum_compatible_version": "3.6.21"}))
    return place


# --- Finding ------------------------------------------------------------------------------------------------------


def test_a_whole_runtime_is_found(tmp_path):
    place = a_runtime(tmp_path)
    found = Runtimes(tmp_path).find("3.6.21")
    assert found is not None
    assert (found.python, found.minimum_compatible_version) == (place / "bin" / "python", "3.6.21")


def test_what_a_killed_installation_left_is_not_taken_for_a_runtime(tmp_path):
    (a_runtime(tmp_path) / MARKER).unlink()
    assert Runtimes(tmp_path).find("3.6.21") is None


def test_a_runtime_whose_interpreter_was_removed_is_missing(tmp_path):
    (a_runtime(tmp_path) / "bin" / "python").unlink()
    assert Runtimes(tmp_path).find("3.6.21") is None


def test_no_folder_is_no_runtime(tmp_path):
    assert Runtimes(tmp_path / "none").find("3.6.21") is None


def test_installing_what_is_there_does_nothing(tmp_path):
    place = a_runtime(tmp_path)
    said: list[Progress] = []
    assert Runtimes(tmp_path).install("3.6.21", said.append).folder == place
    assert [progress.step for progress in said] == ["done"]


# --- The interpreter ----------------------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Path:
    """A machine with nothing on PATH and an empty home."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    return tmp_path


def test_a_python_on_path_is_taken_if_it_runs(bare):
    good = program(bare / "bin" / "python3.10", "echo 3.10")
    assert find_interpreter(None) == str(good)


def test_a_shim_that_does_not_run_is_passed_over_for_one_of_pyenv(bare):
    program(bare / "bin" / "python3.10", "exit 127")
    good = program(bare / "home" / ".pyenv" / "versions" / "3.10.13" / "bin" / "python3.10", "echo 3.10")
    assert find_interpreter(None) == str(good)


def test_pyenv_elsewhere_is_found_by_its_root(bare, monkeypatch):
    good = program(bare / "pyenv" / "versions" / "3.10.4" / "bin" / "python3.10", "echo 3.10")
    monkeypatch.setenv("PYENV_ROOT", str(bare / "pyenv"))
    assert find_interpreter(None) == str(good)


def test_a_python_without_the_modules_that_rasa_needs_is_passed_over(bare):
    program(bare / "bin" / "python3.10", "echo no sqlite3 >&2; exit 1")
    assert find_interpreter(None) is None


def test_a_named_interpreter_comes_first(bare):
    program(bare / "bin" / "python3.10", "echo 3.10")
    named = program(bare / "mine" / "python", "echo 3.9")
    assert find_interpreter(str(named)) == str(named)


@pytest.mark.parametrize("says", ["echo 3.12", "exit 127"])
def test_a_named_interpreter_that_cannot_serve_is_an_error_and_not_passed_over(bare, says):
    program(bare / "bin" / "python3.10", "echo 3.10")
    named = program(bare / "mine" / "python", says)
    with pytest.raises(problems.WrongInterpreter, match="RASA_PYTHON"):
        find_interpreter(str(named))


def test_a_named_interpreter_that_is_missing_is_an_error(bare):
    with pytest.raises(problems.WrongInterpreter, match="does not run"):
        find_interpreter(str(bare / "none"))


def test_this_very_python_is_a_whole_one():
    assert version_of(sys.executable) == f"{sys.version_info.major}.{sys.version_info.minor}"


# --- Failing ------------------------------------------------------------------------------------------------------


def install_with(uv: str, tmp_path: Path, monkeypatch) -> list[Progress]:
    """Try to install with a `uv` that is the given shell script."""
    monkeypatch.setattr(runtime, "find_uv", lambda: str(program(tmp_path / "uv", uv)))
    monkeypatch.setattr(runtime, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(runtime, "find_interpreter", lambda _named: "/usr/bin/python3.10")
    said: list[Progress] = []
    Runtimes(tmp_path / "rasa").install("3.6.21", said.append)
    return said


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("error: Failed to fetch: `https://index/simple/rasa/`\n  Caused by: dns error", problems.NoNetwork),
        (
            "error: Failed to fetch: `https://index/simple/rasa/`\n"
            "  cause: client error (Connect)\n  cause: invalid peer certificate: UnknownIssuer",
            problems.UntrustedIndex,
        ),
        ("error: Failed to extract archive\n  Caused by: No space left on device (os error 28)", problems.DiskFull),
        ("  × No solution found when resolving dependencies", problems.InstallFailed),
    ],
)
def test_each_failure_of_the_installer_has_its_own_name(tmp_path, monkeypatch, output, problem):
    (tmp_path / "said").write_text(output)
    with pytest.raises(problem) as failure:
        install_with(f'[ "$1" = venv ] || {{ cat {tmp_path}/said >&2; exit 2; }}', tmp_path, monkeypatch)
    assert failure.value.message
    assert failure.value.mend


def test_an_installer_that_was_killed_is_told_as_that(tmp_path, monkeypatch):
    with pytest.raises(problems.InstallerKilled, match="signal 9"):
        install_with('[ "$1" = venv ] || kill -9 $$', tmp_path, monkeypatch)


def test_the_words_of_a_full_disk_say_which_one(tmp_path, monkeypatch):
    words = "error: failed to write to /cache/uv: No space left on device (os error 28)"
    with pytest.raises(problems.DiskFull) as failure:
        install_with(f'[ "$1" = venv ] || {{ echo "{words}" >&2; exit 2; }}', tmp_path, monkeypatch)
    assert "/cache/uv" in failure.value.details


def test_the_installers_own_last_words_are_kept(tmp_path, monkeypatch):
    with pytest.raises(problems.InstallFailed) as failure:
        install_with('[ "$1" = venv ] || { echo "rasa needs a newer glibc" >&2; exit 1; }', tmp_path, monkeypatch)
    assert failure.value.details == "rasa needs a newer glibc"


def test_a_python_that_cannot_be_downloaded_is_no_python(tmp_path, monkeypatch):
    with pytest.raises(problems.NoPython, match=r"Python 3\.10"):
        install_with('echo "error: Request failed after 3 retries: dns error" >&2; exit 2', tmp_path, monkeypatch)


def test_too_little_room_is_told_before_anything_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "NEEDED_BYTES", 10**18)
    with pytest.raises(problems.DiskFull, match="are needed"):
        install_with("touch ran; exit 1", tmp_path, monkeypatch)


def test_a_runtime_that_does_not_start_is_not_marked_as_whole(tmp_path, monkeypatch):
    make = f'[ "$1" != venv ] || {{ mkdir -p "$4/bin"; cp {tmp_path}/broken "$4/bin/python"; }}'
    program(tmp_path / "broken", "echo libgomp.so.1 is missing >&2; exit 1")
    with pytest.raises(problems.CheckFailed) as failure:
        install_with(make, tmp_path, monkeypatch)
    assert "libgomp" in failure.value.details
    assert Runtimes(tmp_path / "rasa").find("3.6.21") is None


def test_the_check_compiles_the_largest_part_beside_it_and_does_not_wait_for_that(tmp_path, monkeypatch):
    facts = json.dumps({"version": "3.6.21", "python": "3.10.13", "minimum_compatible_version": "3.6.0"})
    make = f'[ "$1" != venv ] || {{ mkdir -p "$4/bin"; cp {tmp_path}/fake "$4/bin/python"; }}'
    here = f"touch {tmp_path}/beside; exec sleep 60"
    wait = f"until [ -e {tmp_path}/beside ]; do sleep 0.01; done"
    program(tmp_path / "fake", f"case $4 in 'import tensorflow') {here};; esac; {wait}; echo '{facts}'")
    began = time.monotonic()
    install_with(make, tmp_path, monkeypatch)
    assert time.monotonic() - began < 30
    found = Runtimes(tmp_path / "rasa").find("3.6.21")
    assert found is not None
    assert found.minimum_compatible_version == "3.6.0"


def test_the_rest_of_a_killed_installation_is_cleared_away(tmp_path, monkeypatch):
    rest = tmp_path / "rasa" / "3.6.21" / "half"
    rest.mkdir(parents=True)
    with pytest.raises(problems.InstallFailed):
        install_with("exit 1", tmp_path, monkeypatch)
    assert not rest.exists()


def test_progress_names_what_is_being_done(tmp_path, monkeypatch):
    steps: list[Progress] = []
    monkeypatch.setattr(
        runtime, "find_uv", lambda: str(program(tmp_path / "uv", "echo 'Downloading tensorflow (558.8MiB)' >&2"))
    )
    monkeypatch.setattr(runtime, "find_interpreter", lambda _named: None)
    monkeypatch.setattr(runtime, "TICK_SECONDS", 0.01)
    with pytest.raises((problems.CheckFailed, OSError)):
        Runtimes(tmp_path / "rasa").install("3.6.21", steps.append)
    assert "Downloading tensorflow (558.8MiB)" in [progress.message for progress in steps]
    assert all(0 <= progress.done <= progress.total for progress in steps)


def test_a_second_installer_waits_and_finds_what_the_first_made(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "TICK_SECONDS", 0.01)
    waiting = threading.Event()
    found = []

    def report(progress: Progress) -> None:
        if progress.step == "waiting":
            waiting.set()

    with (tmp_path / "3.6.21.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: found.append(Runtimes(tmp_path).install("3.6.21", report)))
        second.start()
        assert waiting.wait(60)
        a_runtime(tmp_path)
    second.join(60)
    assert found[0].version == "3.6.21"


def test_uv_holds_the_lock_when_its_installer_is_killed(tmp_path):
    """Else the next installer would clear the folder away under an uv that still writes into it."""
    uv = program(tmp_path / "uv", f"echo $$ > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/pid; exec sleep 60")
    code = (
        "from pathlib import Path; from studio.rasa import runtime\n"
        f"runtime.find_uv = lambda: {str(uv)!r}\n"
        "runtime.find_interpreter = lambda _named: None\n"
        f"runtime.Runtimes(Path({str(tmp_path)!r})).install('3.6.21', lambda _progress: None)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as installer:
        assert eventually((tmp_path / "pid").exists)
        installer.kill()
    with (tmp_path / "3.6.21.lock").open() as lock:
        assert not can_lock(lock)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert eventually(lambda: can_lock(lock))


def can_lock(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.mark.rasa
def test_the_real_runtime_says_what_it_is(rasa_runtime):
    said = subprocess.run([str(rasa_runtime.python), "-m", "rasa", "--version"], capture_output=True, text=True)
    assert f"Rasa Version      :         {rasa_runtime.version}" in said.stdout
    assert rasa_runtime.minimum_compatible_version == "3.6.21"


def test_one_that_an_image_s_build_installed_is_proved_and_then_found(tmp_path, monkeypatch, capsys):
    facts = {"version": "3.6.21", "python": "3.10.13", "minimum_compatible_version": "3.5.0"}
    program(tmp_path / "3.6.21" / "bin" / "python", f"echo '{json.dumps(facts)}'")
    monkeypatch.setenv("PARLEY_RASA", str(tmp_path))
    assert Runtimes(tmp_path).find("3.6.21") is None
    assert adopt.main() == 0
    assert Runtimes(tmp_path).installed() == ["3.6.21"]
    assert capsys.readouterr().out == "Rasa 3.6.21 on Python 3.10.13 runs.\n"


def test_one_that_does_not_run_is_not_marked_whole(tmp_path, monkeypatch, capsys):
    program(tmp_path / "3.6.21" / "bin" / "python", "echo 'no module named rasa' >&2; exit 1")
    monkeypatch.setenv("PARLEY_RASA", str(tmp_path))
    assert adopt.main() == 1
    assert Runtimes(tmp_path).installed() == []
    assert "no module named rasa" in capsys.readouterr().err
