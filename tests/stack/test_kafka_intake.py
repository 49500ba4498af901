"""Events of a real Kafka topic: each has its one effect, whatever happens on the way."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from conversations.ingest.kafka_settings import KafkaSettings, keep_settings
from conversations.models import Conversation, DeadLetter, Event, IntakeIncident, IntakePosition, IntakeSource
from conversations.services.erasing import erase_conversation
from environments.models import Environment
from tests.conversations.events import raw, small_talk
from tests.factories import environment_of, make_assistant, make_person
from tests.stack.ingesting import STOP_SECONDS, Ingesting
from tests.stack.kafka import Kafka
from tests.stack.programs import eventually

pytestmark = [
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True),
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def production(transactional_db: None) -> Environment:
    return environment_of(make_assistant())


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = f"rasa-{uuid4().hex[:8]}"
    kafka.make_topic(name)
    return name


def one_partition(kafka: Kafka) -> str:
    name = f"rasa-{uuid4().hex[:8]}"
    kafka.make_topic(name, partitions=1)
    return name


@pytest.fixture
def source(kafka: Kafka, topic: str, production: Environment) -> IntakeSource:
    return make_source(kafka, topic, production)


def make_source(kafka: Kafka, topic: str, environment: Environment, group: str = "") -> IntakeSource:
    row = IntakeSource(kind=IntakeSource.Kind.KAFKA, name=group or "Kafka", assistant=environment.assistant)
    keep_settings(row, KafkaSettings(servers=(kafka.servers,), topics=(topic,), group=group or topic))
    row.save()
    return row


@pytest.fixture
def ingesting(tmp_path: Path) -> Iterator[Callable[[], Ingesting]]:
    """Starts ingest processes, and ends what is left of them."""
    running: list[Ingesting] = []

    def start() -> Ingesting:
        running.append(Ingesting(tmp_path / f"ingest-{len(running)}.log"))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        print(one.log.read_text()[-3000:])  # noqa: T201 - pytest shows it when the test failed


def test_what_is_in_the_topic_becomes_conversations_of_the_environment_it_names(
    kafka: Kafka, topic: str, source: IntakeSource, production: Environment, ingesting
):
    kafka.publish(topic, raw(*small_talk(sender="anna")), environment="production")
    kafka.publish(topic, raw(*small_talk(sender="ben")), environment="somewhere")
    ingesting()
    eventually(lambda: Event.objects.count() == 16)
    assert Conversation.objects.get(sender_id="anna").environment == production
    stranger = Conversation.objects.get(sender_id="ben")
    assert (stranger.environment, stranger.environment_name) == (None, "somewhere")


def test_our_own_position_counts_and_nothing_is_taken_twice(kafka: Kafka, topic: str, source, ingesting):
    kafka.publish(topic, raw(*small_talk(sender="anna")))
    ingest = ingesting()
    eventually(lambda: Event.objects.count() == 8)
    ingest.end()
    kafka.publish(topic, raw(*small_talk(sender="ben")))
    ingesting()
    eventually(lambda: Event.objects.count() == 16)
    source.refresh_from_db()
    assert (source.events_total, source.known_total) == (16, 0)
    assert sum(row.next_offset for row in IntakePosition.objects.all()) == 16


def test_two_processes_share_the_partitions(kafka: Kafka, topic: str, source, ingesting):
    ingesting()
    ingesting()
    for number in range(40):
        kafka.publish(topic, raw(*small_talk(sender=f"s{number}")))
    eventually(lambda: Event.objects.count() == 320)
    assert all(one.events_count == 8 for one in Conversation.objects.all())


def test_a_replay_of_the_topic_does_not_bring_back_who_was_erased(
    kafka: Kafka, topic: str, source: IntakeSource, production: Environment, ingesting
):
    kafka.publish(topic, [*raw(*small_talk(sender="anna"), *small_talk(sender="ben")), b'{"sender_id": "anna"}'])
    ingesting()
    eventually(lambda: Event.objects.count() == 16 and DeadLetter.objects.count() == 1)
    erase_conversation(actor=make_person("admin"), conversation=Conversation.objects.get(sender_id="anna"))
    assert (Event.objects.count(), DeadLetter.objects.count()) == (8, 0)
    again = make_source(kafka, topic, production, group=f"{topic}-again")
    eventually(lambda: IntakeSource.objects.get(pk=again.pk).known_total == 8)
    eventually(lambda: IntakeSource.objects.get(pk=again.pk).erased_total == 9)
    assert [one.sender_id for one in Conversation.objects.all()] == ["ben"]
    assert (Event.objects.count(), DeadLetter.objects.count()) == (8, 0)
    kafka.publish(topic, raw(*small_talk(sender="anna", start=time.time() + 1)))
    eventually(lambda: Event.objects.count() == 16)
    assert Conversation.objects.get(sender_id="anna").events_count == 8


def test_an_unreadable_record_is_kept_with_where_it_stood(kafka: Kafka, topic: str, source, ingesting):
    kafka.publish(topic, [*raw(*small_talk()), b"{oops"])
    ingesting()
    eventually(lambda: Event.objects.count() == 8 and DeadLetter.objects.count() == 1)
    dead = DeadLetter.objects.get()
    assert (bytes(dead.record), dead.fault, dead.topic) == (b"{oops", "not-json", topic)
    assert dead.headers == [["RASA_ENVIRONMENT", "production"]]
    assert dead.offset is not None


def test_records_that_are_gone_before_they_were_taken_are_an_incident(kafka: Kafka, topic: str, source, ingesting):
    kafka.publish(topic, raw(*small_talk(sender="anna")))
    ingest = ingesting()
    eventually(lambda: Event.objects.count() == 8)
    assert ingest.end() < 3 * STOP_SECONDS  # of a busy machine
    kafka.publish(topic, [line for number in range(20) for line in raw(*small_talk(sender=f"s{number}"))])
    rows = list(IntakePosition.objects.all())
    kafka.delete_records(topic, {row.partition: row.next_offset + 2 for row in rows})
    ingesting()
    eventually(lambda: Event.objects.count() == 8 + 160 - 2 * len(rows))
    found = IntakeIncident.objects.order_by("partition")
    assert [(one.kind, one.partition, one.first_offset, one.count) for one in found] == [
        ("overtaken", row.partition, row.next_offset, 2) for row in rows
    ]


def test_what_a_transaction_took_back_is_not_stored_and_its_end_is_no_record_to_wait_for(
    kafka: Kafka, topic: str, source, ingesting
):
    with kafka.transactions() as producer:
        for sender, is_meant in (("anna", True), ("nobody", False), ("ben", True), ("nobody", False)):
            producer.begin_transaction()
            for line in raw(*small_talk(sender=sender)):
                producer.send(topic, line, partition=0)
            producer.flush()  # what was not sent yet is not written when it is taken back
            producer.commit_transaction() if is_meant else producer.abort_transaction()
    ingest = ingesting()
    eventually(lambda: Event.objects.count() == 16)
    assert set(Conversation.objects.values_list("sender_id", flat=True)) == {"anna", "ben"}
    ends = 4 * (8 + 1)  # each transaction's end takes an offset
    eventually(lambda: IntakePosition.objects.get(partition=0).next_offset == ends)
    assert IntakePosition.objects.get(partition=0).lag == 0
    with kafka.transactions() as producer:
        producer.begin_transaction()
        for line in raw(*small_talk(sender="cleo")):
            producer.send(topic, line, partition=0)
        producer.commit_transaction()
    eventually(lambda: Event.objects.count() == 24)
    assert "is replaced" not in ingest.log.read_text()
    assert not IntakeIncident.objects.exists()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_records_that_the_broker_compresses_are_read(codec: str, kafka: Kafka, production, ingesting):
    name = f"rasa-{codec}-{uuid4().hex[:8]}"
    kafka.make_topic(name, **{"compression.type": codec})
    kafka.publish(name, [line for number in range(50) for line in raw(*small_talk(sender=f"s{number}"))])
    make_source(kafka, name, production)
    ingesting()
    eventually(lambda: Event.objects.count() == 400)


class Unspeakable(str):
    """A header's name that is no UTF-8. Kafka takes it; kafka-python cannot read it, nor what is around it."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


def test_a_header_that_cannot_be_read_costs_nothing(kafka: Kafka, production, ingesting):
    name = one_partition(kafka)
    headers = [("RASA_ENVIRONMENT", b"production"), (Unspeakable("x"), b"1")]
    producer = KafkaProducer(bootstrap_servers=kafka.servers, linger_ms=200)
    for number, line in enumerate(raw(*small_talk())):
        producer.send(name, line, headers=headers if number == 4 else headers[:1])
    producer.close()
    kafka.publish(name, raw(*small_talk(sender="ben")))
    make_source(kafka, name, production)
    ingesting()
    eventually(lambda: Event.objects.count() == 16)
    assert set(Conversation.objects.values_list("environment_name", flat=True)) == {"production"}
    assert not DeadLetter.objects.exists()
    assert not IntakeIncident.objects.exists()


def test_damaged_bytes_are_kept_and_gone_past(kafka: Kafka, production, ingesting):
    name = one_partition(kafka)
    for sender in ("anna", "damaged", "ben"):
        kafka.publish(name, raw(*small_talk(sender=sender)))
    kafka.damage(name, b'"damaged"')
    make_source(kafka, name, production)
    ingest = ingesting()
    eventually(lambda: IntakePosition.objects.filter(next_offset=24).exists())
    letter, incident = DeadLetter.objects.get(), IntakeIncident.objects.get()
    assert (letter.fault, letter.offset, incident.kind) == ("damaged", incident.first_offset, "unparsed")
    assert incident.first_offset >= 8
    assert 1 <= incident.count <= 8  # of one batch: how many records it holds, the producer decided
    assert b'"?????????"'[1:-1] in bytes(letter.record)
    assert Event.objects.count() == 24 - incident.count
    kafka.publish(name, raw(*small_talk(sender="cleo")))
    eventually(lambda: Event.objects.count() == 32 - incident.count)
    assert ingest.process.poll() is None


@pytest.mark.parametrize("is_running", [False, True])
def test_a_topic_that_was_made_anew_is_read_from_its_beginning(is_running: bool, kafka: Kafka, production, ingesting):
    """Also when it has grown beyond where we stood in the old one."""
    name = one_partition(kafka)
    source = make_source(kafka, name, production)
    kafka.publish(name, raw(*small_talk(sender="anna")))
    ingest = ingesting()
    eventually(lambda: Event.objects.count() == 8)
    if not is_running:
        ingest.end()
    kafka.make_anew(name, partitions=1)
    kafka.publish(name, [line for number in range(5) for line in raw(*small_talk(sender=f"s{number}"))])
    if not is_running:
        ingesting()
    eventually(lambda: Event.objects.count() == 48)
    eventually(lambda: IntakePosition.objects.get().next_offset == 40)
    incident = IntakeIncident.objects.get()
    assert (incident.kind, incident.first_offset, incident.source_id) == ("recreated", 8, source.pk)
