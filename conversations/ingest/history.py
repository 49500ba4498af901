"""Bringing in what an existing Rasa remembers: by the path of ingestion, as often as one likes, with one effect.

A history is read from its beginning to its end in batches. How far it was read is moved in the transaction that stores
a batch, so that a run that was killed goes on there; at the end it is forgotten, so that a later run reads all of it.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.db import transaction
from django.utils import timezone

from conversations.ingest.positions import Move, Partition, PositionMoved, advance, position_of
from conversations.ingest.readable_share import InvalidShare, TooManyInvalid, Window
from conversations.ingest.records import Batch, Binding, OnePlace, Record, Unreadable, read
from conversations.ingest.write import Stored, again_when_interrupted, store
from conversations.models import DeadLetter, IntakePosition, IntakeSource
from environments.models import Environment
from studio.errors import DomainError

BATCH = 5000  # records
BATCH_BYTES = 16 * 1024**2  # or so many bytes, whichever comes first: an event may have megabytes
IMPORT, REPAIR = "Import", "Repair"  # names of sources: who brought events that no broker did


class HistoryRefused(DomainError):
    """It cannot be read, or not to its end; the message says why and what to do."""

    code = "history-refused"


class Chunk(NamedTuple):
    """Records that stood from position `first` up to, without, `next`."""

    records: list[Record]
    first: int
    next: int


class History(Protocol):
    """Where events lie. A position is a number that grows: a byte of a file, an id of a table."""

    @property
    def label(self) -> str:
        """For people; holds no password."""
        ...

    @property
    def key(self) -> str:
        """What knows this place again, at most 249 letters; empty when it can be read but once."""
        ...

    @property
    def end(self) -> int | None:
        """The position behind the last record, as far as it is known."""
        ...

    def read(self, position: int) -> Iterator[Chunk]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one run: what came of the records so far, and how far they reach."""

    stored: Stored
    begun_at: int  # a position: where this run began, which is not 0 after a kill
    position: int
    end: int | None
    seconds: float

    @property
    def records(self) -> int:
        return self.stored.records

    @property
    def share(self) -> float | None:
        """Of the whole history, from 0 to 1."""
        return min(1.0, self.position / self.end) if self.end else None

    @property
    def rest_seconds(self) -> float | None:
        """As long as it still takes at the pace so far."""
        read_here = self.position - self.begun_at
        if self.end is None or read_here <= 0:
            return None
        return max(0, self.end - self.position) / read_here * self.seconds


@transaction.atomic
def source_named(environment: Environment, name: str) -> IntakeSource:
    """The source of an environment's events that came by no broker; one row for each name, made when first needed."""
    Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
    history = {"kind": IntakeSource.Kind.HISTORY, "environment": environment, "name": name, "removed_at": None}
    rows = IntakeSource.objects.filter(**history)
    return rows.first() or IntakeSource.objects.create(assistant_id=environment.assistant_id, **history)


def place_in(environment: Environment, source: IntakeSource) -> OnePlace:
    return OnePlace(source.pk, Binding(environment.assistant_id, environment.pk, environment.name))


class Import:
    """One run over one history into one environment."""

    def __init__(self, history: History, environment: Environment, *, accepts_invalid: bool = False) -> None:
        self.history = history
        self.accepts_invalid = accepts_invalid
        self.source = source_named(environment, IMPORT)
        self._places = place_in(environment, self.source)
        self._share = InvalidShare()
        self._partition = Partition(history.key, 0)

    def run(self, stop: threading.Event) -> Iterator[Progress]:
        """Store batch after batch until the end, or until `stop`. Raises HistoryRefused."""
        began = time.monotonic()
        begun_at = position_of(self.source.pk, self._partition, 0).next_offset if self.history.key else 0
        total = Stored()
        for chunk in self.history.read(begun_at):
            total += self._store_batch(chunk)
            yield Progress(total, begun_at, chunk.next, self.history.end, time.monotonic() - began)
            if stop.is_set():
                return
        self._forget_position()

    def _store_batch(self, chunk: Chunk) -> Stored:
        batch = read(chunk.records)
        try:
            window, stored = again_when_interrupted(lambda: self._transaction(chunk, batch))
        except TooManyInvalid as error:
            raise HistoryRefused(
                f"{error} This is probably not a history of Rasa's events. What was stored before stays. If it is one, "
                "run it again with --accept-invalid: what cannot be read is then kept as dead letters."
            ) from None
        except PositionMoved:
            raise HistoryRefused(
                "Somebody else is importing the same history into this environment at this moment."
            ) from None
        self._share.keep(window)
        return stored

    @transaction.atomic
    def _transaction(self, chunk: Chunk, batch: Batch) -> tuple[Window, Stored]:
        window = self._share.look_ahead(batch.outcomes, accepts_invalid=self.accepts_invalid)
        fresh = without_known_dead(batch, self.source.pk)
        known = Stored(dead=len(batch.unreadable) - len(fresh.unreadable))
        stored = store(fresh, self._places) + known
        if self.history.key:
            advance(self.source.pk, {self._partition: Move(chunk.first, chunk.next, self.history.end or chunk.next)})
        IntakeSource.objects.filter(pk=self.source.pk).update(heartbeat_at=timezone.now())
        return window, stored

    def _forget_position(self) -> None:
        IntakePosition.objects.filter(source=self.source, topic=self.history.key).delete()


def without_known_dead(batch: Batch, source_id: int) -> Batch:
    """`batch` without what this source has dead letters of already, in whatever state: twice is once for them too."""
    if not batch.unreadable:
        return batch
    records = [one.record.data for one in batch.unreadable]
    rows = DeadLetter.objects.filter(source_id=source_id, record__in=records)
    known = {bytes(record) for record in rows.values_list("record", flat=True)}
    fresh: dict[bytes, Unreadable] = {}
    for one in batch.unreadable:
        if one.record.data not in known:
            fresh.setdefault(one.record.data, one)
    return Batch(batch.readable, list(fresh.values()), batch.outcomes)
