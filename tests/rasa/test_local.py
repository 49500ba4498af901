"""Processes of this machine, with a small program in Rasa's place where what it does is not Rasa's business."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.rasa import local, proc
from studio.rasa.local import LocalProcesses, read_log
from studio.rasa.process import Handle, Spec, StartFailed, secret

WAIT = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[LocalProcesses]:
    made = LocalProcesses(Path(sys.executable), tmp_path / "home")
    yield made
    for handle in list(made._started):
        made.stop(handle, grace=0)


@pytest.fixture
def run(processes: LocalProcesses, tmp_path: Path) -> Callable[..., Handle]:
    """Starts a `rasa` that is the given code."""

    def start(code: str, *arguments: str, **options) -> Handle:
        package = tmp_path / "packages" / "rasa"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(code)
        options.setdefault("python_path", (package.parent,))
        return processes.start(Spec(arguments, tmp_path / "work", tmp_path / "rasa.log", **options))

    return start


def eventually(condition: Callable[[], object], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def wait_for_text(processes: LocalProcesses, handle: Handle, text: str) -> str:
    assert eventually(lambda: text in processes.read_log(handle).text), processes.read_log(handle).text
    return processes.read_log(handle).text


def ended(processes: LocalProcesses, handle: Handle):
    assert eventually(lambda: not processes.poll(handle).running)
    return processes.poll(handle)


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


def test_a_secret_argument_is_put_in_inside_the_process(processes, run):
    code = "import sys; print(sys.argv[1:], 'hidden' in open('/proc/self/cmdline').read())"
    handle = run(code, "--auth-token", secret("TOKEN"), environment={"TOKEN": "hidden"})
    ended(processes, handle)
    assert processes.read_log(handle).text == "['--auth-token', 'hidden'] False\n"


def test_warnings_for_developers_are_left_out_of_the_log(processes, run):
    handle = run("import warnings\nwarnings.warn('old', DeprecationWarning)\nwarnings.warn('two examples only')")
    ended(processes, handle)
    text = processes.read_log(handle).text
    assert "two examples only" in text
    assert "old" not in text


def test_how_it_ended_is_known_and_told(processes, run):
    assert ended(processes, run("raise SystemExit(3)")).code == 3
    handle = run(WAIT)
    os.kill(handle.pid, signal.SIGKILL)
    status = ended(processes, handle)
    assert status.code == -signal.SIGKILL
    assert "SIGKILL" in status.explain()


def test_stopping_ends_the_whole_group(processes, run):
    handle = run("import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)\n" + WAIT)
    grandchild = int(wait_for_text(processes, handle, "up").split()[0])
    status = processes.stop(handle, grace=5)
    assert status.code == -signal.SIGTERM
    assert eventually(lambda: proc.born(grandchild) is None)


def test_what_it_left_behind_is_ended_when_it_has_ended(processes, run):
    handle = run("import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)")
    ended(processes, handle)
    assert eventually(lambda: proc.born(int(processes.read_log(handle).text)) is None)


def test_one_that_does_not_listen_is_killed_after_the_grace(processes, run):
    handle = run("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT)
    wait_for_text(processes, handle, "up")
    began = time.monotonic()
    assert processes.stop(handle, grace=0.3).code == -signal.SIGKILL
    assert time.monotonic() - began < 5


def test_stopping_twice_is_harmless(processes, run):
    handle = run(WAIT)
    assert processes.stop(handle).code == processes.stop(handle).code


def test_one_over_its_memory_limit_is_ended_and_says_so(processes, run):
    handle = run("hog = bytearray(200_000_000)\n" + WAIT, memory_limit=100_000_000)
    status = ended(processes, handle)
    assert status.over_memory
    assert "memory" in status.explain()


def test_one_within_its_limit_goes_on_and_tells_what_it_uses(processes, run):
    handle = run(WAIT, memory_limit=500_000_000)
    wait_for_text(processes, handle, "up")
    assert 1_000_000 < (processes.poll(handle).memory or 0) < 500_000_000


def test_a_low_priority_one_gives_way(processes, run):
    handle = run(WAIT, low_priority=True)
    wait_for_text(processes, handle, "up")
    assert os.getpriority(os.PRIO_PROCESS, handle.pid) == 19
    assert Path(f"/proc/{handle.pid}/oom_score_adj").read_text().strip() == "800"
    assert "idle" in subprocess.run(["ionice", "-p", str(handle.pid)], capture_output=True, text=True).stdout


def test_an_interpreter_that_is_missing_is_told(tmp_path):
    processes = LocalProcesses(tmp_path / "python", tmp_path / "home")
    handle = processes.start(Spec((), tmp_path / "work", tmp_path / "log"))
    assert ended(processes, handle).code == 1
    assert "No such file" in processes.read_log(handle).text


def test_a_folder_that_cannot_be_made_is_an_error_of_its_own(processes, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StartFailed, match="Not a directory"):
        processes.start(Spec((), tmp_path / "file" / "work", tmp_path / "log"))


# --- Restarted supervisors ----------------------------------------------------------------------------------------


def test_a_handle_survives_as_json(processes, run):
    handle = run(WAIT, memory_limit=10**9)
    assert Handle.from_json(json.loads(json.dumps(handle.to_json()))) == handle


def test_another_supervisor_finds_it_by_its_handle_and_can_stop_it(processes, run, tmp_path):
    handle = run(WAIT)
    other = LocalProcesses(Path(sys.executable), tmp_path / "home")
    assert other.poll(handle).running
    wait_for_text(other, handle, "up")
    os.kill(handle.pid, signal.SIGTERM)
    assert eventually(lambda: not other.poll(handle).running)
    assert other.stop(handle).code is None


def test_another_process_with_the_same_number_is_not_touched(processes, run):
    handle = run(WAIT)
    former = Handle(handle.pid, "another boot:1", handle.log)
    assert not processes.poll(former).running
    processes.stop(former)
    assert processes.poll(handle).running


# --- Death of the supervisor --------------------------------------------------------------------------------------

SUPERVISOR = """
import json, sys, threading, time
from pathlib import Path
from studio.rasa.local import LocalProcesses
from studio.rasa.process import Spec

folder = Path(sys.argv[1])
processes = LocalProcesses(Path(sys.executable), folder / "home")
spec = Spec((), folder, folder / "log", python_path=(folder / "packages",))
thread = threading.Thread(target=lambda: print(json.dumps(processes.start(spec).to_json()), flush=True))
thread.start()
thread.join()
time.sleep(60)
"""


def test_it_outlives_the_thread_that_started_it_and_dies_with_the_process(tmp_path):
    package = tmp_path / "packages" / "rasa"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(WAIT)
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert supervisor.stdout is not None
        handle = Handle.from_json(json.loads(supervisor.stdout.readline()))
        supervisor.stdout.close()
        assert eventually(lambda: read_log(tmp_path / "log").text == "up\n")
        time.sleep(0.3)
        assert proc.born(handle.pid) == handle.born
    finally:
        supervisor.kill()
        supervisor.wait()
    assert eventually(lambda: proc.born(handle.pid) is None)


def test_a_child_whose_parent_is_gone_before_it_could_ask_ends_at_once():
    options = json.dumps({"parent": os.getpid() + 1, "low_priority": False})
    child = subprocess.run([sys.executable, "-I", "-S", local._CHILD, options, "/bin/sleep", "60"], timeout=10)
    assert child.returncode == 125


def test_a_fork_can_start_processes_of_its_own(processes, run, tmp_path):
    ended(processes, run("pass"))  # the spawner's thread exists, and a fork does not have it
    answer = tmp_path / "answer"
    pid = os.fork()
    if pid == 0:
        answer.write_text(json.dumps(run("print('forked')").to_json()))
        time.sleep(0.5)
        os._exit(0)
    os.waitpid(pid, 0)
    assert "forked" in Path(json.loads(answer.read_text())["log"]).read_text()


def test_many_threads_may_start_at_once(processes, run):
    handles: list[Handle] = []
    threads = [threading.Thread(target=lambda: handles.append(run("pass"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ended(processes, handle).code for handle in handles] == [0] * 8


# --- Logs ---------------------------------------------------------------------------------------------------------


def test_a_log_is_read_piece_by_piece_without_cutting_a_character(tmp_path):
    log = tmp_path / "log"
    text = "aé€😀" * 20
    log.write_text(text)
    read, offset = "", 0
    while (chunk := read_log(log, offset, 7, to_its_end=True)).text:
        offset = chunk.offset
        assert "\ufffd" not in chunk.text
        read += chunk.text
    assert read == text


def test_a_line_is_shown_when_it_is_whole(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntw")
    first = read_log(log)
    assert first.text == "one\n"
    log.write_text("one\ntwo\n")
    assert read_log(log, first.offset).text == "two\n"


def test_colours_and_the_former_states_of_a_progress_bar_are_left_out(tmp_path):
    log = tmp_path / "log"
    log.write_text("\x1b[93mcareful\x1b[0m\nrules: 0%\rrules: 50%\rrules: 100%\r\nend\n")
    assert read_log(log).text == "careful\nrules: 100%\nend\n"


def test_bytes_that_are_no_text_do_not_stop_the_reading(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"a\xff\x80b\n")
    assert read_log(log).text == "a\ufffd\ufffdb\n"


def test_a_log_that_began_anew_is_read_from_its_start(tmp_path):
    log = tmp_path / "log"
    log.write_text("new\n")
    assert read_log(log, 100).text == "new\n"


def test_a_log_not_written_yet_is_empty(tmp_path):
    assert read_log(tmp_path / "none").text == ""


def test_a_large_log_is_set_aside_at_the_next_start(processes, run, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "LARGE_LOG", 10)
    (tmp_path / "rasa.log").write_text("x" * 11)
    handle = run("print('new')")
    ended(processes, handle)
    assert processes.read_log(handle).text == "new\n"
    assert (tmp_path / "rasa.log.1").read_text() == "x" * 11
