"""Processes of this machine: what is beyond the contract that test_processes.py holds every kind to."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.rasa import local, proc
from studio.rasa.local import LocalProcesses, read_log
from studio.rasa.process import Handle, Spec
from tests.rasa.implementations import (
    IMPLEMENTATIONS,
    LEAVES_ITS_GROUP,
    LEAVES_ITS_PARENT,
    WAIT,
    ended,
    eventually,
    is_still,
    spec,
    ticks,
    wait_for_text,
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[LocalProcesses]:
    made = LocalProcesses(Path(sys.executable), tmp_path / "home")
    yield made
    for handle in list(made._started):
        made.stop(handle, grace=0)


@pytest.fixture
def run(processes: LocalProcesses, tmp_path: Path) -> Callable[..., Handle]:
    """Starts a `rasa` that is the given code."""
    return lambda code, **options: processes.start(spec(tmp_path, code, **options))


def test_a_low_priority_one_gives_way_and_its_keeper_does_not(processes, run):
    code = """
import os, subprocess
print(os.nice(0), open('/proc/self/oom_score_adj').read(), flush=True)
print(subprocess.run(['ionice', '-p', str(os.getpid())], capture_output=True, text=True).stdout)
"""
    handle = run(code, low_priority=True)
    assert os.getpriority(os.PRIO_PROCESS, handle.pid) == os.nice(0) < 19
    ended(processes, handle)
    assert processes.read_log(handle).text.split() == ["19", "800", "idle"]


def test_an_interpreter_that_is_missing_is_told(tmp_path):
    processes = LocalProcesses(tmp_path / "python", tmp_path / "home")
    handle = processes.start(Spec((), tmp_path / "work", tmp_path / "log"))
    assert ended(processes, handle).code == 1
    assert "No such file" in processes.read_log(handle).text


def test_a_killed_keeper_leaves_nothing_to_the_one_who_looks_next(processes, run, tmp_path):
    handle = run(LEAVES_ITS_PARENT + LEAVES_ITS_GROUP + WAIT)
    wait_for_text(processes, handle, "up")
    assert eventually(lambda: ticks(tmp_path))
    os.kill(handle.pid, signal.SIGKILL)
    assert eventually(lambda: not IMPLEMENTATIONS["local"](tmp_path).poll(handle).running)
    assert is_still(tmp_path)
    assert processes.poll(handle).code == -signal.SIGKILL


def test_a_keeper_that_stands_still_is_no_obstacle(processes, run, tmp_path, monkeypatch):
    handle = run(LEAVES_ITS_PARENT + WAIT)
    assert eventually(lambda: ticks(tmp_path))
    wait_for_text(processes, handle, "up")
    monkeypatch.setattr(local, "PATIENCE", 0.2)
    os.kill(handle.pid, signal.SIGSTOP)
    assert processes.stop(handle, grace=0.1).code == -signal.SIGKILL
    assert is_still(tmp_path)


def test_a_child_whose_parent_is_gone_before_it_could_ask_ends_at_once(processes, tmp_path, monkeypatch):
    own = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: own + 1)
    handle = processes.start(spec(tmp_path, WAIT))
    assert ended(processes, handle).code == 125


def test_a_fork_can_start_processes_of_its_own(processes, run, tmp_path):
    ended(processes, run("pass"))  # the spawner's thread exists, and a fork does not have it
    answer = tmp_path / "answer"
    pid = os.fork()
    if pid == 0:
        handle = run("print('forked')")
        ended(LocalProcesses(processes.python, processes.home), handle)
        answer.write_text(json.dumps(handle.to_json()))
        os._exit(0)
    os.waitpid(pid, 0)
    assert "forked" in Path(json.loads(answer.read_text())["log"]).read_text()


# --- What the system tells ----------------------------------------------------------------------------------------


def test_ps_tells_the_same_as_proc_where_there_is_no_proc(processes, run):
    handle = run("import subprocess; subprocess.Popen(['sleep', '60'])\n" + WAIT)
    wait_for_text(processes, handle, "up")
    found = {one.pid: one for one in proc.descendants(handle.pid)}
    assert len(found) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        by_ps = {one.pid: one for one in proc.descendants(handle.pid)}
    assert {pid: one[:3] for pid, one in by_ps.items()} == {pid: one[:3] for pid, one in found.items()}
    assert sum(one.resident for one in by_ps.values()) > 1_000_000


def test_orphans_are_found_by_their_group_where_they_fall_to_nobody(processes, run):
    handle = run("import os, time\nif os.fork() == 0:\n    time.sleep(60)\n" + WAIT)
    wait_for_text(processes, handle, "up")
    program, *others = proc.descendants(handle.pid)
    assert [one.pid for one in others] == [
        one.pid for one in proc.descendants(0, group=program.group) if one.pid in {other.pid for other in others}
    ]


def test_a_file_with_two_names_takes_its_room_once(tmp_path):
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    before = proc.disk_of(tmp_path)
    os.link(tmp_path / "one", tmp_path / "two")
    assert proc.disk_of(tmp_path) == before >= 100_000


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
