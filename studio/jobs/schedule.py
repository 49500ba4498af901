"""Periodic work: our own loop under one PostgreSQL advisory lock, so that two schedules never double it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from redis.exceptions import RedisError

log = structlog.get_logger()

LOCK_ID = 7_270_553_909  # any number of our own; who holds it is the one schedule


@dataclass
class Task:
    name: str
    run: Callable[[], object]
    seconds: float
    due: float = 0.0


_tasks: dict[str, Task] = {}


def every(seconds: float, run: Callable[[], object], *, name: str) -> None:
    """Register periodic work; apps call it from AppConfig.ready()."""
    _tasks[name] = Task(name, run, seconds)


def tasks() -> list[Task]:
    return list(_tasks.values())


def hold_lock(number: int = LOCK_ID) -> bool:
    """Take the lock on this connection unless another process has it; it ends with the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        row = cursor.fetchone()
    return bool(row and row[0])


_HELD = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND classid::bigint = %s AND objid::bigint = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


def is_held(number: int) -> bool:
    """Whether any process has that advisory lock now."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [number >> 32, number & 0xFFFFFFFF])
        row = cursor.fetchone()
    return bool(row and row[0])


def run_due(now: float) -> None:
    """Run what is due. One task's failure never keeps the others from running."""
    for task in tasks():
        if task.due > now:
            continue
        task.due = now + task.seconds
        try:
            _run(task)
        except (DatabaseError, InterfaceError):
            raise  # the connection and with it the lock may be gone
        except RedisError as error:
            log.warning("periodic work waits for Redis", task=task.name, error=str(error))
        except Exception:
            log.exception("periodic work failed", task=task.name)


def _run(task: Task) -> None:
    """What it logs is about it, and what the next one logs is not."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name)
    try:
        task.run()
    finally:
        structlog.contextvars.clear_contextvars()


def run_forever(stop: Callable[[], bool], *, pause: float = 0.5) -> None:
    """The loop of `manage.py schedule`: wait for the lock, then run what is due until `stop()`."""
    held = False
    while not stop():
        try:
            held = held or hold_lock()
            if held:
                run_due(time.monotonic())
        except (DatabaseError, InterfaceError):
            log.warning("schedule lost the database, trying again")
            held = False
            connection.close()
            close_old_connections()
            time.sleep(2)
        time.sleep(pause if held else 2)
