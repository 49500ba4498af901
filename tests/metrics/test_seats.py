"""Counters outlive the processes that counted: real processes, killed as hard as can be."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.metrics import seats

COUNTS = """
import sys
from studio.metrics import counting
made = counting.counter("parley_tested_total", "Of a test.", ("who",))
took = counting.histogram("parley_tested_seconds", "Of a test.", ("who",), (0.1, 1.0, 10.0))
for number in range(int(sys.argv[1])):
    counting.count(made, "somebody")
    for who in ("somebody", "nobody"):
        counting.took(took, number / 3, who)
print("counted", flush=True)
sys.stdin.read()
"""
OCCUPIES = """
import sys
from studio.metrics import seats
seats.occupy()
print("counted", flush=True)
sys.stdin.read()
"""
FORKS = """
import os, sys
from studio.metrics import counting
made = counting.counter("parley_tested_total", "Of a test.", ("who",))
counting.count(made, "somebody")
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        for _ in range(10):
            counting.count(made, "somebody")
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
counting.count(made, "somebody")
print("counted", flush=True)
sys.stdin.read()
"""

Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(folder: Path):
    processes: list[subprocess.Popen] = []

    def run(code: str, *arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "PARLEY_METRICS_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "studio.settings"}
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        return process

    yield run
    for process in processes:
        end(process)


def end(process: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.communicate()


def total() -> float:
    from studio.metrics import counting

    return sum(one.value for metric in counting.collected() for one in metric.samples if one.name.endswith("_total"))


def test_what_a_killed_process_counted_stays_and_its_place_is_taken(start: Start, folder: Path) -> None:
    start(OCCUPIES)
    end(start(COUNTS, "5"))
    assert total() == 5
    for _ in range(3):
        end(start(COUNTS, "5"))
    assert total() == 20
    # One of whoever holds the house open, one that four processes had in turn.
    assert sorted(path.name for path in folder.glob("counter_*.db")) == ["counter_0.db", "counter_1.db"]


def test_processes_that_live_at_once_have_files_of_their_own(start: Start, folder: Path) -> None:
    for number in ("1", "20", "300"):
        start(COUNTS, number)
    assert total() == 321
    assert len(list(folder.glob("counter_*.db"))) == 3


def test_a_forked_child_counts_for_itself(start: Start) -> None:
    start(FORKS)
    assert total() == 32


def test_who_comes_to_an_empty_house_begins_at_nothing(start: Start) -> None:
    end(start(COUNTS, "5"))
    start(COUNTS, "2")
    assert total() == 2


def test_room_is_made_before_anything_is_written(start: Start, folder: Path) -> None:
    """A full disk is noticed here; a hole in a mapped file would kill the process at some later request."""
    start(COUNTS, "1")
    assert all(path.stat().st_blocks * 512 >= 1024 * 1024 for path in folder.glob("*.db"))


def test_a_full_disk_leaves_nothing_open(settings, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    settings.METRICS_DIR = tmp_path
    monkeypatch.setattr(os, "posix_fallocate", full)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            seats.Seat()()
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_a_folder_that_cannot_be_written_costs_nobody_an_answer(client, settings, tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("")
    settings.METRICS_DIR = tmp_path / "file" / "metrics"
    assert client.get("/healthz").status_code == 200


def test_sums_are_those_that_prometheus_client_makes(start: Start, folder: Path) -> None:
    from prometheus_client.multiprocess import MultiProcessCollector

    from studio.metrics import counting

    for number in ("1", "20"):
        start(COUNTS, number)

    def series(metrics) -> dict[tuple, float]:
        return {
            (metric.name, metric.type, one.name, *sorted(one.labels.items())): one.value
            for metric in metrics
            for one in metric.samples
        }

    ours = series(counting.collected())
    assert ours == series(MultiProcessCollector.merge([str(path) for path in folder.glob("*.db")]))
    assert len(ours) > 6
