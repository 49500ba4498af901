"""Events of a real Kafka topic: each has its one effect, whatever happens on the way."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from conversations.ingest.kafka_settings import KafkaSettings, keep_settings
from conversations.models import Conversation, DeadLetter, Event, IntakeIncident, IntakePosition, IntakeSource
from environments.models import Environment
from tests.conversations.events import raw, small_talk
from tests.factories import environment_of, make_assistant
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


@pytest.fixture
def source(kafka: Kafka, topic: str, production: Environment) -> IntakeSource:
    row = IntakeSource(kind=IntakeSource.Kind.KAFKA, name="Kafka", assistant=production.assistant)
    keep_settings(row, KafkaSettings(servers=(kafka.servers,), topics=(topic,), group=topic))
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
    assert ingest.end() < STOP_SECONDS
    kafka.publish(topic, [line for number in range(20) for line in raw(*small_talk(sender=f"s{number}"))])
    rows = list(IntakePosition.objects.all())
    kafka.delete_records(topic, {row.partition: row.next_offset + 2 for row in rows})
    ingesting()
    eventually(lambda: Event.objects.count() == 8 + 160 - 2 * len(rows))
    found = IntakeIncident.objects.order_by("partition")
    assert [(one.kind, one.partition, one.first_offset, one.count) for one in found] == [
        ("overtaken", row.partition, row.next_offset, 2) for row in rows
    ]
