"""Trying a real Kafka's settings: each failure has its own sentence, and nothing is taken."""

from dataclasses import replace

import pytest

from conversations.ingest.kafka_check import Checked, check
from conversations.ingest.kafka_settings import KafkaSettings
from tests.stack.kafka import PASSWORD, USER, Kafka
from tests.stack.programs import free_port

pytestmark = [
    pytest.mark.stack,
    # kafka-python leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TOPIC = "to-be-tried"


@pytest.fixture(scope="module")
def served(kafka: Kafka) -> Kafka:
    kafka.make_topic(TOPIC)
    kafka.publish(TOPIC, [b"{}"] * 5)
    return kafka


@pytest.fixture
def named(served: Kafka) -> KafkaSettings:
    """What the listener that knows its users asks for."""
    return KafkaSettings(
        servers=(served.at("named"),),
        topics=(TOPIC,),
        security_protocol="SASL_PLAINTEXT",
        sasl_username=USER,
        sasl_password=PASSWORD,
    )


def found(checked: Checked) -> dict[str, tuple[int, int]]:
    assert checked.problem == ""
    return {one.name: (one.partitions, one.records) for one in checked.topics}


def test_topics_are_counted(served: Kafka, named: KafkaSettings):
    assert found(check(named)) == {TOPIC: (3, 5)}
    assert found(check(KafkaSettings(servers=(served.servers,), topics=(TOPIC,)))) == {TOPIC: (3, 5)}


def test_one_server_of_several_is_enough_and_the_others_are_named(served: Kafka):
    nobody = f"127.0.0.1:{free_port()}"
    checked = check(KafkaSettings(servers=(nobody, served.servers), topics=(TOPIC, "no-such-topic")))
    assert found(checked) == {TOPIC: (3, 5)}
    assert f"{nobody} refused the connection" in checked.warnings[0]
    assert "There is no topic no-such-topic. There are " in checked.warnings[1]


def test_a_wrong_password_is_called_that(named: KafkaSettings):
    assert "refused the user name or password" in check(replace(named, sasl_password="wrong")).problem


def test_a_mechanism_that_is_not_offered_is_named_beside_those_that_are(named: KafkaSettings):
    problem = check(replace(named, sasl_mechanism="SCRAM-SHA-512")).problem
    assert "does not offer SCRAM-SHA-512. It offers PLAIN." in problem


def test_the_wrong_protocol_is_told_in_each_direction(served: Kafka, named: KafkaSettings):
    assert "asks for a user name" in check(replace(named, security_protocol="PLAINTEXT")).problem
    assert "asks for no user name" in check(replace(named, servers=(served.servers,))).problem
    assert "does not speak TLS" in check(replace(named, security_protocol="SASL_SSL")).problem


def test_a_certificate_of_an_unknown_authority_is_told_and_counts_once_the_authority_is_known(served: Kafka):
    settings = KafkaSettings(servers=(served.at("secure"),), topics=(TOPIC,), security_protocol="SSL")
    assert "signed by nobody we know" in check(settings).problem
    assert found(check(replace(settings, ssl_ca=served.ca))) == {TOPIC: (3, 5)}


def test_a_certificate_for_another_name_is_told_and_counts_when_names_are_not_checked(served: Kafka):
    other = KafkaSettings(
        (served.at("secure").replace("127.0.0.1", "localhost"),), (TOPIC,), security_protocol="SSL", ssl_ca=served.ca
    )
    assert "is not for the name localhost" in check(other).problem
    assert found(check(replace(other, ssl_check_hostname=False))) == {TOPIC: (3, 5)}


def test_tls_and_plain_text_are_told_apart(served: Kafka):
    problem = check(KafkaSettings(servers=(served.at("secure"),), topics=(TOPIC,))).problem
    assert "does not speak Kafka with PLAINTEXT" in problem


def test_hosts_that_may_not_be_called_are_not_called_also_when_the_cluster_names_them(served: Kafka, settings):
    settings.RASA_HOSTS = []
    assert "PARLEY_RASA_HOSTS" in check(KafkaSettings(servers=(served.servers,), topics=(TOPIC,))).problem
    # A cluster at an allowed name whose brokers call themselves by an address that is not.
    settings.RASA_HOSTS = ["localhost"]
    problem = check(KafkaSettings(servers=(served.servers.replace("127.0.0.1", "localhost"),), topics=(TOPIC,))).problem
    assert "advertised.listeners" in problem
    assert "PARLEY_RASA_HOSTS" in problem
