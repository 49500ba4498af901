"""Rate limits that all web processes share. Redis counts, and keeps the counts when it is restarted.

Without Redis nothing is limited: a limit protects from abuse, and its absence must not close the door. What must hold
even then is counted in PostgreSQL, as the lock-out of accounts (studio.access.services.sign_in), or asks for
`count_surely`.
"""

from dataclasses import dataclass
from typing import Any

import redis
import structlog

from studio.errors import DomainError
from studio.redis import client

log = structlog.get_logger()

# Count and expiry in one step: a crash between INCR and EXPIRE would otherwise lock the key out for ever.
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}
"""
_GIVE_BACK = """
if tonumber(redis.call('GET', KEYS[1]) or 0) > 0 then redis.call('DECR', KEYS[1]) end
return {0, 1}
"""
_LOOK = "return {tonumber(redis.call('GET', KEYS[1]) or 0), redis.call('TTL', KEYS[1])}"


class TooMany(DomainError):
    """Too often. `seconds` says when to come back: the answer is 429 with Retry-After."""

    code = "too-many-requests"

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class NotCounted(DomainError):
    """Redis is away, and what must be counted cannot be."""

    code = "not-counted"


@dataclass(frozen=True, slots=True)
class Window:
    """`most` times in `seconds`, which begin with the first time, for each `who`."""

    name: str
    most: int
    seconds: int

    def count(self, who: object) -> int:
        """Count once more. The seconds to wait when that was too often, else 0."""
        times, left = _ask(_COUNT, f"{self.name}:{who}", self.seconds)
        return left if times > self.most else 0

    def count_surely(self, who: object) -> int:
        """As `count`. Raises NotCounted rather than let through what nobody counts."""
        try:
            times, left = _asked(_COUNT, f"{self.name}:{who}", self.seconds)
        except redis.RedisError as error:
            raise NotCounted("This cannot be checked right now. Try again in a minute.") from error
        return left if times > self.most else 0

    def give_back(self, who: object) -> None:
        """Undo one `count` that was for nothing."""
        _ask(_GIVE_BACK, f"{self.name}:{who}", self.seconds)

    def wait(self, who: object) -> int:
        """The seconds to wait before one more is not too often, 0 for none. Counts nothing."""
        times, left = _ask(_LOOK, f"{self.name}:{who}", self.seconds)
        return left if times >= self.most else 0


def allow(key: str, limit: int, seconds: int) -> bool:
    """True for the first `limit` calls with this key in a window of `seconds` that begins with the first of them."""
    times, _left = _ask(_COUNT, key, seconds)
    return times <= limit


def _ask(script: str, key: str, seconds: int) -> tuple[int, int]:
    """(how often so far, seconds until the window ends, at least 1)"""
    try:
        return _asked(script, key, seconds)
    except redis.RedisError as error:
        log.warning("rate limit not counted", key=key, error=str(error))
        return -1, 1


def _asked(script: str, key: str, seconds: int) -> tuple[int, int]:
    answer: Any = client().eval(script, 1, f"parley:limit:{key}", str(seconds))
    times, left = answer
    return int(times), max(1, int(left))
