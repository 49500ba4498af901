"""Rate limits that all web processes share."""

import redis
import structlog

from studio.redis import client

log = structlog.get_logger()

# Count and expiry in one step: a crash between INCR and EXPIRE would otherwise lock the key out for ever.
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


def allow(key: str, limit: int, seconds: int) -> bool:
    """True for the first `limit` calls with this key in a window of `seconds` that begins with the first of them.

    Without Redis everything is allowed: a limit protects from abuse, and its absence must not close the door.
    """
    try:
        count = client().eval(_COUNT, 1, f"parley:limit:{key}", str(seconds))
    except redis.RedisError as error:
        log.warning("rate limit not counted", key=key, error=str(error))
        return True
    return int(str(count)) <= limit
