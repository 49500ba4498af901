"""The intake's pages and dialogs: what they show, what they change, and what they never show."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from conversations.ingest import kafka_check
from conversations.ingest.kafka_settings import KafkaSettings, settings_of
from conversations.models import IntakeIncident, IntakePosition, IntakeSource
from conversations.services.dead_letters import discard
from conversations.services.intake import Wishes, add_source
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.jobs import heartbeat
from tests.conversations.dead import CUT, make_letter
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_person, store_events

HTMX = {"HX-Request": "true"}
PASSWORD = "pr1vate-word"
FORM = {
    "name": "Kafka",
    "servers": "127.0.0.1:9092",
    "topics": "rasa_core_events",
    "group": "parley",
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "parley",
    "sasl_password": PASSWORD,
    "ssl_check_hostname": "on",
}


@pytest.fixture
def admin(client: Client, db: None, redis_client: object) -> User:
    person = make_person("admin")
    client.force_login(person)
    return person


@pytest.fixture
def source(assistant: Assistant, admin: User) -> IntakeSource:
    settings = KafkaSettings(
        servers=("127.0.0.1:9092",),
        security_protocol="SASL_PLAINTEXT",
        sasl_username="parley",
        sasl_password=PASSWORD,
    )
    return add_source(actor=admin, assistant=assistant, wishes=Wishes("Kafka", settings))


def url(assistant: Assistant, rest: object = "") -> str:
    return f"/a/{assistant.slug}/intake/{rest}"


def post(client: Client, address: str, **data: Any) -> Any:
    return client.post(address, data, headers=HTMX)


def page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_a_source_is_added_by_the_dialog_and_its_password_is_kept_secret(client: Client, assistant, admin):
    answer = post(client, url(assistant, "new"), **FORM)
    source = IntakeSource.objects.get()
    assert answer["HX-Redirect"] == url(assistant, source.pk)
    assert settings_of(source).sasl_password == PASSWORD
    assert source.settings_version == 1
    event = AuditEvent.objects.get(action=Action.INTAKE_SOURCE_ADDED)
    assert PASSWORD not in str(event.after)
    for rest in ("", source.pk, f"{source.pk}/edit"):
        assert PASSWORD not in page(client, url(assistant, rest))


def test_a_blank_password_keeps_the_saved_one_and_every_change_connects_anew(client: Client, assistant, source):
    form = FORM | {"sasl_password": "", "topics": "rasa_core_events, other.events"}
    assert "HX-Redirect" in post(client, url(assistant, f"{source.pk}/edit"), **form)
    source.refresh_from_db()
    assert settings_of(source).sasl_password == PASSWORD
    assert settings_of(source).topics == ("rasa_core_events", "other.events")
    assert source.settings_version == 2


def test_a_saved_password_is_not_sent_to_other_servers(client: Client, assistant, source, monkeypatch):
    tried = []
    monkeypatch.setattr("conversations.views.intake.check", tried.append)
    form = FORM | {"sasl_password": "", "servers": "127.0.0.1:6666"}
    assert "Enter it again" in post(client, url(assistant, f"{source.pk}/edit"), **form).content.decode()
    assert "Enter it again" in post(client, url(assistant, f"{source.pk}/test"), **form).content.decode()
    assert settings_of(IntakeSource.objects.get()).servers == ("127.0.0.1:9092",)
    assert tried == []


def test_positions_are_not_carried_to_another_cluster(client: Client, assistant, source):
    """There they would pass over all that stands before them."""
    IntakePosition.objects.create(source=source, topic="rasa_core_events", partition=0, next_offset=5000)
    form = FORM | {"servers": "127.0.0.1:9777"}
    assert "another cluster" in post(client, url(assistant, f"{source.pk}/edit"), **form).content.decode()
    form = FORM | {"servers": "127.0.0.1:9777\n127.0.0.1:9092"}
    assert "HX-Redirect" in post(client, url(assistant, f"{source.pk}/edit"), **form)


def test_what_the_protocol_has_no_use_for_is_not_kept(client: Client, assistant, source):
    post(client, url(assistant, f"{source.pk}/edit"), **(FORM | {"security_protocol": "PLAINTEXT"}))
    kept = settings_of(IntakeSource.objects.get())
    assert (kept.sasl_username, kept.sasl_password) == ("", "")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("servers", "kafka", "is not a host and a port"),
        ("servers", "10.20.30.40:9092", "PARLEY_RASA_HOSTS"),
        ("servers", "127.0.0.1:9092 169.254.169.254:80", "PARLEY_RASA_HOSTS"),
        ("topics", "two words/slash", "is not a name of a topic"),
        ("sasl_username", "", "Give the user name"),
        ("sasl_password", "", "Give the password"),
        ("name", "", "required"),
    ],
)
def test_what_cannot_be_meant_is_said_at_its_field(client: Client, assistant, admin, field, value, said):
    answer = post(client, url(assistant, "new"), **(FORM | {field: value}))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not IntakeSource.objects.exists()


def test_our_own_database_is_no_kafka(client: Client, assistant, admin, settings):
    port = settings.DATABASES["default"]["PORT"] or 5432
    answer = post(client, url(assistant, "new"), **(FORM | {"servers": f"127.0.0.1:{port}"}))
    assert "own database" in answer.content.decode()


def test_a_name_is_given_once(client: Client, assistant, source):
    assert "already a source called" in post(client, url(assistant, "new"), **FORM).content.decode()


def test_a_source_is_switched_off_on_and_removed(client: Client, assistant, source):
    post(client, url(assistant, f"{source.pk}/switch/off"))
    source.refresh_from_db()
    assert (source.is_on, source.settings_version) == (False, 2)
    assert ">Off<" in page(client, url(assistant, source.pk))
    post(client, url(assistant, f"{source.pk}/switch/on"))
    assert "Type Kafka" in post(client, url(assistant, f"{source.pk}/remove"), typed="no").content.decode()
    post(client, url(assistant, f"{source.pk}/remove"), typed="Kafka")
    source.refresh_from_db()
    assert source.removed_at is not None
    assert bytes(source.secrets_encrypted) == b""
    assert client.get(url(assistant, source.pk)).status_code == 404


def test_an_alarm_offers_two_ways_to_go_on(client: Client, assistant, source):
    IntakeSource.objects.update(alarm="501 of the last 1000 records could not be read.")
    assert "501 of the last 1000" in page(client, url(assistant, source.pk))
    assert "501 of the last 1000" in page(client, url(assistant, f"{source.pk}/alarm/keep"))
    post(client, url(assistant, f"{source.pk}/alarm/keep"))
    source.refresh_from_db()
    assert (source.alarm, source.accepts_invalid, source.settings_version) == ("", True, 2)
    IntakeSource.objects.update(alarm="Again.")
    post(client, url(assistant, f"{source.pk}/alarm/try-again"))
    source.refresh_from_db()
    assert (source.alarm, source.accepts_invalid) == ("", False)
    assert AuditEvent.objects.filter(action=Action.INTAKE_ALARM_CLEARED).count() == 2


def test_an_incident_is_closed_once_and_says_by_whom(client: Client, assistant, source, admin):
    incident = IntakeIncident.objects.create(
        source=source, kind="overtaken", topic="t", partition=0, first_offset=5, end_offset=12, since=1_790_000_000.0
    )
    address = url(assistant, f"{source.pk}/incidents/{incident.pk}")
    assert "5 to 12" in page(client, url(assistant, source.pk))
    assert post(client, address, note="").status_code == 422
    post(client, address, note="Exported again")
    assert "Exported again" in page(client, url(assistant, source.pk))
    assert "closed it already" in post(client, address, note="twice").content.decode()
    assert AuditEvent.objects.get(action=Action.INTAKE_INCIDENT_CLOSED).actor == admin


def test_partitions_and_streams_are_shown(client: Client, assistant, source):
    IntakePosition.objects.create(source=source, topic="rasa_core_events", partition=1, next_offset=40, end_offset=42)
    IntakePosition.objects.create(source=source, topic="former", partition=0, next_offset=0, end_offset=9)
    store_events(environment_of(assistant), *small_talk(sender="anna"), under="abroad")
    IntakeSource.objects.filter(name="test").delete()
    shown = page(client, url(assistant, source.pk))
    assert "2 records behind" in shown
    assert "former" not in shown


def test_the_answer_of_a_test_names_topics_and_their_records(client: Client, assistant, source, monkeypatch):
    found = kafka_check.TopicFound("rasa_core_events", 3, 1200)
    answers = kafka_check.Checked(topics=(found,), warnings=("127.0.0.1:9 refused the connection.",))
    monkeypatch.setattr("conversations.views.intake.check", lambda settings: answers)
    shown = post(client, url(assistant, f"{source.pk}/test")).content.decode()
    assert "3 partitions, 1,200 records" in shown
    assert "refused the connection" in shown
    assert "<html" in client.post(url(assistant, f"{source.pk}/test")).content.decode()


def test_a_form_that_is_not_right_is_not_tried(client: Client, assistant, admin, monkeypatch):
    monkeypatch.setattr("conversations.views.intake.check", lambda settings: pytest.fail("it was tried"))
    shown = post(client, url(assistant, "test"), **(FORM | {"servers": "10.20.30.40:9092"})).content.decode()
    assert "PARLEY_RASA_HOSTS" in shown


def test_other_assistants_are_bound_by_those_who_may_change_them(client: Client, assistant, source):
    inn, bakery = make_assistant("inn", "Inn"), make_assistant("bakery", "Bakery")
    source.other_assistants.add(bakery)
    post(client, url(assistant, f"{source.pk}/edit"), **(FORM | {"other_assistants": [inn.pk]}))
    assert set(source.other_assistants.all()) == {inn}


def test_home_names_the_sources_that_need_a_look_and_no_others(client: Client, assistant, source):
    now = timezone.now()
    IntakeSource.objects.update(heartbeat_at=now, last_error="kafka:9092 does not answer.")
    home = f"/a/{assistant.slug}/intake/stale"
    assert home in page(client, f"/a/{assistant.slug}/")
    assert "kafka:9092 does not answer." in page(client, home)
    IntakeSource.objects.update(is_on=False)
    assert url(assistant, source.pk) not in page(client, home)


def test_how_far_behind_a_source_is_that_cannot_be_asked_is_not_known(client: Client, assistant, source):
    IntakeSource.objects.update(heartbeat_at=timezone.now(), last_error="kafka:9092 does not answer.")
    assert "0 records behind" not in page(client, url(assistant, source.pk))
    assert "not known" in page(client, url(assistant, source.pk)) and "not known" in page(client, url(assistant))


def test_records_that_could_not_be_read_are_told_at_home_and_by_the_source(client: Client, assistant, source):
    heartbeat.beat("ingest")
    letter = make_letter(environment_of(assistant), CUT)
    IntakeSource.objects.update(heartbeat_at=timezone.now(), last_error="", last_event_at=None)
    of_source = f"/conversations/unreadable/?source={letter.source_id}"
    for shown in (f"/a/{assistant.slug}/intake/stale", url(assistant), url(assistant, letter.source_id)):
        text = page(client, shown)
        assert "1 dead letter" in text and of_source in text and "Nothing yet" not in text.split("Kafka")[0], shown
    discard(actor=make_person("admin"), letter=letter, reason="noise")
    assert "dead letter" not in page(client, f"/a/{assistant.slug}/intake/stale")


def test_the_connection_page_has_a_block_for_each_kafka(client: Client, assistant, source):
    address = f"/a/{assistant.slug}/environments/production/connection"
    shown = page(client, f"{address}?broker=kafka-{source.pk}")
    assert "type: &quot;kafka&quot;" in shown
    assert "sasl_username: ${KAFKA_USERNAME}" in shown
    assert "export KAFKA_PASSWORD=" in shown
    assert "partition_by_sender: true" in shown
    assert "RabbitMQ" in page(client, f"{address}?broker=other")
    assert PASSWORD not in shown


def test_the_environments_list_shows_names_that_nobody_has(client: Client, assistant, admin):
    store_events(environment_of(assistant), *small_talk(sender="anna"), under="abroad")
    assert url(assistant, "unknown") in page(client, f"/a/{assistant.slug}/environments/")
    assert "abroad" in page(client, url(assistant, "unknown"))
