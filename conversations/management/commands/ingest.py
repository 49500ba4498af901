"""`manage.py ingest`: turn what Rasa servers publish into conversations, until told to stop."""

import gc
import sys
import threading
from typing import Any

import structlog
from django.core.management.base import CommandError, CommandParser
from kafka.record import util

from conversations.ingest.loop import TablesLoop
from conversations.ingest.process import Died, IngestProcess
from conversations.models import IntakeSource
from studio.command import BaseCommand
from studio.jobs.heartbeat import beating
from studio.jobs.stopping import stop_on_signal
from studio.schema import await_schema, refuse_older

log = structlog.get_logger()


SWITCH_SECONDS = 0.0005
YOUNG_OBJECTS = 50_000


class Command(BaseCommand):
    help = "Turn the events that Rasa servers publish into conversations. Any number may run side by side."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="store what waits in tables now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            refuse_older()
            self._once()
            return
        await_schema()
        if util.crc32c_c is None:
            log.error("crc32c is not installed: Kafka is read five times slower. Install kafka-python[crc32c].")
        _fit_for_batches()
        stop = stop_on_signal()
        try:
            with beating("ingest"):
                IngestProcess(stop).run()
        except Died as error:
            raise CommandError(str(error)) from None

    def _once(self) -> None:
        moved = TablesLoop(threading.Event()).drain()
        refused = f", {moved.erased} refused of deleted conversations" if moved.erased else ""
        self.stdout.write(f"{moved.added} new, {moved.known} known already, {moved.dead} unreadable{refused}")
        alarmed = IntakeSource.objects.exclude(alarm="").filter(removed_at=None)
        if found := [f"{one.name}: {one.alarm}" for one in alarmed]:
            raise CommandError("\n".join([*found, "The records are still where they were."]))


def _fit_for_batches() -> None:
    """Of two threads, one decodes and one waits for PostgreSQL: it goes on as soon as PostgreSQL has answered, instead
    of Python's 5 ms later each time. And a batch is made of many thousand objects that are in no ring."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
