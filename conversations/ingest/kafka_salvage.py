"""A batch of records that kafka-python cannot parse, read by hand: what is whole, and what is damaged.

The client parses a whole batch or nothing from the damaged place on, and stands there for ever. A batch is Kafka's
format v2: https://kafka.apache.org/documentation/#recordbatch.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

from conversations.ingest.kafka_greeting import greeted
from conversations.ingest.kafka_settings import KafkaSettings
from conversations.ingest.kafka_wire import NONE, NotKafka
from conversations.ingest.positions import Partition

log = structlog.get_logger()

_HEADER = DefaultRecordBatch.HEADER_STRUCT.size
_FORMAT = 2  # the only one that brokers of today write


class Whole(NamedTuple):
    """A record, with the names of kafka-python's own."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Damaged(NamedTuple):
    """Bytes of the offsets from `first` up to, without, `next`."""

    first: int
    next: int
    data: bytes
    why: str


@dataclass(slots=True)
class Salvaged:
    next: int  # where to go on
    whole: list[Whole] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)


def salvage(settings: KafkaSettings, leader: str, partition: Partition, offset: int) -> Salvaged | None:
    """The batch at `offset`, without what stands before that; None when there is nothing wrong with it.

    Raises kafka_greeting.No and kafka_wire.NotKafka.
    """
    with greeted(settings, leader) as talk:
        fetched = talk.fetch(*partition, offset)
    if fetched.fault != NONE:  # another broker leads the partition by now
        raise NotKafka
    data = _first_batch(fetched.records)
    if data is None or not (fault := _fault(data)):
        return None
    batch = DefaultRecordBatch(data)
    found = Salvaged(next=max(batch.next_offset, offset + 1))
    is_taken_back = (batch.producer_id, batch.is_transactional) in {
        (producer, True) for producer, first in fetched.aborted if first <= batch.last_offset
    }
    if not is_taken_back and not batch.is_control_batch:
        _read(batch, data, fault, partition, found)
    found.whole = [one for one in found.whole if one.offset >= offset]
    found.damaged = [one._replace(first=max(one.first, offset)) for one in found.damaged if one.next > offset]
    return found


def _first_batch(data: bytes) -> bytes | None:
    if len(data) < _HEADER or DefaultRecordBatch(data).magic != _FORMAT:
        return None
    size = DefaultRecordBatch(data).size_in_bytes
    return data[:size] if _HEADER <= size <= len(data) else None


def _fault(data: bytes) -> str:
    """Why kafka-python cannot read the batch; empty when it can."""
    batch = DefaultRecordBatch(data)
    if not batch.validate_crc():
        return "its checksum is wrong, so that any of it may be"
    try:
        for _ in batch:
            pass
    except Exception as error:  # of four libraries that unpack, and of the parser
        log.exception("a batch of records cannot be parsed", offset=batch.base_offset)
        return str(error).strip()[:200] or type(error).__name__
    return ""


def _read(batch: DefaultRecordBatch, data: bytes, fault: str, partition: Partition, found: Salvaged) -> None:
    """Sort the batch's records. One that cannot be told from the next is damaged with all that follow."""
    records = _unpacked(batch) if batch.validate_crc() else b""
    if not records:
        why = f"A batch of {batch.records_count} records cannot be read: {fault}."
        found.damaged.append(Damaged(batch.base_offset, batch.next_offset, data, why))
        return
    at = 0
    for index in range(batch.records_count):
        offset = batch.base_offset + index
        try:
            length, begin = decode_varint(records, at)
            if not 0 <= length <= len(records) - begin:
                raise ValueError("it is longer than its batch")
        except (ValueError, IndexError) as error:
            why = f"From here on the batch cannot be read: {error}."
            found.damaged.append(Damaged(offset, batch.next_offset, records[at:], why))
            return
        at = begin + length
        try:
            found.whole.append(_record(records[begin:at], batch.base_offset, partition))
        except (ValueError, IndexError) as error:
            why = f"The record cannot be parsed: {error}."
            found.damaged.append(Damaged(offset, offset + 1, records[begin:at], why))


def _unpacked(batch: DefaultRecordBatch) -> bytes:
    """The batch's records; nothing when they cannot be unpacked."""
    try:
        iter(batch)
    except Exception:
        log.exception("a batch of records cannot be unpacked", offset=batch.base_offset)
        return b""
    return bytes(batch._buffer[batch._pos :])


def _record(data: bytes, base_offset: int, partition: Partition) -> Whole:
    """More patient than kafka-python: the name of a header may be anything."""
    _attributes, at = decode_varint(data, 0)
    _time, at = decode_varint(data, at)
    delta, at = decode_varint(data, at)
    _key, at = _bytes(data, at)
    value, at = _bytes(data, at)
    count, at = decode_varint(data, at)
    headers = []
    for _ in range(count):
        name, at = _bytes(data, at)
        content, at = _bytes(data, at)
        headers.append(((name or b"").decode(errors="replace"), content))
    return Whole(*partition, base_offset + delta, value, headers)


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(data, at)
    if length < 0:
        return None, at
    if at + length > len(data):
        raise ValueError("a field is longer than its record")
    return data[at : at + length], at + length
