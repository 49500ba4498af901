"""`manage.py schedule`: heartbeats, the reaper and everything else that happens by the clock."""

from typing import Any

from studio.command import BaseCommand
from studio.jobs import schedule
from studio.jobs.heartbeat import beating
from studio.jobs.stopping import stop_on_signal
from studio.schema import await_schema


class Command(BaseCommand):
    help = "Run periodic work; a second one waits for the first to end."

    def handle(self, *args: Any, **options: Any) -> None:
        await_schema()
        stop = stop_on_signal()
        with beating("schedule"):
            schedule.run_forever(stop.is_set)
