"""What a source hands over, and where it belongs."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from conversations.ingest.decode import DecodedEvent, Undecodable, decode


class Offset(NamedTuple):
    """Where a record stood in Kafka."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple):  # made by the hundred thousand
    """One message of an event broker, untouched. `claimed` is the environment's name that came with it."""

    data: bytes
    claimed: str = ""
    offset: Offset | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


_NUL, _FOR_NUL = "\x00", "\u0100"  # the first character that is no Latin-1: jsonb refuses NUL


def header_text(value: bytes) -> str:
    """A header's bytes as JSON in the database can hold them."""
    return value.decode("latin-1").replace(_NUL, _FOR_NUL)


def header_bytes(text: str) -> bytes:
    """What `header_text` was given."""
    return text.replace(_FOR_NUL, _NUL).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Binding:
    """Whose an event is. `environment_name` is what Rasa calls it, kept also when we know none."""

    assistant_id: int
    environment_id: int | None
    environment_name: str


class Places(Protocol):
    """Tells where the records of one source belong."""

    @property
    def source_id(self) -> int: ...

    def binding(self, claimed: str, rasa_assistant_id: str) -> Binding: ...


@dataclass(frozen=True, slots=True)
class OnePlace:
    """A source whose records all belong to one environment, whatever they claim."""

    source_id: int
    fixed: Binding

    def binding(self, claimed: str, rasa_assistant_id: str) -> Binding:
        return self.fixed


class Readable(NamedTuple):
    record: Record
    event: DecodedEvent


class Unreadable(NamedTuple):
    """A record that can never be an event: the kind of its fault, the field it is in, and the same in words."""

    record: Record
    fault: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they were read. `outcomes` says of each, in their order, whether it is an event."""

    readable: list[Readable]
    unreadable: list[Unreadable]
    outcomes: list[bool]


def read(records: list[Record]) -> Batch:
    """Decode each. Pure, so that a source may do it while the batch before is being stored."""
    batch = Batch([], [], [])
    for record in records:
        try:
            batch.readable.append(Readable(record, decode(record.data)))
            batch.outcomes.append(True)
        except Undecodable as error:
            batch.unreadable.append(Unreadable(record, error.fault, error.place, error.message))
            batch.outcomes.append(False)
    return batch
