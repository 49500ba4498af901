"""The command by which docker-compose.yml adds its Kafka."""

import pytest
from django.core.management import CommandError, call_command

from conversations.ingest.kafka_settings import settings_of
from conversations.models import IntakeSource
from conversations.services.intake import remove_source
from tests.factories import make_assistant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def cafe():
    return make_assistant("default")


def kafka() -> IntakeSource:
    return IntakeSource.objects.get(kind="kafka")


def test_a_source_is_added_once(capsys) -> None:
    for _ in range(2):
        call_command("add_kafka_source", "kafka:9092", "other:9092")
    settings = settings_of(kafka())
    assert (settings.servers, settings.topics) == (("kafka:9092", "other:9092"), ("rasa_core_events",))
    assert settings.group == "parley-default"
    assert capsys.readouterr().out.splitlines() == ["Kafka was added.", "Kafka is known already, and stays as it is."]


def test_one_that_people_removed_stays_away() -> None:
    call_command("add_kafka_source", "kafka:9092")
    remove_source(actor=None, source=kafka())
    call_command("add_kafka_source", "kafka:9092")
    assert kafka().removed_at is not None


def test_an_assistant_that_is_not_there_is_said() -> None:
    with pytest.raises(CommandError, match="no assistant bistro"):
        call_command("add_kafka_source", "kafka:9092", "--assistant", "bistro")
