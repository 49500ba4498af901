"""Which of a conversation's events are here, and which on the Rasa server. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from conversations.ingest.records import Batch, Readable, Record, read

SHOWN = 20  # events of a conversation that are kept to be shown


class Brief(NamedTuple):
    """As much of an event as people see of one that is missing."""

    timestamp: float
    kind: str
    name: str


class Known(NamedTuple):
    """An event of ours."""

    digest: bytes
    brief: Brief


@dataclass(frozen=True, slots=True)
class Period:
    """Rasa's times, both included; `since` None is the beginning."""

    since: float | None
    until: float

    def holds(self, timestamp: float) -> bool:
        return timestamp <= self.until and (self.since is None or timestamp >= self.since)


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one conversation in one period. `there` counts the server's events, each once."""

    there: int
    missing: list[Readable]
    extra: list[Brief]
    unreadable: Batch

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.extra or self.unreadable.unreadable)

    def details(self) -> dict[str, list[Brief]]:
        """The first of each, for the page."""
        missing = [Brief(one.event.timestamp, one.event.kind, one.event.name) for one in self.missing]
        return {"missing": sorted(missing)[:SHOWN], "extra": sorted(self.extra)[:SHOWN]}


def difference(theirs: Sequence[bytes], ours: Iterable[Known], period: Period) -> Difference:
    """Compare what the server answered with what is stored, by the digest that makes an event one."""
    batch = read([Record(data) for data in theirs])
    there = {one.event.digest: one for one in batch.readable if period.holds(one.event.timestamp)}
    here = {one.digest: one.brief for one in ours if period.holds(one.brief.timestamp)}
    return Difference(
        there=len(there),
        missing=[one for digest, one in there.items() if digest not in here],
        extra=[brief for digest, brief in here.items() if digest not in there],
        unreadable=Batch([], batch.unreadable, [False] * len(batch.unreadable)),
    )
