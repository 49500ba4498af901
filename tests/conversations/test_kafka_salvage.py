"""Batches of Kafka's format that the client cannot parse; real ones are in tests/stack."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from conversations.ingest import kafka_salvage
from conversations.ingest.kafka_salvage import Salvaged, salvage
from conversations.ingest.kafka_settings import KafkaSettings
from conversations.ingest.kafka_wire import Fetched
from conversations.ingest.positions import Partition

GZIP = 1
PRODUCER = 7
Salvage = Callable[..., Salvaged | None]


class Broker:
    """What a connection to the partition's leader answers."""

    def __init__(self, answer: Fetched) -> None:
        self.answer = answer

    def fetch(self, topic: str, partition: int, offset: int) -> Fetched:
        return self.answer


@pytest.fixture
def salvaged(monkeypatch: pytest.MonkeyPatch) -> Salvage:
    def look(data: bytes, at: int = 100, aborted: tuple[tuple[int, int], ...] = ()) -> Salvaged | None:
        @contextmanager
        def greeted(*_: object) -> Iterator[Broker]:
            yield Broker(Fetched(0, data, aborted))

        monkeypatch.setattr(kafka_salvage, "greeted", greeted)
        return salvage(KafkaSettings(servers=("kafka:9092",)), "kafka:9092", Partition("rasa", 2), at)

    return look


def batch(*values: bytes, codec: int = 0, is_transactional: bool = False) -> bytearray:
    """Records of the offsets from 100 on."""
    producer = PRODUCER if is_transactional else -1
    builder = DefaultRecordBatchBuilder(2, codec, is_transactional, producer, 0, 0, 1_000_000)
    for offset, value in enumerate(values):
        builder.append(offset, 1, None, value, [])
    made = bytearray(builder.build())
    made[:8] = (100).to_bytes(8, "big")
    return made


def signed(data: bytearray) -> bytes:
    """With a checksum that is right for what was changed."""
    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
    return bytes(data)


def test_a_batch_with_nothing_wrong_is_left_to_the_client(salvaged: Salvage):
    assert salvaged(bytes(batch(b"one", b"two"))) is None
    assert salvaged(b"") is None


def test_a_wrong_checksum_damages_the_whole_batch(salvaged: Salvage):
    data = batch(b"one", b"two", b"three")
    data[-3] ^= 1
    found = salvaged(bytes(data))
    assert found is not None
    assert (found.next, found.whole) == (103, [])
    (one,) = found.damaged
    assert (one.first, one.next, one.data) == (100, 103, bytes(data))
    assert "checksum" in one.why


def test_of_a_batch_that_was_taken_in_part_only_the_rest_is_damaged(salvaged: Salvage):
    data = batch(b"one", b"two", b"three")
    data[-3] ^= 1
    found = salvaged(bytes(data), at=101)
    assert found is not None
    assert [one[:2] for one in found.damaged] == [(101, 103)]


def test_one_record_that_cannot_be_parsed_costs_nothing_around_it(salvaged: Salvage):
    data = batch(b"one", b"two", b"three")
    place = data.index(b"two") - 1
    assert data[place] == len(b"two") << 1  # a length, as Kafka writes numbers
    data[place] = 60 << 1
    found = salvaged(signed(data))
    assert found is not None
    assert [(one.offset, one.value) for one in found.whole] == [(100, b"one"), (102, b"three")]
    (one,) = found.damaged
    assert one[:2] == (101, 102)
    assert b"two" in one.data
    assert found.next == 103


def test_what_cannot_be_told_apart_is_damaged_to_the_end_of_its_batch(salvaged: Salvage):
    data = batch(b"one", b"two", b"three")
    begin = data.index(b"two") - 6
    assert data[begin] == (len(b"two") + 6) << 1
    data[begin] = 63 << 1
    found = salvaged(signed(data))
    assert found is not None
    assert [one.value for one in found.whole] == [b"one"]
    assert [one[:2] for one in found.damaged] == [(101, 103)]


def test_a_batch_that_cannot_be_unpacked_is_kept_packed(salvaged: Salvage):
    data = batch(*[b"the same again and again"] * 50, codec=GZIP)
    data[70:80] = b"?" * 10
    found = salvaged(signed(data))
    assert found is not None
    assert [one[:2] for one in found.damaged] == [(100, 150)]
    assert b"?" * 10 in found.damaged[0].data


def test_what_a_transaction_took_back_is_gone_past_in_silence(salvaged: Salvage):
    data = batch(b"one", b"two", is_transactional=True)
    data[-3] ^= 1
    assert salvaged(bytes(data), aborted=((PRODUCER, 100),)) == Salvaged(next=102)
    kept = salvaged(bytes(data), aborted=((PRODUCER + 1, 100),))
    assert kept is not None
    assert kept.damaged


def test_an_error_of_any_library_that_unpacks_is_one_of_the_batch(salvaged: Salvage, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: object) -> bytes:
        raise zlib.error("incorrect header check")

    monkeypatch.setattr("kafka.record.default_records.gzip_decode", refuse)
    found = salvaged(bytes(batch(*[b"the same again and again"] * 50, codec=GZIP)))
    assert found is not None
    assert "incorrect header check" in found.damaged[0].why
