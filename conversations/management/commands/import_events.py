"""`manage.py import_events`: bring in the history of an existing Rasa."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError, transaction

from conversations.ingest.history import History, HistoryRefused, Import, Progress
from conversations.ingest.history_file import Lines, open_file
from conversations.ingest.history_sql import open_table, scheme_of
from environments.models import Environment
from models_app.models import Assistant
from studio.audit.actions import Action
from studio.audit.services import record
from studio.command import BaseCommand
from studio.jobs.stopping import stop_on_signal
from studio.web.formats import duration

SAY_SECONDS = 2.0
FROM_VARIABLE = "env:"
GOES_ON = "Run it again: it goes on where it was."


class Command(BaseCommand):
    help = "Bring in the events that an existing Rasa remembers. May be stopped and run again; twice is once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "where",
            help="address of Rasa's SQL tracker store (postgresql://…, sqlite:///…), a file with one event or one "
            "tracker on a line, - for standard input, or env:NAME for an address that the variable NAME holds",
        )
        parser.add_argument("--assistant", default="default", help="address (slug) of the assistant they are of")
        parser.add_argument("--environment", default="production", help="name of the environment that they came from")
        parser.add_argument("--schema", default="", help="of a tracker store in PostgreSQL (Rasa's POSTGRESQL_SCHEMA)")
        parser.add_argument(
            "--accept-invalid", action="store_true", help="go on, however many records cannot be read as events"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        environment = environment_named(options["assistant"], options["environment"])
        try:
            history = open_history(options["where"], options["schema"])
            run = Import(history, environment, accepts_invalid=options["accept_invalid"])
            _record(run, Action.HISTORY_IMPORT_STARTED)
            self._follow(run, stop_on_signal())
        except HistoryRefused as error:
            raise CommandError(error.message) from None
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"Our database went away: {str(error).strip()} {GOES_ON}") from None

    def _follow(self, run: Import, stop: threading.Event) -> None:
        progress, say_at = None, 0.0
        for progress in run.run(stop):
            if time.monotonic() >= say_at:
                self._say(progress)
                say_at = time.monotonic() + SAY_SECONDS
        if progress is None:
            self.stdout.write("There are no events.")
            return
        self._say(progress)
        _record(run, Action.HISTORY_IMPORTED, progress)
        self.stdout.write(f"Stopped. {GOES_ON}" if stop.is_set() else "Done.")

    def _say(self, progress: Progress) -> None:
        self.stdout.write(sentence(progress))
        self.stdout.flush()


def sentence(progress: Progress) -> str:
    """How far it is, at which rate, and how long it still takes."""
    stored, rest = progress.stored, progress.rest_seconds
    rate = progress.records / progress.seconds if progress.seconds else 0
    parts = [
        f"{progress.share:.0%}" if progress.share is not None else "",
        f"{progress.records:,} events, {rate:,.0f} a second",
        f"{stored.added:,} new, {stored.known:,} known already, {stored.dead:,} unreadable",
        f"{stored.erased:,} refused, of deleted conversations" if stored.erased else "",
        f"{duration(rest)} left" if rest else "",
    ]
    return " · ".join(part for part in parts if part)


def environment_named(slug: str, name: str) -> Environment:
    """CommandError when there is none of that name."""
    assistant = Assistant.objects.current().filter(slug=slug).first()
    if assistant is None:
        raise CommandError(f"There is no assistant called {slug}.")
    environment = Environment.objects.current().select_related("assistant").filter(assistant=assistant, name=name)
    found = environment.first()
    if found is None:
        raise CommandError(f"{slug} has no environment called {name}.")
    return found


def open_history(where: str, schema: str = "") -> History:
    """HistoryRefused when it cannot be read."""
    if where.startswith(FROM_VARIABLE):  # keeps a password off the command line, which every user of a machine sees
        name = where.removeprefix(FROM_VARIABLE)
        where = os.environ.get(name, "")
        if not where:
            raise HistoryRefused(f"The variable {name} is not set.")
    if where == "-":
        return Lines(sys.stdin.buffer, "standard input")
    return open_table(where, schema) if scheme_of(where) else open_file(Path(where))


@transaction.atomic
def _record(run: Import, action: Action, progress: Progress | None = None) -> None:
    facts: dict[str, object] = {"from": run.history.label}
    if progress is not None:
        facts |= {"new": progress.stored.added, "known": progress.stored.known, "unreadable": progress.stored.dead}
        facts |= {"refused": progress.stored.erased} if progress.stored.erased else {}
    environment = run.source.environment
    record(None, action, environment, assistant_id=run.source.assistant_id, after=facts, actor_label="a command")
