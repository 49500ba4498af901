"""`manage.py migrate`: Django's, one at a time, telling how far it is; `--check` tells how the schema stands."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import DatabaseError, InterfaceError, connections

from studio import migrating, schema
from studio.errors import Conflict

BEHIND, UNKNOWN, AHEAD = 1, 2, 3  # exit codes of --check; 1 is Django's
WATCH_SECONDS = 5.0


class Command(migrate.Command):
    help = "Bring the database's schema to this version. A second one waits for the first. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--wait",
            type=float,
            metavar="SECONDS",
            help="give up when another migration still runs after so many seconds; without it, wait for its end",
        )

    def execute(self, *args: Any, **options: Any) -> Any:
        """System checks ask the database, and would speak first where it is away."""
        return super().execute(
            *args, **{**options, "skip_checks": options["skip_checks"] or options["check_unapplied"]}
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check_unapplied"]:
            self._check()
            return
        if options["plan"]:
            super().handle(*args, **options)
            return
        self._connection = connections[options["database"]]
        try:
            with migrating.alone(self._connection, wait=options.get("wait"), say=self._say):
                migrating.patiently(self._connection, lambda: self._migrate(*args, **options), self._say)
        except Conflict as error:
            raise CommandError(error.message) from error

    def _migrate(self, *args: Any, **options: Any) -> None:
        self._number = 0
        self._count = len(schema.read(self._connection).pending)
        try:
            with _watching(self._say if options["verbosity"] and self._count else None):
                super().handle(*args, **options)
        finally:
            migrating.limit_no_longer(self._connection)

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        super().migration_progress_callback(action, migration, fake)
        if action in {"apply_start", "unapply_start"}:
            self._number += 1
            name = f"{migration.app_label}.{migration.name}"
            migrating.tell(self._connection, self._number, max(self._count, self._number), name)
            migrating.limit_waiting(self._connection, is_atomic=migration.atomic)

    def _check(self) -> None:
        """Exit code 0: up to date; 1: behind; 3: ahead of this program, which may run; 2: nobody can tell."""
        try:
            found = schema.read()
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL does not answer: {error}", returncode=UNKNOWN) from error
        self.stdout.write(f"The database is {found.in_words}." if not found.pending else f"Behind: {found.in_words}.")
        other = migrating.running(connections["default"])
        if other is not None:
            self.stdout.write(f"In use: {other.in_words}.")
        if found.pending or found.newer:
            sys.exit(BEHIND if found.pending else AHEAD)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


@contextmanager
def _watching(say: Callable[[str], object] | None) -> Iterator[None]:
    """Say every few seconds how far a long migration is, as everybody else sees it too."""
    if say is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(stop, say), name="migration-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def _watch(stop: threading.Event, say: Callable[[str], object]) -> None:
    said = ""
    while not stop.wait(WATCH_SECONDS):
        try:
            with schema.connected() as connection:
                found = migrating.running(connection)
        except (DatabaseError, InterfaceError):
            continue
        if found is not None and found.migration and found.in_words != said:
            said = found.in_words
            say(f"    {said}, {found.seconds:.0f} s")
