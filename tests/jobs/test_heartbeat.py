"""A process that is forked never inherits a half-written heartbeat."""

import os
import threading
import time

import pytest

from studio.jobs import heartbeat


def test_a_fork_waits_until_the_heartbeat_is_written(monkeypatch: pytest.MonkeyPatch):
    began, ended = threading.Event(), threading.Event()

    def slow_beat(kind: str) -> None:
        began.set()
        time.sleep(0.5)
        ended.set()

    monkeypatch.setattr(heartbeat, "beat", slow_beat)
    monkeypatch.setattr(heartbeat, "close_old_connections", lambda: None)
    stop = threading.Event()
    thread = threading.Thread(target=heartbeat._beat_until, args=("worker", stop))
    thread.start()
    assert began.wait(5)
    if os.fork() == 0:
        os._exit(0 if ended.is_set() and not heartbeat._writing.locked() else 1)
    _, status = os.wait()
    stop.set()
    thread.join(5)
    assert os.waitstatus_to_exitcode(status) == 0


def test_those_of_all_kinds_are_counted_by_one_question(db, django_assert_num_queries) -> None:
    heartbeat.beat("ingest")
    with django_assert_num_queries(1), heartbeat.counted_once():
        assert (heartbeat.live("ingest"), heartbeat.live("controller")) == (1, 0)
    with django_assert_num_queries(2):
        assert (heartbeat.live("ingest"), heartbeat.live("controller")) == (1, 0)
