"""A message that a browser sends again, because the answer was lost on the way, is answered again and not said again.

Redis keeps for six hours that it was said, and for ten minutes what was answered. Without Redis nothing is known of it,
and chatting goes on.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
import structlog

from studio.crypto import decrypt, encrypt
from studio.errors import Conflict, DomainError
from studio.redis import client

log = structlog.get_logger()

Json = dict[str, object]

SAID_SECONDS = 6 * 3600
ANSWER_SECONDS = 600
UNDER_WAY_SECONDS = 60  # longer than any answer takes; whoever is not done then has died
_UNDER_WAY = b"under-way"
_CLAIM = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then
    redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
    return {1}
end
return {0, redis.call('GET', KEYS[2])}
"""


def claim(owner: str, nonce: str) -> Json | None:
    """None for a message that comes for the first time, else what was answered.

    Raises Conflict: `under-way` while it is being answered, `twice` when what was answered is not known.
    """
    if not nonce:
        return None
    with _forgiving():
        seconds = str(SAID_SECONDS), str(UNDER_WAY_SECONDS)
        found: Any = client().eval(_CLAIM, 2, *_keys(owner, nonce), *seconds, _UNDER_WAY.decode())
        if not found[0]:
            return _known(found[1])
    return None


def _known(answer: bytes | None) -> Json:
    if answer == _UNDER_WAY:
        raise Conflict("This is being answered.", code="under-way")
    if answer is None:
        raise Conflict("This was sent already.", code="twice")
    facts: Json = json.loads(decrypt(answer))
    return facts


def keep(owner: str, nonce: str, answer: Json) -> None:
    """What to answer when the same message comes again. Encrypted, for it is what somebody was told."""
    if nonce:
        with _forgiving():
            client().set(_keys(owner, nonce)[1], encrypt(json.dumps(answer)), ex=ANSWER_SECONDS)


def lose(owner: str, nonce: str) -> None:
    """It may have been heard, and nobody knows the answer."""
    if nonce:
        with _forgiving():
            client().delete(_keys(owner, nonce)[1])


def release(owner: str, nonce: str) -> None:
    """It was not said after all, and may be."""
    if nonce:
        with _forgiving():
            client().delete(*_keys(owner, nonce))


@contextmanager
def or_else(settle: Callable[[str, str], None], owner: str, nonce: str) -> Iterator[None]:
    """An error that nobody foresaw leaves the claim not under way: `release` before the message is sent, `lose` since.

    What is done about a DomainError is the caller's.
    """
    try:
        yield
    except DomainError:
        raise
    except Exception:
        settle(owner, nonce)
        raise


@contextmanager
def _forgiving() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        log.warning("a message that comes twice may not be known", error=str(error))


def _keys(owner: str, nonce: str) -> tuple[str, str]:
    return f"parley:said:{owner}:{nonce}", f"parley:answered:{owner}:{nonce}"
