"""`rasa export` of a real Rasa through the broker, into the topic that its events came by already: nothing is doubled."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from conversations.ingest.kafka_intake import KafkaIntake
from conversations.ingest.kafka_settings import KafkaSettings, keep_settings
from conversations.models import Conversation, DeadLetter, Event, IntakePosition, IntakeSource
from studio.rasa.files import Kafka as Block
from studio.rasa.files import endpoints_yml
from studio.rasa.local import LocalProcesses
from studio.rasa.process import Spec
from studio.rasa.signing import chat_token
from tests.factories import environment_of, make_assistant
from tests.rasa_fixtures import SQLITE_TRACKERS, RunningRasa, running_rasa, wait_for_end
from tests.stack.kafka import Kafka
from tests.stack.programs import eventually

pytestmark = [
    pytest.mark.rasa,
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True),
    # kafka-python leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
GUESTS = ["anna", "bert@example.com", "ünï cödé"]
SAID = ["hi", "how much is an espresso?", "book a table for 4 people tomorrow at 7pm", "/restart", "bye 😀"]


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = f"rasa-{uuid4().hex[:8]}"
    kafka.make_topic(name)
    return name


@pytest.fixture
def source(kafka: Kafka, topic: str) -> Iterator[IntakeSource]:
    """Taken from as long as the test runs."""
    assistant = environment_of(make_assistant()).assistant
    row = IntakeSource(kind=IntakeSource.Kind.KAFKA, name="Kafka", assistant=assistant)
    keep_settings(row, KafkaSettings(servers=(kafka.servers,), topics=(topic,), group=topic))
    row.save()
    intake = KafkaIntake(row)
    intake.start()
    yield row
    intake.stop.set()
    intake.join(15)


def talk(server: RunningRasa) -> None:
    for guest in GUESTS:
        for text in SAID:
            server.client.send(chat_token(server.keys.private_pem, guest), text)


def taken() -> int:
    return sum(IntakePosition.objects.values_list("next_offset", flat=True))


def written(kafka: Kafka, topic: str) -> int:
    """How many records are in the topic."""
    return sum(kafka.ends(topic).values())


def test_what_a_rasa_exports_through_the_broker_is_known_already(
    kafka: Kafka, topic: str, source: IntakeSource, rasa_processes: LocalProcesses, trained_model: Path, tmp_path: Path
):
    block = Block(servers=kafka.servers, topic=topic, partition_by_sender=True)
    endpoints = endpoints_yml(event_broker=block) + SQLITE_TRACKERS.format(folder=tmp_path)
    named = {"RASA_ENVIRONMENT": "production"}
    with running_rasa(
        rasa_processes, tmp_path / "rasa", endpoints=endpoints, model=trained_model, environment=named
    ) as server:
        talk(server)
    count = written(kafka, topic)
    assert count > 100
    eventually(lambda: taken() == count)
    assert Event.objects.count() == count
    export(rasa_processes, tmp_path / "export", endpoints)
    assert written(kafka, topic) == 2 * count
    eventually(lambda: taken() == 2 * count)
    source.refresh_from_db()
    assert (source.events_total, source.known_total) == (count, count)
    assert Event.objects.count() == count
    assert set(Conversation.objects.values_list("sender_id", "environment_name")) == {
        (guest, "production") for guest in GUESTS
    }
    assert not DeadLetter.objects.exists()


def export(processes: LocalProcesses, folder: Path, endpoints: str) -> None:
    folder.mkdir()
    (folder / "endpoints.yml").write_text(endpoints)
    arguments = ("export", "--endpoints", str(folder / "endpoints.yml"))
    handle = processes.start(Spec(arguments, folder, folder / "export.log"))
    status = wait_for_end(processes, handle, 180)
    assert status.code == 0, (folder / "export.log").read_text()
