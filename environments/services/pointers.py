"""Where a tag points, kept in Redis so that a poll costs one round trip and no SQL.

PostgreSQL is the truth. A pointer is written after the commit that moved the tag and whenever a poll finds none; it
expires, so that a lost write mends itself. Commit hooks do not run in the order of their commits: a pointer is
therefore only replaced by one of the same or a larger generation. People's own tags are served the same way, to
RASA_X_TOKEN alone and without noting who asks.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog
from django.utils import timezone
from redis.exceptions import NoScriptError, RedisError

from environments.models import Environment, EnvironmentAlias
from models_app.models import Tag
from studio.redis import hot_client

log = structlog.get_logger()

LIFE_SECONDS = 30
AWAY_SECONDS = 2.0  # for so long nobody asks a Redis that failed: its time-out would slow every poll
POLLS_KEY = "parley:polls"
ALIASES_KEY = "parley:alias-uses"
EVERY_TAG: Final = "*"  # the proof of RASA_X_TOKEN

_PUBLISH = """
local environment, generation = unpack(redis.call('HMGET', KEYS[1], 'environment', 'generation'))
if environment == ARGV[1] and tonumber(generation) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'environment', ARGV[1], 'generation', ARGV[2], 'sha256', ARGV[3], 'name', ARGV[4],
           'size', ARGV[5], 'token', ARGV[6], 'alias', ARGV[7])
redis.call('EXPIRE', KEYS[1], ARGV[8])
return 1
"""

# Looks the pointer up, checks the token, and writes the poll down: who, what it runs, when, how often, and whether it
# is given another model. News is a replica that runs something else than before, that was given a model last time, or
# whose RASA_ENVIRONMENT is another.
# An interval changes at most twofold at a poll, so that one long absence does not make a replica look slow.
_ASK = """
local p = redis.call('HMGET', KEYS[1], 'environment', 'generation', 'sha256', 'name', 'size', 'token', 'alias')
if not p[1] then return {'unknown'} end
if ARGV[1] ~= '*' and ARGV[1] ~= p[6] then return {'refused'} end
local now = tonumber(ARGV[4])
if p[7] ~= '' then redis.call('HSET', KEYS[3], p[7], ARGV[4]) end
local news, interval = 0, 0
if ARGV[2] ~= '' and string.sub(p[1], 1, 1) ~= '-' then
  local field = p[1] .. ' ' .. ARGV[2]
  local old = redis.call('HGET', KEYS[2], field)
  local runs, at, seen, given, claims = string.match(old or '', '^(%S*) (%S+) (%S+) (%d) (%S*)$')
  if at then
    interval = tonumber(seen)
    local gap = now - tonumber(at)
    if gap >= 1 and interval == 0 then interval = math.min(gap, 600)
    elseif gap >= 1 then interval = math.max(interval / 2, math.min(interval * 2, gap)) end
  end
  local gives = 0
  if p[3] ~= '' and p[3] ~= ARGV[3] then gives = 1 end
  redis.call('HSET', KEYS[2], field, string.format('%s %.3f %.3f %d %s', ARGV[3], now, interval, gives, ARGV[5]))
  if runs ~= ARGV[3] or given == '1' or claims ~= ARGV[5] then news = 1 end
end
return {'ok', p[1], p[2], p[3], p[4], p[5], p[6], p[7], news, tostring(interval)}
"""

_COLUMNS = (
    "pk",
    "generation",
    "tag__model__artifact_id",
    "tag__model__name",
    "tag__model__size",
    "model_token_digest",
)


class _Script:
    """A Lua script, run by its digest; a Redis that was flushed or restarted gets the text again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, keys: Sequence[str], *arguments: Any) -> Any:
        client = hot_client()
        try:
            return client.evalsha(self.sha1, len(keys), *keys, *arguments)
        except NoScriptError:
            return client.eval(self.text, len(keys), *keys, *arguments)


_publish = _Script(_PUBLISH)
_ask = _Script(_ASK)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What one address of the model server leads to. `sha256` is empty while the environment has no model.

    A free tag has no environment: its own primary key, negative, stands in that place, and no token reads it.
    """

    environment_id: int
    generation: int
    sha256: str
    model_name: str
    size: int
    token: str  # digest of the environment's model token, hexadecimal
    alias_id: int | None = None

    @property
    def is_free_tag(self) -> bool:
        return self.environment_id < 0


class Poll(NamedTuple):
    """A replica asked. `runs` is its If-None-Match without quotes; `at` is epoch seconds; `claims` is its
    RASA_ENVIRONMENT, empty when it does not say."""

    key: str
    named: bool
    runs: str
    at: float
    claims: str = ""

    @property
    def field(self) -> str:
        return f"{'named' if self.named else 'address'} {self.key}"

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


class Answer(NamedTuple):
    """`is_news`: PostgreSQL has to learn of this poll. Only Redis can tell."""

    pointer: Pointer
    from_redis: bool
    is_news: bool = False
    interval: float | None = None


class UnknownTag(Exception):
    """No environment has that name, now or formerly, and no tag either."""


class WrongToken(Exception):
    """The token does not read this environment's tag."""


class _Breaker:
    """Remembers for a moment that Redis is away. One for each process; races between threads are harmless."""

    def __init__(self) -> None:
        self.until = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self.until

    def trip(self) -> None:
        log.warning("Redis does not answer, polls are answered from the database")
        self.until = time.monotonic() + AWAY_SECONDS


breaker = _Breaker()


def ask(slug: str, name: str, proof: str, poll: Poll | None) -> Answer:
    """Where the tag points, for a caller whose token has the digest `proof` (or EVERY_TAG); the poll is written down.

    Raises UnknownTag or WrongToken; DatabaseError only when PostgreSQL is needed and away.
    """
    if not breaker.is_open:
        try:
            return _ask_redis(slug, name, proof, poll)
        except RedisError:
            breaker.trip()
    return _ask_database(slug, name, proof, poll)


def read(slug: str, name: str) -> Pointer | None:
    """The pointer as PostgreSQL has it; a current name goes before a former one, and both before a free tag."""
    return _of_environment(slug, name) or _of_free_tag(slug, name)


def _of_environment(slug: str, name: str) -> Pointer | None:
    environments = Environment.objects.current().filter(assistant__slug=slug)
    row = environments.filter(name=name).values_list(*_COLUMNS).first()
    if row is None:
        row = environments.filter(aliases__name=name).values_list(*_COLUMNS, "aliases__pk").first()
    if row is None:
        return None
    environment_id, generation, sha256, model, size, token, *alias = row
    digest = bytes(token).hex()
    return Pointer(environment_id, generation, sha256 or "", model or "", size or 0, digest, *alias)


def _of_free_tag(slug: str, name: str) -> Pointer | None:
    tags = Tag.objects.filter(assistant__slug=slug, assistant__deleted_at=None, kind=Tag.Kind.FREE, name=name)
    row = tags.values_list("pk", "moved_at", "model__artifact_id", "model__name", "model__size").first()
    if row is None:
        return None
    tag_id, moved_at, sha256, model, size = row
    return Pointer(-tag_id, int(moved_at.timestamp() * 1e6), sha256 or "", model or "", size or 0, token="")


def publish(environment_id: int) -> None:
    """Bring the pointers of an environment's name and former names up to what is committed; Redis away is no error."""
    environment = Environment.objects.select_related("assistant").filter(pk=environment_id).first()
    if environment is None:
        return
    slug = environment.assistant.slug
    names = [environment.name, *environment.aliases.values_list("name", flat=True)]
    try:
        for name in names:
            pointer = read(slug, name)
            if pointer is not None:
                _set(slug, name, pointer)
    except RedisError:
        log.warning("pointer not written, polls rebuild it", environment=environment_id)


def refresh(slug: str, name: str) -> None:
    """Somebody moved or removed a free tag; Redis away is no error."""
    try:
        pointer = read(slug, name)
        if pointer is None:
            hot_client().delete(_key(slug, name))
        else:
            _set(slug, name, pointer)
    except RedisError:
        log.warning("pointer not written, polls rebuild it", slug=slug, tag=name)


def forget(slug: str, names: list[str]) -> None:
    """Drop pointers of names that no longer lead anywhere."""
    try:
        hot_client().delete(*(_key(slug, name) for name in names))
    except RedisError:
        log.warning("pointers not dropped, they expire", slug=slug, names=names)


def _ask_redis(slug: str, name: str, proof: str, poll: Poll | None) -> Answer:
    answer = _look_up(slug, name, proof, poll)
    if answer is None:
        pointer = read(slug, name)
        if pointer is None:
            raise UnknownTag
        _set(slug, name, pointer)
        answer = _look_up(slug, name, proof, poll)
    if answer is None:
        raise RedisError("a pointer written a moment ago is gone")
    return answer


def _look_up(slug: str, name: str, proof: str, poll: Poll | None) -> Answer | None:
    """None when Redis has no pointer for the name."""
    keys = _key(slug, name), POLLS_KEY, ALIASES_KEY
    who = (poll.field, poll.runs, poll.at, poll.claims) if poll else ("", "", time.time(), "")
    status, *facts = _ask.run(keys, proof, *who)
    if status == b"unknown":
        return None
    if status == b"refused":
        raise WrongToken
    environment_id, generation, sha256, model, size, token, alias, news, interval = facts
    pointer = Pointer(
        int(environment_id),
        int(generation),
        sha256.decode(),
        model.decode(),
        int(size),
        token.decode(),
        int(alias) if alias else None,
    )
    return Answer(pointer, True, bool(news), float(interval) or None)


def _ask_database(slug: str, name: str, proof: str, poll: Poll | None) -> Answer:
    pointer = read(slug, name)
    if pointer is None:
        raise UnknownTag
    if proof not in (EVERY_TAG, pointer.token):
        raise WrongToken
    if pointer.alias_id is not None and poll is not None:
        EnvironmentAlias.objects.filter(pk=pointer.alias_id).update(last_used_at=timezone.now())
    return Answer(pointer, False)


def _set(slug: str, name: str, pointer: Pointer) -> None:
    _publish.run(
        [_key(slug, name)],
        pointer.environment_id,
        pointer.generation,
        pointer.sha256,
        pointer.model_name,
        pointer.size,
        pointer.token,
        pointer.alias_id or "",
        LIFE_SECONDS,
    )


def _key(slug: str, name: str) -> str:
    return f"parley:pointer:{slug}:{name}"
