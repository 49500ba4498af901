"""How the database's schema stands to this code: up to date, older, or newer.

An older one has no place for what the code writes, so no process starts on it. A newer one is what a rolling update
looks like from the processes that are still to be replaced: migrations are written to be safe beside them.
"""

import copy
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from django.core.management.base import CommandError
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

log = structlog.get_logger()

LOOK_SECONDS = 2.0  # between two tries to reach a database that is away
NAMED = 3  # migrations that a message names


class OlderSchema(CommandError):
    """The code needs migrations that the database has not had."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Migrations by `app.name`: those the code brings and the database lacks, in their order, and the reverse."""

    pending: tuple[str, ...]
    newer: tuple[str, ...]
    total: int  # that the code brings

    @property
    def in_words(self) -> str:
        """`up to date`, or what is missing where."""
        said = []
        if self.pending:
            said.append(f"{_count(self.pending)} not applied: {_named(self.pending)}")
        if self.newer:
            said.append(f"newer than this program by {_plain(self.newer)}: {_named(self.newer)}")
        return "; ".join(said) or "up to date"


def read(connection: BaseDatabaseWrapper | None = None) -> Schema:
    """As the database says now. DatabaseError when it does not answer."""
    used = connections["default"] if connection is None else connection
    used.ensure_connection()
    executor = MigrationExecutor(used)
    loader = executor.loader
    plan = executor.migration_plan(loader.graph.leaf_nodes())
    pending = tuple(f"{migration.app_label}.{migration.name}" for migration, _backwards in plan)
    return Schema(pending, tuple(newer_than_files(loader, loader.applied_migrations)), len(loader.graph.nodes))


def newer_than_files(loader: MigrationLoader, applied: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Of `applied`, keys of (app, name), those of a later version of the code.

    A name that is unknown and sorts before the last file of its app is of an old one, which a squashed one replaced.
    """
    last: dict[str, str] = {}
    for app, name in loader.disk_migrations:
        last[app] = max(name, last.get(app, ""))
    for app, name in sorted(applied):
        if (app, name) not in loader.disk_migrations and name > last.get(app, ""):
            yield f"{app}.{name}"


@contextmanager
def connected() -> Iterator[BaseDatabaseWrapper]:
    """A connection apart from the others of this process, and the default one of this thread meanwhile.

    A pool that is opened before a fork never gives a connection out after it, and Django asks for applied migrations by
    the name of a connection, whichever it was given.
    """
    usual = connections["default"]
    settings = copy.deepcopy(usual.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    made = type(usual)(settings, "default")
    connections["default"] = made
    try:
        yield made
    finally:
        connections["default"] = usual
        made.close()


def refuse_older() -> None:
    """OlderSchema unless the database has all that this code needs. Without a database nothing is refused."""
    try:
        _refuse_pending(_read_apart())
    except DatabaseError:
        log.warning("the schema was not compared with this program: PostgreSQL does not answer")


def await_schema() -> None:
    """`refuse_older` for processes that do nothing without a database: they wait until it answers.

    SIGTERM ends them meanwhile; the first process of a container, which some are, ignores what it does not handle.
    """
    former = signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        _refuse_pending(_awaited())
    finally:
        signal.signal(signal.SIGTERM, former)


def _awaited() -> Schema:
    said = False
    while True:
        try:
            return _read_apart()
        except DatabaseError:
            if not said:
                log.warning("PostgreSQL does not answer: this process waits for it")
            said = True
            time.sleep(LOOK_SECONDS)


def _read_apart() -> Schema:
    with connected() as connection:
        return read(connection)


def _refuse_pending(found: Schema) -> None:
    if found.pending:
        raise OlderSchema(
            f"The database is older than this program: {_count(found.pending)} not applied ({_named(found.pending)}). "
            "Run `manage.py migrate` with this version, and start this process again."
        )


def refuse_older_or_exit() -> None:
    """For processes that no management command starts: print why not, and end."""
    try:
        refuse_older()
    except OlderSchema as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log before the start
        sys.exit(3)


def _plain(names: tuple[str, ...]) -> str:
    return "1 migration" if len(names) == 1 else f"{len(names)} migrations"


def _count(names: tuple[str, ...]) -> str:
    return f"{_plain(names)} {'is' if len(names) == 1 else 'are'}"


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
