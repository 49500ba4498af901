"""Reading the topics of a source: one consumer, in one thread, that goes where our own positions say."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError

from conversations.ingest.decode import NAME_LENGTH, storable
from conversations.ingest.kafka_greeting import No, none_is_well
from conversations.ingest.kafka_salvage import Damaged, Salvaged, salvage
from conversations.ingest.kafka_settings import KafkaSettings, client_options
from conversations.ingest.kafka_wire import NotKafka
from conversations.ingest.kafka_words import explain
from conversations.ingest.positions import Move, Partition, position_of, skip_gap
from conversations.ingest.records import Offset, Record
from conversations.models import IntakeIncident, IntakePosition

log = structlog.get_logger()

BATCH_RECORDS = 5000
BATCH_SECONDS = 0.5
BATCH_BYTES = 8 * 1024**2
FETCH_BYTES = 4 * 1024**2  # of one answer; a larger record still comes, alone
POLL_SECONDS = 0.2
JOIN_SECONDS = 2.0  # of one call while the group shares its partitions; a stop waits for it
CALL_MILLISECONDS = 10_000
ENVIRONMENT_HEADER = "RASA_ENVIRONMENT"
MOST_HEADERS = 20


class Refused(Exception):
    """Kafka cannot be taken from as things are; the message says what to mend."""


@dataclass(slots=True)
class Taken:
    """Records of several partitions, what of them was damaged, and how far each was read for them."""

    records: list[Record] = field(default_factory=list)
    damaged: list[tuple[Partition, Damaged]] = field(default_factory=list)
    moves: dict[Partition, Move] = field(default_factory=dict)
    size: int = 0


class Stalled(Exception):
    """The consumer is of no use any more, and a new one will be; the message says why."""


class _Unparsed(Exception):
    """The client came upon bytes that it cannot read, and is not to be asked again before it was moved past them."""


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Only notes how far the group is in sharing its partitions anew: it runs between the consumer's heartbeats."""

    def __init__(self) -> None:
        self.happened = self.is_under_way = True

    def on_partitions_revoked(self, revoked: object) -> None:
        self.happened = self.is_under_way = True

    def on_partitions_assigned(self, assigned: object) -> None:
        self.happened, self.is_under_way = True, False


class KafkaReader:
    """`expected` is the next offset of each partition that was put in its place since the last rebalance."""

    def __init__(self, source_id: int, settings: KafkaSettings) -> None:
        self.source_id = source_id
        self._settings = settings
        self.expected: dict[Partition, int] = {}
        self._topic_ids: dict[str, UUID] = {}  # as they were when the partitions were put in their place
        self._waiting: set[Partition] = set()  # had records when `ends` was last asked
        self._rebalances = _Rebalances()
        self._consumer = _consumer(settings)
        self._cluster = self._consumer._cluster  # what the client knows of topics and leaders, and does not tell
        # kafka-python 3.0 forgets to hand this on: whoever deletes a topic would find it made again by us.
        self._cluster.config["allow_auto_create_topics"] = False
        try:
            self._consumer.subscribe(topics=self._known(settings.topics), listener=self._rebalances)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=2000)

    def _known(self, topics: Iterable[str]) -> list[str]:
        """`topics`, once one of them is there. Whoever joins the group before it knows them is given no partition."""
        found = [topic for topic in topics if self._consumer.partitions_for_topic(topic)]
        if not found:
            raise Refused(
                f"There is no topic {', '.join(topics)} yet. Rasa's first event makes it where Kafka allows that; "
                "otherwise make it, or correct its name in this source's settings."
            )
        return list(topics)

    @property
    def is_shared_anew(self) -> bool:
        """Whether partitions came or went: then what is still on its way to the database has to arrive there first."""
        return self._rebalances.happened

    def settle(self) -> None:
        """Begin again from our positions, whatever was read of these partitions meanwhile."""
        self._rebalances.happened = False
        self.expected.clear()
        for one in self._consumer.assignment():
            self._put_in_place(Partition(one.topic, one.partition))

    def read(self) -> Taken:
        """What comes within BATCH_SECONDS of its first record; at most a batch, and often nothing."""
        taken = Taken()
        until = time.monotonic() + POLL_SECONDS
        while len(taken.records) < BATCH_RECORDS and taken.size < BATCH_BYTES:
            wait = until - time.monotonic()
            if wait <= 0 or self.is_shared_anew:
                break
            try:
                polled = self._poll(wait, BATCH_RECORDS - len(taken.records))
            except _Unparsed as error:
                self._salvage(taken, error)
                break
            if polled and not taken.records:
                until = time.monotonic() + BATCH_SECONDS
            for partition, records in polled.items():
                self._take(Partition(partition.topic, partition.partition), records, taken)
        self._stop_where_topics_are_new()
        return taken

    def _poll(self, seconds: float, most: int) -> dict[TopicPartition, list[Any]]:
        """While the group shares its partitions, one long call follows the other: when sharing ends between two calls,
        kafka-python 3.0 forgets to use what it was given, and reads nothing ever after."""
        if self._rebalances.is_under_way:
            seconds = max(seconds, JOIN_SECONDS)
        try:
            polled: dict[TopicPartition, list[Any]] = self._consumer.poll(int(seconds * 1000) + 1, max_records=most)
            if self._rebalances.is_under_way:
                polled = self._consumer.poll(int(JOIN_SECONDS * 1000), max_records=most)
        except CorruptRecordError as error:
            raise _Unparsed(str(error)) from error
        except KafkaError:
            raise
        except Exception as error:  # of whatever unpacks what is compressed
            raise _Unparsed(f"{type(error).__name__}: {error}") from error
        return polled

    def _take(self, partition: Partition, records: list[Any], taken: Taken) -> None:
        first, last = records[0].offset, records[-1].offset
        is_placed = partition in self.expected
        if not is_placed or (first != self.expected[partition] and self._is_gap(partition, first)):
            self._rebalances.happened = True
        if self.is_shared_anew:
            return  # these are from where Kafka's group stands, or after a gap: `settle` goes back for them
        _add(records, taken)
        self._move(partition, last + 1, taken)

    def _move(self, partition: Partition, next: int, taken: Taken) -> None:
        begun = taken.moves.get(partition)
        end = max(self._consumer.highwater(TopicPartition(*partition)) or 0, next)
        taken.moves[partition] = Move(begun.first if begun else self.expected[partition], next, end)
        self.expected[partition] = next
        self._waiting.discard(partition)

    def _salvage(self, taken: Taken, error: _Unparsed) -> None:
        """Read by hand the one batch that the client cannot, and move the client past it."""
        if self.is_shared_anew:
            raise Stalled(str(error))
        for partition in sorted(self.expected):
            found = self._salvaged(partition)
            if found is None:
                continue
            log.error("records of a topic are damaged", of=partition, ranges=[one[:2] for one in found.damaged])
            _add(found.whole, taken)
            taken.damaged += [(partition, one) for one in found.damaged]
            self._move(partition, found.next, taken)
            self._consumer.seek(TopicPartition(*partition), found.next)
            return
        raise Refused(f"Kafka's client cannot read a record, and nothing is wrong with it: {error}") from error

    def _salvaged(self, partition: Partition) -> Salvaged | None:
        leader = self._cluster.broker_metadata(self._cluster.leader_for_partition(TopicPartition(*partition)))
        if leader is None:
            raise Stalled(f"{partition.topic}/{partition.number} has no leader")
        try:
            return salvage(self._settings, f"{leader.host}:{leader.port}", partition, self.expected[partition])
        except (No, NotKafka, OSError) as error:
            raise Stalled(f"damaged records could not be looked into: {error}") from error

    def _is_gap(self, partition: Partition, first: int) -> bool:
        """Records may be missing in between. A step over what compaction or a transaction left empty is none."""
        return first < self.expected[partition] or self._bounds(partition)[0] > self.expected[partition]

    def _put_in_place(self, partition: Partition) -> None:
        beginning, end = self._bounds(partition)
        topic_id = self._topic_id(partition.topic)
        row = position_of(self.source_id, partition, beginning, topic_id)
        position, kind = row.next_offset, _lost(row, beginning, end, topic_id)
        if kind:
            log.error("records of a topic are gone", kind=kind, at=position, beginning=beginning, end=end, of=partition)
            skip_gap(self.source_id, partition, kind=kind, first=position, next=beginning, topic_id=topic_id)
            position = beginning
        if topic_id is not None:
            self._topic_ids[partition.topic] = topic_id
        self._consumer.seek(TopicPartition(*partition), position)
        self.expected[partition] = position

    def _bounds(self, partition: Partition) -> tuple[int, int]:
        place = TopicPartition(*partition)
        beginning = self._consumer.beginning_offsets([place], timeout_ms=CALL_MILLISECONDS)[place]
        return beginning, self._consumer.end_offsets([place], timeout_ms=CALL_MILLISECONDS)[place]

    def _topic_id(self, topic: str) -> UUID | None:
        """Kafka's own, of the topic that has the name now; brokers before 2.8 have none."""
        return self._cluster.topic_id(topic) or None

    def _stop_where_topics_are_new(self) -> None:
        """What was read since a topic was made anew may be of either: all of it is read again."""
        for topic, known in self._topic_ids.items():
            now = self._topic_id(topic)
            if now is not None and now != known:
                raise Stalled(f"the topic {topic} was made anew")

    def ends(self) -> tuple[dict[Partition, int], Taken]:
        """Where the partitions that are ours end now, when `read` has long found nothing in them, and what was gone
        past meanwhile that is no record: the ends of transactions, and what they took back.

        Raises KafkaError while the cluster does not answer, and Stalled when something is there that is not read.
        """
        ours = list(self._consumer.assignment())
        found = self._consumer.end_offsets(ours, timeout_ms=CALL_MILLISECONDS) if ours else {}
        ends = {Partition(one.topic, one.partition): end for one, end in found.items()}
        passed = Taken()
        if self.is_shared_anew:
            return ends, passed
        for one in sorted(self.expected.keys() & ends.keys()):
            if ends[one] > self.expected[one]:
                reached = self._consumer.position(TopicPartition(*one), timeout_ms=CALL_MILLISECONDS)
                if reached is not None and reached > self.expected[one]:
                    self._move(one, reached, passed)
        waiting = {one for one, end in ends.items() if end > self.expected.get(one, end)}
        if waiting & self._waiting:
            raise Stalled(f"nothing is read of {', '.join(map(str, waiting))}")
        self._waiting = waiting
        return ends, passed

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group how far we are, for whoever looks at it there. Nothing depends on it."""
        ours = self._consumer.assignment()
        wanted = {TopicPartition(*one): OffsetAndMetadata(at, "", -1) for one, at in offsets.items()}
        self._consumer.commit_async({one: at for one, at in wanted.items() if one in ours}, callback=_committed)


def _lost(row: IntakePosition, beginning: int, end: int, topic_id: UUID | None) -> str:
    if (row.topic_id is not None and topic_id is not None and row.topic_id != topic_id) or row.next_offset > end:
        return IntakeIncident.Kind.RECREATED
    return IntakeIncident.Kind.OVERTAKEN if row.next_offset < beginning else ""


def _add(records: Iterable[Any], taken: Taken) -> None:
    for one in records:
        taken.records.append(_record(one))
        taken.size += len(one.value or b"")


def _committed(_offsets: object, answer: object) -> None:
    if isinstance(answer, Exception):
        log.info("the group's offsets were not noted in Kafka", error=str(answer))


def _record(one: Any) -> Record:
    claimed, headers = _labels(tuple((one.headers or ())[:MOST_HEADERS]))
    return Record(one.value or b"", claimed, Offset(one.topic, one.partition, one.offset), headers)


@lru_cache(64)  # Rasa sends the same with every event, and reading them took as long as reading the event
def _labels(given: tuple[tuple[str, bytes | None], ...]) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    """The environment's name, and the headers as they are kept."""
    headers = tuple((str(name), bytes(value or b"")) for name, value in given)
    claimed = next((value for name, value in headers if name == ENVIRONMENT_HEADER), b"")
    return storable(claimed.decode(errors="replace"), NAME_LENGTH), headers


def _consumer(settings: KafkaSettings) -> KafkaConsumer:
    if why := none_is_well(settings):  # kafka-python would try for half a minute, and then not say why
        raise Refused(why)
    try:
        consumer = KafkaConsumer(
            **client_options(settings),
            group_id=settings.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            max_poll_records=BATCH_RECORDS,
            session_timeout_ms=15_000,
            heartbeat_interval_ms=3_000,
            bootstrap_timeout_ms=CALL_MILLISECONDS,
            metadata_max_age_ms=10_000,  # how soon new partitions and topics are seen
            allow_auto_create_topics=False,
            isolation_level="read_committed",  # what a transaction took back was never said
            metrics_enabled=False,
        )
    except (KafkaError, ValueError, OSError) as error:
        raise Refused(explain(error, settings, has_answered=True)) from error
    if consumer.config["enable_auto_commit"]:  # would say that records are stored which are not
        raise Refused("The Kafka client would commit by itself. Parley refuses to take events that way.")
    return consumer
