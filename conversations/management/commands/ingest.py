"""`manage.py ingest`: turn what Rasa servers publish into conversations, until told to stop."""

import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.ingest.loop import Ingest
from conversations.ingest.sql_source import TooManyInvalid
from studio.jobs.heartbeat import beating
from studio.jobs.stopping import stop_on_signal


class Command(BaseCommand):
    help = "Turn the events that Rasa servers publish into conversations. Any number may run side by side."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="store what waits now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["once"]:
                moved = Ingest(threading.Event()).drain()
                self.stdout.write(f"{moved.added} new, {moved.known} known already, {moved.dead} unreadable")
                return
            stop = stop_on_signal()
            with beating("ingest"):
                Ingest(stop).run()
        except TooManyInvalid as error:
            raise CommandError(f"{error} They are still where they were. Look at the dead letters.") from None
