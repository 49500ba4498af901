"""Queues in Redis. They carry ids only; the rows are the truth, and a row nobody queued is found by the schedule."""

import uuid
from collections.abc import Sequence
from functools import partial

import structlog
from django.db import transaction
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from studio import redis

log = structlog.get_logger()

TRAINING = "training"
RUNNING = "running"
BACKGROUND = "background"


def queue(name: str) -> Queue:
    """The RQ queue of that name; JSON on both ends, because a pickle from Redis would be code."""
    return Queue(name, connection=redis.blocking_client(), serializer=JSONSerializer, default_timeout=-1)


def enqueue(name: str, function: str, *arguments: str | int) -> None:
    """Queue `function` (a dotted path) for after the caller's commit; what it logs carries the id of this request.

    Redis being away is no error here: the row stays queued, the page says so, and the schedule queues it again.
    """
    asked_by = structlog.contextvars.get_contextvars().get("request_id")
    transaction.on_commit(partial(_push, name, function, arguments, {"request_id": asked_by} if asked_by else {}))


def wake(name: str, function: str, waiting: Sequence[int]) -> int:
    """Queue `function` again for rows that Redis does not know any more (flushed, or away when they asked); how many.

    Any id wakes a worker for the first in line, so there must be as many ids as rows that can run. More do no harm.
    """
    if not waiting:
        return 0
    awake = sum(job.func_name == function for job in queue(name).get_jobs())
    forgotten = waiting[: max(0, len(waiting) - awake)]
    with transaction.atomic():
        for pk in forgotten:
            enqueue(name, function, pk)
    return len(forgotten)


def _push(name: str, function: str, arguments: tuple[str | int, ...], meta: dict[str, str]) -> None:
    try:
        queue(name).enqueue_call(
            function, args=arguments, timeout=-1, job_id=uuid.uuid4().hex, result_ttl=0, failure_ttl=3600, meta=meta
        )
    except RedisError:
        log.warning("enqueue failed, the schedule will try again", queue=name, function=function, arguments=arguments)
