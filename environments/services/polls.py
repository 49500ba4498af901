"""From polls to rows: at once when one brings news, else gathered by the schedule from what Redis noted."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from environments.models import EnvironmentAlias, Replica
from environments.services import replicas
from environments.services.pointers import ALIASES_KEY, POLLS_KEY, Poll, breaker
from environments.services.transitions import advance
from studio.redis import hot_client
from studio.web.streaming import Sent

log = structlog.get_logger()

QUIET_SECONDS = 5.0  # without Redis, a replica's unchanged polls are written at most so often by each process


class _Noted(NamedTuple):
    """A replica's last poll, as Redis has it."""

    environment_id: int
    poll: Poll
    interval: float | None
    is_given: bool


_written: dict[tuple[int, str], tuple[tuple[str, str], float]] = {}
_writing = threading.Lock()


def record(environment_id: int, poll: Poll, interval: float | None, *, answered: str | None) -> None:
    """Write a poll down and let the promotion advance. A database that is away never costs the replica its answer."""
    try:
        replicas.note_poll(environment_id, poll, interval, answered=answered)
        advance(environment_id)
    except DatabaseError:
        log.exception("poll not written", environment=environment_id, replica=poll.key)


def record_now_and_then(environment_id: int, poll: Poll) -> None:
    """`record` for a poll without news while Redis, which would know that it is none, is away."""
    who, now = (environment_id, poll.key), time.monotonic()
    with _writing:
        said, at = _written.get(who, (("", ""), 0.0))
        if said == (poll.runs, poll.claims) and now - at < QUIET_SECONDS:
            return
        _written[who] = (poll.runs, poll.claims), now
    record(environment_id, poll, None, answered=None)


def record_served(environment_id: int, poll: Poll, sha256: str, sent: Sent) -> None:
    try:
        replicas.note_served(environment_id, poll, sha256, size=sent.size, seconds=sent.seconds)
    except DatabaseError:
        log.exception("pull not written", environment=environment_id, replica=poll.key)


def record_cut(environment_id: int, poll: Poll) -> None:
    try:
        replicas.note_cut(environment_id, poll)
    except DatabaseError:
        log.exception("cut pull not written", environment=environment_id, replica=poll.key)


def flush() -> None:
    """Schedule: bring what Redis knows of replicas into their rows; also what `record` could not write."""
    rows = {(row.environment_id, row.key): row for row in Replica.objects.all()}
    seen: list[tuple[Replica, datetime, float | None]] = []
    old: list[str] = []
    for field, value in _hash(POLLS_KEY).items():
        noted = _parse(field, value)
        row = rows.get((noted.environment_id, noted.poll.key))
        if time.time() - noted.poll.at > replicas.FORGET_AFTER.total_seconds():
            old.append(field)
        elif _is_unwritten(row, noted):
            record(noted.environment_id, noted.poll, noted.interval, answered=None)
        elif row is not None and noted.poll.moment > row.last_seen_at:
            seen.append((row, noted.poll.moment, noted.interval))
    replicas.note_seen(seen)
    if old:
        hot_client().hdel(POLLS_KEY, *old)
    _flush_aliases()


def bring_up_to_date(rows: Sequence[Replica]) -> None:
    """Tell replicas whose rows look silent what Redis noted of them, in memory alone: while no schedule runs, rows grow
    old, and the servers poll as before. Without Redis, polls are written into the rows themselves."""
    now = timezone.now()
    late = [row for row in rows if not replicas.is_live(row, now)]
    if not late or breaker.is_open:
        return
    fields = [f"{row.environment_id} {'named' if row.named else 'address'} {row.key}" for row in late]
    try:
        values: list[bytes | None] = hot_client().hmget(POLLS_KEY, fields)  # type: ignore[assignment]
    except RedisError:
        breaker.trip()
        return
    for row, field, value in zip(late, fields, values, strict=True):
        if value is not None and (noted := _parse(field, value.decode())).poll.moment > row.last_seen_at:
            row.last_seen_at, row.interval = noted.poll.moment, noted.interval or row.interval


def _is_unwritten(row: Replica | None, noted: _Noted) -> bool:
    """Whether a poll with news never reached its row. One that was given a model comes again and tells it itself."""
    if row is None:
        return True
    if noted.is_given or noted.poll.moment < row.last_seen_at:
        return False
    said = noted.poll.runs, noted.poll.claims
    return (row.runs_etag, row.claims) != said or row.pulling_since is not None


def _flush_aliases() -> None:
    for alias_id, at in _hash(ALIASES_KEY).items():
        EnvironmentAlias.objects.filter(pk=int(alias_id)).update(last_used_at=datetime.fromtimestamp(float(at), UTC))
        hot_client().hdel(ALIASES_KEY, alias_id)


def _parse(field: str, value: str) -> _Noted:
    """A field is `<environment> named|address <key>`, its value `<what it runs> <when> <interval> <given a model>
    <its RASA_ENVIRONMENT>`."""
    environment_id, kind, key = field.split(" ", 2)
    runs, at, interval, given, claims = f"{value} ".split(" ")[:5]  # what older releases noted ends before the name
    poll = Poll(key, kind == "named", runs, float(at), claims)
    return _Noted(int(environment_id), poll, float(interval) or None, given == "1")


def _hash(key: str) -> dict[str, str]:
    values: dict[bytes, bytes] = hot_client().hgetall(key)  # type: ignore[assignment]
    return {field.decode(): value.decode() for field, value in values.items()}
