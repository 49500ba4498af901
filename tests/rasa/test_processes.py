"""What every way of running a Rasa process must do. A new one is a line in `implementations.py`, and passes all this."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from studio.rasa import proc
from studio.rasa.process import Handle, Limits, Processes, StartFailed, secret
from tests.rasa.implementations import (
    IMPLEMENTATIONS,
    KINDS,
    LEAVES_ITS_GROUP,
    LEAVES_ITS_PARENT,
    START_SECONDS,
    WAIT,
    ended,
    eventually,
    is_still,
    spec,
    ticks,
    wait_for_text,
)

MB = 1024 * 1024
LOOSE = {"leaves its group": LEAVES_ITS_GROUP, "leaves its parent": LEAVES_ITS_PARENT}
loose = pytest.mark.parametrize("code", LOOSE.values(), ids=LOOSE)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "kubernetes":
        request.getfixturevalue("cluster")
    return request.param


@pytest.fixture
def processes(kind: str, tmp_path: Path) -> Processes:
    return IMPLEMENTATIONS[kind](tmp_path)


@pytest.fixture
def run(processes: Processes, tmp_path: Path) -> Iterator[Callable[..., Handle]]:
    """Starts a `rasa` that is the given code."""
    handles: list[Handle] = []

    def start(code: str, *arguments: str, **options) -> Handle:
        handles.append(processes.start(spec(tmp_path, code, *arguments, **options)))
        return handles[-1]

    yield start
    for handle in handles:
        processes.stop(handle, grace=0)


# --- Start --------------------------------------------------------------------------------------------------------


def test_it_runs_in_its_folder_with_its_arguments(processes, run, tmp_path):
    handle = run("import os, sys; print(os.getcwd(), sys.argv[1:])", "train", "--force")
    assert ended(processes, handle).code == 0
    assert processes.read_log(handle).text == f"{tmp_path / 'work'} ['train', '--force']\n"


def test_modules_beside_it_and_on_the_given_path_can_be_imported(processes, run, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "beside.py").touch()
    handle = run("import beside; print('found')")
    assert ended(processes, handle).code == 0


def test_our_own_environment_stays_ours(processes, run, monkeypatch):
    monkeypatch.setenv("PARLEY_SECRET_KEY", "of this house")
    handle = run("import os; print(dict(os.environ))", environment={"RASA_ENVIRONMENT": "production"})
    ended(processes, handle)
    text = processes.read_log(handle).text
    assert "PARLEY_SECRET_KEY" not in text
    assert "'RASA_ENVIRONMENT': 'production'" in text
    assert "'RASA_TELEMETRY_ENABLED': 'false'" in text


def test_its_temporary_files_are_its_own(processes, run, tmp_path):
    handle = run("import tempfile; print(tempfile.gettempdir())")
    ended(processes, handle)
    assert Path(processes.read_log(handle).text.strip()).is_relative_to(tmp_path / "work")


def test_a_secret_argument_is_put_in_inside_the_process(processes, run):
    code = "import sys; print(sys.argv[1:], 'hidden' in open('/proc/self/cmdline').read())"
    handle = run(code, "--auth-token", secret("TOKEN"), environment={"TOKEN": "hidden"})
    ended(processes, handle)
    assert processes.read_log(handle).text == "['--auth-token', 'hidden'] False\n"


def test_a_folder_that_cannot_be_made_is_an_error_of_its_own(processes, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StartFailed, match="Not a directory"):
        processes.start(replace(spec(tmp_path, WAIT), folder=tmp_path / "file" / "work"))


def test_many_threads_may_start_at_once(processes, run):
    handles: list[Handle] = []
    threads = [threading.Thread(target=lambda: handles.append(run("pass"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ended(processes, handle).code for handle in handles] == [0] * 8


# --- Poll ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_how_it_ended_is_known_and_told(processes, run, code):
    status = ended(processes, run(f"raise SystemExit({code})"))
    assert status.code == code
    assert "by itself" in status.explain()


def test_one_that_was_killed_is_told_apart(processes, run):
    status = ended(processes, run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert status.code == -9
    assert "SIGKILL" in status.explain()


def test_what_it_uses_is_known_while_it_runs_and_the_most_when_it_has_ended(processes, run):
    code = f"import time; hog = b'x' * {100 * MB}; print('up', flush=True); time.sleep(4); del hog\n"
    handle = run(code + WAIT, limits=Limits(memory=500 * MB))
    assert eventually(lambda: (processes.poll(handle).memory or 0) > 100 * MB)
    assert eventually(lambda: (processes.poll(handle).memory or 0) < 100 * MB)
    assert 100 * MB < (processes.poll(handle).peak_memory or 0) < 300 * MB
    assert 100 * MB < (processes.stop(handle, grace=0).peak_memory or 0) < 300 * MB


def test_a_short_one_tells_its_most_as_well(processes, run):
    status = ended(processes, run(f"b'x' * {100 * MB}"))
    assert 100 * MB < (status.peak_memory or 0) < 300 * MB


@loose
def test_what_it_left_behind_is_ended_when_it_has_ended(processes, run, tmp_path, code):
    handle = run(code + "import time; time.sleep(3)")
    assert ended(processes, handle).code == 0
    assert is_still(tmp_path)


# --- Stop ---------------------------------------------------------------------------------------------------------


@loose
def test_stopping_ends_all_that_it_started(processes, run, tmp_path, code):
    handle = run(code + WAIT)
    assert eventually(lambda: ticks(tmp_path))
    wait_for_text(processes, handle, "up")
    assert processes.stop(handle, grace=5).code == -15
    assert is_still(tmp_path)


def test_it_is_asked_before_it_is_killed(processes, run):
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit('put away'))\n"
    handle = run(code + WAIT)
    wait_for_text(processes, handle, "up")
    assert processes.stop(handle, grace=10).code == 1
    assert "put away" in processes.read_log(handle).text


def test_one_that_does_not_listen_is_killed_after_the_grace(processes, run):
    handle = run("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT)
    wait_for_text(processes, handle, "up")
    began = time.monotonic()
    assert processes.stop(handle, grace=0.3).code == -9
    assert time.monotonic() - began < 30


def test_stopping_right_after_the_start_and_twice_is_harmless(processes, run):
    handle = run(WAIT)
    assert processes.stop(handle).code == processes.stop(handle).code


# --- Log ----------------------------------------------------------------------------------------------------------


def test_a_log_is_read_on_from_where_it_was_left(processes, run):
    handle = run("import time; print('one', flush=True); time.sleep(4); print('two', end='', flush=True)")
    wait_for_text(processes, handle, "one")
    first = processes.read_log(handle)
    assert first.text == "one\n"
    ended(processes, handle)
    assert processes.read_log(handle, first.offset).text == "two"


def test_warnings_for_developers_are_left_out_of_the_log(processes, run):
    handle = run("import warnings\nwarnings.warn('old', DeprecationWarning)\nwarnings.warn('two examples only')")
    ended(processes, handle)
    text = processes.read_log(handle).text
    assert "two examples only" in text
    assert "old" not in text


# --- Limits -------------------------------------------------------------------------------------------------------

HOG = f"hog = b'x' * {200 * MB}\n" + WAIT
FILES = "import time\nfor n in range(40):\n    open(f'{n}', 'wb').write(b'x' * 2**20)\n    time.sleep(0.05)\n" + WAIT
DELETED = (
    f"import tempfile\nfiles = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]\nfor one in files:\n    one.write(b'x' * {15 * MB}); one.flush()\n"
    + WAIT
)
ONE_FILE = f"open('large', 'wb').write(b'x' * {30 * MB})\n"
FORKS = "import subprocess\nfor _ in range(20):\n    subprocess.Popen(['sleep', '60'], start_new_session=True)\n" + WAIT
# Bounded, each ends by itself: an endless one fills the machine before any limit can hold.
DOUBLE = "import os, time\nfor _ in range(7):\n    os.fork()\ntime.sleep(20)\n"  # 128, which end by themselves
EXCEEDED = {
    "memory": (HOG, Limits(memory=100 * MB), "memory"),
    "memory of what it started": (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {HOG!r}], start_new_session=True)\n" + WAIT,
        Limits(memory=100 * MB),
        "memory",
    ),
    "many files": (FILES, Limits(disk=20 * MB), "disk"),
    "one large file": (ONE_FILE, Limits(disk=20 * MB), "disk"),
    "files without a name": (DELETED, Limits(disk=20 * MB), "disk"),
    "processes": (FORKS, Limits(processes=10), "processes"),
    "processes that double": (DOUBLE, Limits(processes=20), "processes"),
}


@pytest.mark.parametrize(("code", "limits", "limit"), EXCEEDED.values(), ids=EXCEEDED)
def test_a_limit_that_is_passed_ends_it_though_nobody_looks(kind, processes, run, tmp_path, code, limits, limit):
    handle = run(code, limits=limits)
    if kind == "local":
        assert eventually(lambda: proc.born(handle.pid) != handle.born, seconds=30)
    else:
        time.sleep(START_SECONDS[kind] + 2.5)
    status = processes.poll(handle)
    assert not status.running
    assert status.exceeded is not None
    allowed = limits.as_json()[limit]
    assert (status.exceeded.limit, status.exceeded.allowed) == (limit, allowed)
    assert status.exceeded.used > allowed
    assert ("it may" in status.explain()) or ("they may" in status.explain())
    assert IMPLEMENTATIONS[kind](tmp_path).poll(handle).exceeded == status.exceeded  # also after a restart


def test_one_within_its_limits_goes_on(processes, run):
    threads = "import threading\nfor _ in range(20):\n    threading.Thread(target=time.sleep, args=(60,)).start()\n"
    limits = Limits(memory=500 * MB, disk=50 * MB, processes=2)
    handle = run("import time; open('file', 'wb').write(b'x' * 2**20)\n" + threads + WAIT, limits=limits)
    wait_for_text(processes, handle, "up")
    time.sleep(1)
    assert processes.poll(handle).running


# --- Restarted supervisors ----------------------------------------------------------------------------------------


def test_a_handle_survives_as_json(run):
    handle = run(WAIT)
    assert Handle.from_json(json.loads(json.dumps(handle.to_json()))) == handle


def test_another_supervisor_finds_it_by_its_handle_and_can_stop_it(kind, processes, run, tmp_path):
    handle = run(LEAVES_ITS_PARENT + WAIT)
    other = IMPLEMENTATIONS[kind](tmp_path)
    assert other.poll(handle).running
    wait_for_text(other, handle, "up")
    assert eventually(lambda: ticks(tmp_path))
    assert not other.stop(handle).running
    assert is_still(tmp_path)
    assert not processes.poll(handle).running


def test_another_process_with_the_same_number_is_not_touched(processes, run):
    handle = run(WAIT)
    former = replace(handle, born="another boot:1", mark="of another")
    assert not processes.poll(former).running
    processes.stop(former)
    assert processes.poll(handle).running


# --- Death of the supervisor --------------------------------------------------------------------------------------

SUPERVISOR = """
import json, sys, threading, time
from pathlib import Path
from tests.rasa.implementations import *

folder = Path(sys.argv[2])
processes = IMPLEMENTATIONS[sys.argv[1]](folder)
made = spec(folder, LEAVES_ITS_PARENT + LEAVES_ITS_GROUP + WAIT)
thread = threading.Thread(target=lambda: print(json.dumps(processes.start(made).to_json()), flush=True))
thread.start()
thread.join()
time.sleep(60)
"""


def test_it_outlives_the_thread_that_started_it_and_ends_with_the_process(kind, processes, tmp_path):
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, kind, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert supervisor.stdout is not None
        handle = Handle.from_json(json.loads(supervisor.stdout.readline()))
        supervisor.stdout.close()
        wait_for_text(processes, handle, "up")
        time.sleep(0.3)
        assert processes.poll(handle).running
        assert eventually(lambda: ticks(tmp_path))
    finally:
        supervisor.kill()
        supervisor.wait()
    ended(processes, handle)
    assert is_still(tmp_path)
