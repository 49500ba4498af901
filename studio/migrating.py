"""One migration of the schema at a time, and how far it is, for whoever asks.

Who migrates holds an advisory lock on the very connection that it migrates with: when that is lost, so is the lock, and
the migration has failed. How far it is stands in that connection's `application_name`, which PostgreSQL shows to every
other session at once, keeps in no table, and forgets with the connection.

A statement that waits for a table makes all others wait behind it. So none waits for long: its migration is taken back,
and tried again.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from studio.errors import Conflict

LOCK = 7_270_553_914  # an advisory lock: any number of our own
LOOK_SECONDS = 0.5
SAY_SECONDS = 10.0
LOCK_SECONDS = 5.0  # that a statement waits for a table, and everybody behind it
LOCK_PAUSE = 10.0  # until it is tried again
LOCK_TRIES = 20  # about five minutes in all
LONGEST = 63  # bytes of an application_name
_NAME = re.compile(r"parley migrate (\d+)/(\d+)(?: (\d+)%)?(?: (\S+))?")

# When it began is not told of a session of a role that we do not belong to.
_HOLDER = """
SELECT a.pid, a.application_name, coalesce(extract(epoch FROM now() - a.backend_start), 0), i.phase,
       100.0 * coalesce(i.blocks_done::float / nullif(i.blocks_total, 0), 0)
FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_stat_progress_create_index i USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = %s AND l.objid::bigint = %s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_LONG = """
SELECT pid, coalesce(nullif(application_name, ''), usename, '?'), coalesce(extract(epoch FROM now() - xact_start), 0)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - make_interval(secs => %s)
ORDER BY xact_start LIMIT 3
"""
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Running:
    """Who has the schema: a migration, `number` of `count`, and percent of that one where it tells; or, with 0 of 0,
    one that only begins, or a backup."""

    process: int  # of PostgreSQL, as pg_stat_activity numbers them
    seconds: float  # since it connected; 0 where PostgreSQL does not tell
    name: str = ""  # that it gives itself
    number: int = 0
    count: int = 0
    percent: float = 0.0
    migration: str = ""
    step: str = ""  # what PostgreSQL does to make an index

    @property
    def in_words(self) -> str:
        if not self.migration:
            return f"{self.name or 'it begins'} (process {self.process} of PostgreSQL)"
        part = f", {self.percent:.0f} % done" if self.percent else ""
        step = f", {self.step}" if self.step else ""
        return f"{self.migration}, {self.number} of {self.count}{part}{step}"


def running(connection: BaseDatabaseWrapper) -> Running | None:
    """Who migrates this database now, and how far that is."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER, [LOCK >> 32, LOCK & 0xFFFFFFFF])
        row = cursor.fetchone()
    if row is None:
        return None
    process, name, seconds, step, of_index = row
    found = _NAME.fullmatch(name or "")
    if found is None:
        return Running(process, float(seconds), name or "")
    number, count, percent, migration = found.groups()
    part = float(percent or 0) or float(of_index)
    return Running(process, float(seconds), name, int(number), int(count), part, migration or "", step or "")


@contextmanager
def alone(connection: BaseDatabaseWrapper, *, wait: float | None, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the schema; who does not get it at once says who has it, and waits up to `wait` seconds (None: for ever).

    A backup holds it while it dumps: a migration would wait for the dump's tables, and everybody else behind it.

    It asks again and again. Within a statement that waits it would hold a snapshot, and an index that the other makes
    concurrently would wait for that: for ever. Conflict when the time is over.
    """
    _take(connection, wait, say)
    former = _name_of(connection)
    try:
        yield
    finally:
        with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            cursor.execute("SELECT set_config('application_name', %s, false)", [former])


def _take(connection: BaseDatabaseWrapper, wait: float | None, say: Callable[[str], object]) -> None:
    began, said = time.monotonic(), -SAY_SECONDS
    while not _try(connection):
        now = time.monotonic()
        other = running(connection)
        words = other.in_words if other else "ends just now"
        if wait is not None and now - began >= wait:
            raise Conflict(f"The schema is in use: {words}. Nothing was done here; look how far that is.")
        if now - said >= SAY_SECONDS:
            said = now
            say(f"The schema is in use; this waits for its end: {words}")
        time.sleep(LOOK_SECONDS)


def _try(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def patiently(connection: BaseDatabaseWrapper, migrate: Callable[[], object], say: Callable[[str], object]) -> None:
    """Run `migrate`, and again after a pause while a statement of it does not get its table within LOCK_SECONDS.

    What was applied before stays, and what was not is taken back by its transaction. Conflict after LOCK_TRIES.
    """
    for left in reversed(range(LOCK_TRIES)):
        try:
            migrate()
            return
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
        busy = f"a table is in use by others for more than {LOCK_SECONDS:g} s{_who_is_long(connection)}"
        if left:
            say(f"    It was taken back, and is tried again in {LOCK_PAUSE:g} s: {busy}.")
            time.sleep(LOCK_PAUSE)
    raise Conflict(
        f"Given up after {LOCK_TRIES} tries: {busy}. This migration is not applied; those before it are. End what "
        "holds the table (SELECT pg_terminate_backend(number)), or wait for its end, and migrate again."
    )


def limit_waiting(connection: BaseDatabaseWrapper, *, is_atomic: bool) -> None:
    """For the statements of the migration that begins.

    One that is not atomic makes indexes concurrently: it waits for the end of others' transactions, but nobody waits
    behind it; and cut short it would leave an index that is not valid.
    """
    _set(connection, "lock_timeout", f"{LOCK_SECONDS * 1000:.0f}" if is_atomic else "0")


def limit_no_longer(connection: BaseDatabaseWrapper) -> None:
    with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


def _who_is_long(connection: BaseDatabaseWrapper) -> str:
    """`; longest are parley ingest (process 71 of PostgreSQL, 80 s)`, of transactions that may hold the table."""
    with connection.cursor() as cursor:
        cursor.execute(_LONG, [LOCK_SECONDS])
        rows = cursor.fetchall()
    named = [f"{name} (process {process} of PostgreSQL, {seconds:.0f} s)" for process, name, seconds in rows]
    return f"; the longest transactions are of {', '.join(named)}" if named else ""


def call(connection: BaseDatabaseWrapper, words: str) -> None:
    """What others are told of who has the schema, when it is no migration."""
    _call(connection, words, "")


def tell(connection: BaseDatabaseWrapper, number: int, count: int, migration: str) -> None:
    """Migration `number` of `count` begins."""
    _call(connection, f"parley migrate {number}/{count}", migration)


def tell_part(connection: BaseDatabaseWrapper, done: int, total: int) -> None:
    """For RunPython that takes long: so much of the present migration is done. `connection` is its schema editor's."""
    if found := _NAME.fullmatch(_name_of(connection)):
        number, count, _percent, migration = found.groups()
        percent = 100 * done // total if total else 100
        _call(connection, f"parley migrate {number}/{count} {percent}%", migration or "")


def _call(connection: BaseDatabaseWrapper, words: str, migration: str) -> None:
    _set(connection, "application_name", f"{words} {migration}"[:LONGEST].strip())


def _set(connection: BaseDatabaseWrapper, name: str, value: str) -> None:
    """For the session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, value])


def _name_of(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('application_name')")
        row = cursor.fetchone()
    return str(row[0]) if row else ""
