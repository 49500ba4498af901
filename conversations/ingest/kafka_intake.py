"""Taking from one Kafka source: a thread that reads and decodes, and one that stores what the other has decoded."""

import queue
import threading
import time
from dataclasses import asdict, dataclass

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from kafka.errors import KafkaError

from conversations import metrics
from conversations.ingest import positions
from conversations.ingest.kafka_reader import KafkaReader, Refused, Stalled, Taken
from conversations.ingest.kafka_settings import settings_of
from conversations.ingest.kafka_words import explain
from conversations.ingest.places import SourcePlaces
from conversations.ingest.positions import Partition, PositionMoved
from conversations.ingest.readable_share import InvalidShare, TooManyInvalid, Window
from conversations.ingest.records import Batch, Offset, Record, Unreadable, read
from conversations.ingest.standstill import limit_standstill
from conversations.ingest.write import Stored, again_when_interrupted, sqlstate, store
from conversations.models import IntakeIncident, IntakeSource
from conversations.services import sources

log = structlog.get_logger()

AHEAD = 1  # batches that may wait while one is stored
LOOK_SECONDS = 5.0  # how often a quiet topic is asked for its end, which also tells whether the cluster is there
BEAT_SECONDS = 5.0
PAUSES = (1.0, 2.0, 5.0, 10.0)
AWAY_PAUSES = (0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class Ready:
    """A batch on its way to the database."""

    taken: Taken
    batch: Batch


class KafkaIntake:
    """Runs until `stop`, or until an alarm; whatever else goes wrong is said on the source and tried again."""

    def __init__(self, source: IntakeSource) -> None:
        self.source = source
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._share = InvalidShare()
        self._places = SourcePlaces(source)
        self._queue: queue.Queue[Ready] = queue.Queue(AHEAD)
        self._moved = threading.Event()  # somebody else took a partition: what is on its way is worth nothing
        self._reached: dict[Partition, int] = {}
        self._guard = threading.Lock()
        self._complained = True
        self._looked_at = 0.0

    # --- The outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        for work in (self._read_forever, self._store_forever):
            thread = threading.Thread(target=work, name=f"{work.__name__}-{self.source.pk}", daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def join(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # --- Reading ----------------------------------------------------------------------------------------------------

    def _read_forever(self) -> None:
        tries = 0
        while not self.stop.is_set():
            try:
                self._read()
                tries = 0
            except (Refused, KafkaError) as error:
                message = str(error) if isinstance(error, Refused) else explain(error, settings_of(self.source))
                self._wait(PAUSES, tries, message, error)
                tries += 1
            except (DatabaseError, InterfaceError) as error:  # not one of the other, in Django
                self._wait(AWAY_PAUSES, tries, _refusal(error), error)
                tries += 1
            except PositionMoved:
                log.info("another process took a partition", source=self.source.pk)
            except Stalled as error:
                log.warning("a consumer is replaced", source=self.source.pk, why=str(error))
            except Exception as error:
                log.exception("a source cannot be read", source=self.source.pk)
                self._wait(PAUSES, tries, f"Kafka's client does not work: {error}", error)
                tries += 1
        connection.close()

    def _read(self) -> None:
        """With one consumer, until it fails or the source is stopped."""
        reader = KafkaReader(self.source.pk, settings_of(self.source))
        try:
            self._drain()
            while not self.stop.is_set():
                if reader.is_shared_anew or self._moved.is_set():
                    self._drain()
                    reader.settle()
                taken = reader.read()
                if taken.moves:
                    self._hand_over(_ready(taken))
                self._tell_the_group(reader)
                self._look(reader, is_quiet=not taken.moves)
            self._drain(seconds=3.0)
            self._tell_the_group(reader)
        finally:
            reader.close()

    def _hand_over(self, ready: Ready) -> None:
        while not self.stop.is_set() and not self._moved.is_set():
            try:
                self._queue.put(ready, timeout=0.2)
                return
            except queue.Full:
                continue

    def _drain(self, seconds: float = 3600.0) -> None:
        """Wait until nothing is on its way any more."""
        until = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < until:
            if self.stop.is_set():
                until = min(until, time.monotonic() + 3.0)
            time.sleep(0.01)
        self._moved.clear()

    def _tell_the_group(self, reader: KafkaReader) -> None:
        with self._guard:
            reached, self._reached = self._reached, {}
        if reached:
            reader.commit(reached)

    def _look(self, reader: KafkaReader, *, is_quiet: bool) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        if is_quiet:
            ends, passed = reader.ends()
            if passed.moves:
                self._hand_over(_ready(passed))
            positions.note_ends(self.source.pk, ends)
        sources.beat([self.source.pk])
        if self._complained and not self._queue.unfinished_tasks:
            self._say("")

    def _wait(self, pauses: tuple[float, ...], tries: int, message: str, error: Exception) -> None:
        pause = pauses[min(tries, len(pauses) - 1)]
        log.warning("a source cannot be taken from", source=self.source.pk, pause=pause, error=str(error).strip())
        connection.close()
        if message:
            self._say(message)
        self.stop.wait(pause)

    def _say(self, message: str) -> None:
        try:
            sources.say(self.source.pk, message)
            self._complained = bool(message)
        except (OperationalError, InterfaceError):
            connection.close()

    # --- Storing ----------------------------------------------------------------------------------------------------

    def _store_forever(self) -> None:
        while not (self.stop.is_set() and self._queue.empty()):
            try:
                ready = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                self._store_at_last(ready)
            finally:
                self._queue.task_done()
        connection.close()

    def _store_at_last(self, ready: Ready) -> None:
        """Once, however often the database goes away meanwhile."""
        tries = 0
        while not self._moved.is_set():
            try:
                self._store_once(ready)
                return
            except PositionMoved as error:
                log.info("a batch was stored by another process", source=self.source.pk, why=str(error))
                self._moved.set()
            except TooManyInvalid as error:
                self._alarm(str(error))
                return
            except (DatabaseError, InterfaceError) as error:
                if self.stop.is_set():
                    return  # it is read again at the next start
                self._wait(AWAY_PAUSES, tries, _refusal(error), error)
                tries += 1

    def _store_once(self, ready: Ready) -> None:
        began = time.perf_counter()
        window, stored = again_when_interrupted(lambda: self._transaction(ready))
        metrics.note_batch("kafka", stored, time.perf_counter() - began)
        self._share.keep(window)
        if self.source.accepts_invalid and self._share.is_good:
            sources.accept_no_longer(self.source.pk)
            self.source.accepts_invalid = False
        with self._guard:
            self._reached |= {partition: move.next for partition, move in ready.taken.moves.items()}
        log.debug("stored", source=self.source.pk, **asdict(stored))

    @transaction.atomic
    def _transaction(self, ready: Ready) -> tuple[Window, Stored]:
        limit_standstill()
        window = self._share.look_ahead(ready.batch.outcomes, accepts_invalid=self.source.accepts_invalid)
        self._places.refresh()
        stored = store(ready.batch, self._places)
        for partition, one in ready.taken.damaged:
            kind = IntakeIncident.Kind.UNPARSED
            positions.note_missing(self.source.pk, partition, kind=kind, first=one.first, end=one.next)
        positions.advance(self.source.pk, ready.taken.moves, _newest(ready.batch))
        return window, stored

    def _alarm(self, why: str) -> None:
        log.error("nothing more is taken from a source", source=self.source.pk, why=why)
        sources.raise_alarm(self.source.pk, why)
        self.stop.set()


def _ready(taken: Taken) -> Ready:
    batch = read(taken.records)
    for partition, one in taken.damaged:
        record = Record(one.data, offset=Offset(*partition, one.first))
        batch.unreadable.append(Unreadable(record, "damaged", "", one.why))
        batch.outcomes.append(False)
    return Ready(taken, batch)


def _newest(batch: Batch) -> dict[Partition, float]:
    """Rasa's time of the newest event of each partition."""
    found: dict[Partition, float] = {}
    for record, event in batch.readable:
        if record.offset is not None:
            partition = Partition(record.offset.topic, record.offset.partition)
            found[partition] = max(event.timestamp, found.get(partition, event.timestamp))
    return found


def _refusal(error: DatabaseError | InterfaceError) -> str:
    """For people; empty while the database is only away, which every page shows by itself."""
    if isinstance(error, OperationalError | InterfaceError) and not sqlstate(error):
        return ""
    return f"PostgreSQL did not store the events (code {sqlstate(error) or 'unknown'}). They wait in Kafka."
