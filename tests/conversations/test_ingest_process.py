"""The ingest process ends in its time, whatever its parts do."""

import threading

import pytest

from conversations.ingest import process
from tests.clock import Clock


class Slow:
    """A thread that does not end within the time it is given."""

    is_alive = True

    def __init__(self, clock: Clock) -> None:
        self.clock, self.stop = clock, threading.Event()

    def start(self) -> None: ...

    def join(self, timeout: float) -> None:
        self.clock.passed += timeout


def test_all_that_a_stop_waits_for_shares_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(process, "time", clock)
    monkeypatch.setattr(threading, "Thread", lambda **_options: Slow(clock))
    stop = threading.Event()
    stop.set()
    ours = process.IngestProcess(stop)
    ours.intakes = {(number, 1): Slow(clock) for number in range(2)}  # type: ignore[misc]
    intakes = list(ours.intakes.values())
    ours.run()
    assert process.STOP_SECONDS <= clock.passed < process.STOP_SECONDS + 0.1
    assert all(one.stop.is_set() for one in intakes)
