import time

import pytest
import redis

from studio.redis import client
from studio.web import ratelimit


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> None: ...


def test_calls_up_to_the_limit_are_allowed_and_the_next_is_not() -> None:
    assert [ratelimit.allow("a", 2, 60) for _ in range(3)] == [True, True, False]


def test_keys_are_counted_apart() -> None:
    assert not ratelimit.allow("b", 0, 60)
    assert ratelimit.allow("c", 1, 60)


def test_the_window_ends() -> None:
    ratelimit.allow("d", 1, 1)
    assert not ratelimit.allow("d", 1, 1)
    time.sleep(1.1)
    assert ratelimit.allow("d", 1, 1)


def test_refused_calls_do_not_lengthen_the_window() -> None:
    for _ in range(5):
        ratelimit.allow("e", 1, 60)
    assert 0 < client().ttl("parley:limit:e") <= 60


def test_without_redis_everything_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    away = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    monkeypatch.setattr(ratelimit, "client", lambda: away)
    assert ratelimit.allow("f", 0, 60)
    away.close()


def test_looking_counts_nothing_and_says_how_long_to_wait() -> None:
    window = ratelimit.Window("g", most=2, seconds=60)
    assert [window.wait("x") for _ in range(5)] == [0] * 5
    assert [window.count("x") for _ in range(2)] == [0, 0]
    assert 0 < window.wait("x") <= 60
    assert 0 < window.count("x") <= 60
    assert window.wait("y") == 0


def test_without_redis_a_window_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    away = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    monkeypatch.setattr(ratelimit, "client", lambda: away)
    window = ratelimit.Window("h", most=0, seconds=60)
    assert (window.count("x"), window.wait("x")) == (0, 0)
    away.close()
