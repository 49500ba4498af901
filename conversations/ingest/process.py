"""The ingest process: one thread for the tables, and a pair for each Kafka source, begun anew when it changes."""

import threading
import time

import structlog
from django.db import InterfaceError, OperationalError, connection

from conversations.ingest.kafka_intake import KafkaIntake
from conversations.ingest.loop import TablesLoop
from conversations.models import IntakeSource

log = structlog.get_logger()

LOOK_SECONDS = 1.0
REST_SECONDS = 10.0  # after an error of ours
STOP_SECONDS = 4.0  # of the five in which a stop is done


class Died(Exception):
    """A part of the process ended unasked; whoever started the process starts it again."""


class IngestProcess:
    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.intakes: dict[tuple[int, int], KafkaIntake] = {}  # by the source and the version of its settings
        self._resting: dict[int, float] = {}  # sources whose threads ended unasked, and when they may begin again

    def run(self) -> None:
        """Until `stop`. Raises Died."""
        tables = threading.Thread(target=TablesLoop(self.stop).run, name="tables", daemon=True)
        tables.start()
        try:
            while not self.stop.wait(LOOK_SECONDS):
                if not tables.is_alive():
                    raise Died("The thread that takes from tables ended.")
                self._look_around()
        finally:
            self.stop.set()
            until = time.monotonic() + STOP_SECONDS
            self._end(list(self.intakes), until)
            tables.join(max(0.0, until - time.monotonic()))

    def _look_around(self) -> None:
        try:
            wanted = {(one.pk, one.settings_version): one for one in _kafka_sources()}
        except (OperationalError, InterfaceError) as error:
            log.warning("the database is away", error=str(error).strip())
            connection.close()
            return
        now = time.monotonic()
        for key, intake in self.intakes.items():
            if key in wanted and not intake.is_alive:  # its traceback is in the log
                self._resting[key[0]] = now + REST_SECONDS
        ended = [key for key, intake in self.intakes.items() if key not in wanted or not intake.is_alive]
        self._end(ended, now + STOP_SECONDS)
        for key, source in wanted.items():
            if key not in self.intakes and self._resting.get(source.pk, 0.0) <= now:
                self.intakes[key] = KafkaIntake(source)
                self.intakes[key].start()

    def _end(self, keys: list[tuple[int, int]], until: float) -> None:
        ended = [self.intakes.pop(key) for key in keys]
        for intake in ended:
            intake.stop.set()
        for intake in ended:
            intake.join(max(0.0, until - time.monotonic()))


def _kafka_sources() -> list[IntakeSource]:
    rows = IntakeSource.objects.filter(kind=IntakeSource.Kind.KAFKA, is_on=True, alarm="", removed_at=None)
    return list(rows.filter(assistant__deleted_at=None).select_related("assistant"))
