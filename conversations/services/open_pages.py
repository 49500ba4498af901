"""Which pages have which messages of the inbox open: what a page takes, and that it is left, arrive in any order.

A page has a name of its own, a program none. Who is left takes nothing any more, and what another page of the same
person has open stays theirs. Redis knows it for as long as a lease lasts; without Redis nobody is known to have left,
and no page to have anything open.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import redis
import structlog

from studio.redis import client

log = structlog.get_logger()

SECONDS = 300  # of a lease
_LEFT = 0  # instead of the moment until which a page has a message open
_ENTER = """
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('ZSCORE', KEYS[2], ARGV[1]) == ARGV[2] then return 0 end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[4])
if ARGV[1] ~= '' then
    redis.call('SADD', KEYS[3], ARGV[5])
    redis.call('EXPIRE', KEYS[3], ARGV[4])
end
return 1
"""


def enter(person: int, event: int, page: str) -> bool:
    """Note that the page has the message open. False when it was left, or left this message."""
    keys = _gone(person, page), _open(person, event), _entered(person, page)
    values = page, str(_LEFT), str(time.time() + SECONDS), str(SECONDS), str(event)
    has_entered: Any = True
    with _forgiving():
        has_entered = client().eval(_ENTER, len(keys), *keys, *values)
    return bool(has_entered)


def forget(person: int, events: Collection[int], page: str) -> None:
    """Note that the page has none of these open. It may open them again."""
    with _forgiving(), client().pipeline() as pipeline:
        for event in events:
            pipeline.zrem(_open(person, event), page)
        pipeline.execute()


def leave(person: int, events: Collection[int], page: str, *, is_gone: bool) -> None:
    """Note that the page has these messages open no more; `is_gone` when it takes no others either."""
    with _forgiving(), client().pipeline() as pipeline:
        if is_gone:
            pipeline.set(_gone(person, page), "1", ex=SECONDS)
        for event in events:
            pipeline.zadd(_open(person, event), {page: _LEFT})
            pipeline.expire(_open(person, event), SECONDS)
        pipeline.execute()


def entered(person: int, page: str) -> set[int]:
    """What the page has opened lately, also where the answer did not reach it."""
    found: Any = ()
    with _forgiving():
        found = client().smembers(_entered(person, page))
    return {int(event) for event in found}


def is_gone(person: int, page: str) -> bool:
    found: Any = 0
    with _forgiving():
        found = client().exists(_gone(person, page))
    return bool(found)


def is_open(person: int, event: int) -> bool:
    """Whether one of the person's pages, or a program of theirs, has the message."""
    pages: Any = []
    with _forgiving():
        pages = client().zrangebyscore(_open(person, event), time.time(), "+inf")
    return any(not is_gone(person, page.decode()) for page in pages)


@contextmanager
def _forgiving() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        log.warning("which pages of the inbox are open is not known", error=str(error))


def _gone(person: int, page: str) -> str:
    return f"parley:inbox:gone:{person}:{page}"


def _open(person: int, event: int) -> str:
    return f"parley:inbox:open:{person}:{event}"


def _entered(person: int, page: str) -> str:
    return f"parley:inbox:entered:{person}:{page}"
