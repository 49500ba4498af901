"""Every way to sign in at a real Kafka is taken by, and whatever is wrong has a sentence of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from conversations.ingest.kafka_check import check
from conversations.ingest.kafka_intake import KafkaIntake
from conversations.ingest.kafka_settings import KafkaSettings, keep_settings
from conversations.models import Conversation, DeadLetter, Event, IntakeSource
from tests.conversations.events import raw, small_talk
from tests.factories import environment_of, make_assistant
from tests.stack.certificates import Authority
from tests.stack.kafka import GUEST, PASSWORD, USER, Kafka
from tests.stack.programs import eventually

pytestmark = [
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True),
    # kafka-python leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
Change = Callable[[KafkaSettings, Kafka], KafkaSettings]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy broker takes seconds for its first TLS."""
    monkeypatch.setattr("conversations.ingest.kafka_greeting.ANSWER_SECONDS", 30.0)
    monkeypatch.setattr("conversations.ingest.kafka_check.CALL_MILLISECONDS", 30_000)


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = f"rasa-{uuid4().hex[:8]}"
    kafka.make_topic(name)
    kafka.publish(name, raw(*small_talk(sender="anna")))
    return name


@pytest.fixture
def source(topic: str) -> IntakeSource:
    assistant = environment_of(make_assistant()).assistant
    return IntakeSource.objects.create(kind=IntakeSource.Kind.KAFKA, name="Kafka", assistant=assistant)


def signed_in(kafka: Kafka, topic: str, mechanism: str = "PLAIN", user: str = USER) -> KafkaSettings:
    """By name and password, over TLS."""
    return KafkaSettings(
        servers=(kafka.at("both"),),
        topics=(topic,),
        group=topic,
        security_protocol="SASL_SSL",
        sasl_mechanism=mechanism,
        sasl_username=user,
        sasl_password=PASSWORD,
        ssl_ca=kafka.ca,
    )


def certified(kafka: Kafka, topic: str, by: Authority | None = None, user: str = USER) -> KafkaSettings:
    """By a certificate of ours."""
    key, certificate = (by or kafka.authority).issue(user)
    return KafkaSettings(
        servers=(kafka.at("mutual"),),
        topics=(topic,),
        group=topic,
        security_protocol="SSL",
        ssl_ca=kafka.ca,
        ssl_certificate=certificate,
        ssl_key=key,
    )


@contextmanager
def taking(source: IntakeSource, settings: KafkaSettings) -> Iterator[None]:
    keep_settings(source, settings)
    source.save()
    intake = KafkaIntake(source)
    intake.start()
    try:
        yield
    finally:
        intake.stop.set()
        intake.join(15)
        assert not intake.is_alive


def complaint(source: IntakeSource) -> str:
    source.refresh_from_db()
    return source.last_error


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_events_are_taken_by_name_and_password_over_tls(mechanism: str, kafka: Kafka, topic: str, source):
    settings = signed_in(kafka, topic, mechanism)
    assert check(settings).records == 8
    with taking(source, settings):
        eventually(lambda: Event.objects.count() == 8)


def test_events_are_taken_by_a_certificate(kafka: Kafka, topic: str, source):
    settings = certified(kafka, topic)
    assert check(settings).records == 8
    with taking(source, settings):
        eventually(lambda: Event.objects.count() == 8)


def wrong_password(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return replace(good, sasl_password="wrong")


def unknown_user(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return replace(good, sasl_username="nobody", sasl_mechanism="SCRAM-SHA-512")


def mechanism_not_offered(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return replace(
        good, servers=(kafka.at("named"),), security_protocol="SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-256"
    )


def unknown_authority(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return replace(good, ssl_ca=Authority("Others").pem)


def no_certificate(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return replace(certified(kafka, good.topics[0]), ssl_certificate="", ssl_key="")


def certificate_of_others(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return certified(kafka, good.topics[0], by=Authority("Others"))


def key_of_another_certificate(good: KafkaSettings, kafka: Kafka) -> KafkaSettings:
    return replace(certified(kafka, good.topics[0]), ssl_key=certified(kafka, good.topics[0]).ssl_key)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (wrong_password, "refused the user name or password. Correct them in this source's settings."),
        (unknown_user, "refused the user name or password. Correct them in this source's settings."),
        (mechanism_not_offered, "does not offer SCRAM-SHA-256. It offers PLAIN."),
        (unknown_authority, "is signed by nobody we know. Paste the certificate of its authority (CA)."),
        (no_certificate, "asks for a certificate of ours: paste it with its key."),
        (certificate_of_others, "refused our certificate, of CN=rasa: its authority must be one that Kafka trusts."),
        (key_of_another_certificate, "The certificate or key cannot be used: [X509: KEY_VALUES_MISMATCH]"),
    ],
)
def test_each_wrong_setting_is_told_by_the_check_and_on_the_source(
    change: Change, sentence: str, kafka: Kafka, topic: str, source
):
    wrong = change(signed_in(kafka, topic), kafka)
    assert sentence in check(wrong).problem
    with taking(source, wrong):
        eventually(lambda: sentence in complaint(source))
    assert not Conversation.objects.exists()
    assert not DeadLetter.objects.exists()
    assert source.alarm == ""


def test_rights_that_are_missing_are_told_one_by_one_and_it_goes_on_once_they_are_given(
    kafka: Kafka, topic: str, source
):
    settings = signed_in(kafka, topic, "SCRAM-SHA-256", user=GUEST)
    of_topic = f"The user guest may not read the topic {topic}: it needs READ on it."
    of_group = f"The user guest may not use the group {topic}: it needs READ on it."
    assert check(settings).problem == of_topic
    with taking(source, settings):
        eventually(lambda: complaint(source) == of_topic)
        kafka.allow(GUEST, "describe", topic=topic)  # it is seen then, and still cannot be read
        assert check(settings).problem == of_topic
        kafka.allow(GUEST, "read", topic=topic)
        eventually(lambda: complaint(source) == of_group)
        kafka.allow(GUEST, "describe", group=topic)
        assert check(settings).problem == of_group
        kafka.allow(GUEST, "read", group=topic)
        eventually(lambda: Event.objects.count() == 8)
        eventually(lambda: complaint(source) == "")
        assert check(settings).records == 8
    assert not DeadLetter.objects.exists()


def test_rights_of_a_certificate_are_those_of_its_name(kafka: Kafka, topic: str):
    settings = certified(kafka, topic, user=GUEST)
    assert (
        check(settings).problem == f"The certificate of CN=guest may not read the topic {topic}: it needs READ on it."
    )
    kafka.allow("CN=guest", "read", topic=topic)
    kafka.allow("CN=guest", "read", group=topic)
    eventually(lambda: check(settings).records == 8)  # a right holds a moment after it was given


def test_a_right_that_is_taken_away_stops_and_one_given_back_goes_on(kafka: Kafka, topic: str, source):
    kafka.allow(GUEST, "read", topic=topic)
    kafka.allow(GUEST, "read", group=topic)
    with taking(source, signed_in(kafka, topic, "SCRAM-SHA-512", user=GUEST)):
        eventually(lambda: Event.objects.count() == 8)
        kafka.refuse(GUEST, topic)
        eventually(lambda: "may not read the topic" in complaint(source))
        kafka.publish(topic, raw(*small_talk(sender="ben")))
        kafka.allow(GUEST, "read", topic=topic)
        eventually(lambda: Event.objects.count() == 16)
    assert not DeadLetter.objects.exists()
