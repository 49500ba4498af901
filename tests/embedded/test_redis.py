"""The embedded Redis keeps what it was told: rate limits would be worth little if a restart forgot them."""

import subprocess
from collections.abc import Callable, Iterator

import pytest
import redis

from studio.embedded import redis_server
from studio.embedded.folders import Folders
from studio.web import ratelimit
from studio.web.ratelimit import Window
from tests.embedded.installation import wait_until

LIMIT = Window("test", most=2, seconds=600)


@pytest.fixture
def start(folders: Folders) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a server on the same data each time."""
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        server = redis_server.prepare(folders)
        running.append(subprocess.Popen(server.command(), stdout=subprocess.DEVNULL))
        wait_until(lambda: _answers(server.url), "Redis to answer")
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize("signal", [15, 9], ids=["stopped", "killed"])
def test_a_rate_limit_outlives_a_restart(start, folders, monkeypatch, signal) -> None:
    first = start()
    with redis.Redis.from_url(redis_server.prepare(folders).url) as client:
        monkeypatch.setattr(ratelimit, "client", lambda: client)
        assert [LIMIT.count("someone") > 0 for _ in range(3)] == [False, False, True]
        wait_until(lambda: client.info("persistence")["aof_buffer_length"] == 0, "the counts to be in the file")
        first.send_signal(signal)
        first.wait(10)
        start()
        assert 0 < LIMIT.wait("someone") <= LIMIT.seconds
        assert LIMIT.wait("another") == 0
