"""Taking from every events table: often while somebody talks, seldom while nobody does."""

import threading
import time
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from conversations import metrics
from conversations.ingest.readable_share import InvalidShare, TooManyInvalid
from conversations.ingest.sql_source import BATCH, Intake, intakes, move_batch
from conversations.ingest.write import Stored, sqlstate
from conversations.services import sources

log = structlog.get_logger()

BUSY_PAUSE, IDLE_PAUSE = 0.2, 1.0  # seconds between looks
BUSY_FOR = 60.0  # seconds after an event in which the next one is likely
REFRESH_SECONDS = 2.0  # how soon a new environment is seen
BEAT_SECONDS = 5.0
FAULT_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
AWAY_PAUSES = (0.5, 1.0, 2.0, 5.0)

_NOT_MADE = {"42P01", "3F000"}  # no such table, no such schema


@dataclass
class Pace:
    """When one intake is looked at next, and what went wrong with it."""

    due: float = 0.0
    busy_until: float = 0.0
    faults: int = 0
    complained: bool = True  # an error may stand on its page; also one that an earlier process left there
    share: InvalidShare = field(default_factory=InvalidShare)


class TablesLoop:
    """Moves events of all tables until told to stop. One thread: a batch is far quicker than people type."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.intakes: list[Intake] = []
        self.paces: dict[int, Pace] = {}
        self.refresh_due = 0.0
        self.beat_due = 0.0

    def run(self) -> None:
        """Until `stop`; a database that is away is waited for."""
        away = 0
        while not self.stop.is_set():
            try:
                self._look_around()
                away = 0
            except (OperationalError, InterfaceError) as error:
                pause = AWAY_PAUSES[min(away, len(AWAY_PAUSES) - 1)]
                log.warning("the database is away, events wait in its tables", pause=pause, error=str(error).strip())
                away += 1
                connection.close()
                self.stop.wait(pause)

    def drain(self) -> Stored:
        """Move everything that waits now, and return."""
        total = Stored()
        self._refresh()
        for intake in self.intakes:
            while (moved := self._move(intake)) != Stored():
                total += moved
        return total

    def _look_around(self) -> None:
        now = time.monotonic()
        if now >= self.refresh_due:
            self._refresh()
            self.refresh_due = now + REFRESH_SECONDS
        if now >= self.beat_due:
            sources.beat(self.paces)
            self.beat_due = now + BEAT_SECONDS
        for intake in self.intakes:
            if self.paces[intake.source_id].due <= now and not self.stop.is_set():
                self._move_and_pace(intake)
        dues = [self.paces[intake.source_id].due for intake in self.intakes]
        self.stop.wait(max(0.0, min([*dues, self.refresh_due]) - time.monotonic()))

    def _refresh(self) -> None:
        self.intakes = intakes()
        self.paces = {one.source_id: self.paces.get(one.source_id, Pace()) for one in self.intakes}

    def _move_and_pace(self, intake: Intake) -> None:
        pace = self.paces[intake.source_id]
        try:
            moved = self._move(intake)
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError as error:
            self._fault(intake, error)
            return
        now = time.monotonic()
        pace.faults = 0
        if pace.complained:
            self._say(intake, "")
        if moved != Stored():
            pace.busy_until = now + BUSY_FOR
        full = moved.records >= BATCH
        pace.due = now if full else now + (BUSY_PAUSE if now < pace.busy_until else IDLE_PAUSE)

    def _move(self, intake: Intake) -> Stored:
        share, began = self.paces[intake.source_id].share, time.perf_counter()
        try:
            moved = move_batch(intake, share)
        except TooManyInvalid as error:
            log.error("nothing more is taken from a table", schema=intake.schema, why=str(error))
            sources.raise_alarm(intake.source_id, str(error))
            self.refresh_due = 0.0
            return Stored()
        if moved != Stored():
            metrics.note_batch("sql", moved, time.perf_counter() - began)
        if intake.accepts_invalid and share.is_good:
            sources.accept_no_longer(intake.source_id)
        return moved

    def _fault(self, intake: Intake, error: DatabaseError) -> None:
        """One intake that cannot be read never keeps the others waiting."""
        pace = self.paces[intake.source_id]
        pace.due = time.monotonic() + FAULT_PAUSES[min(pace.faults, len(FAULT_PAUSES) - 1)]
        pace.faults += 1
        log.warning("events of an environment cannot be taken", schema=intake.schema, error=str(error).strip())
        if sqlstate(error) in _NOT_MADE:
            self._say(intake, "The table that Rasa's event broker writes to does not exist.")
        else:
            self._say(intake, f"PostgreSQL refused to hand over the events (code {sqlstate(error) or 'unknown'}).")

    def _say(self, intake: Intake, message: str) -> None:
        sources.say(intake.source_id, message)
        self.paces[intake.source_id].complained = bool(message)
