"""How the Kafka client is set up; what it does with a cluster is in tests/stack."""

import ssl
from typing import Any

import pytest

from conversations.ingest import kafka_reader
from conversations.ingest.kafka_reader import Refused
from conversations.ingest.kafka_settings import KafkaSettings, client_options
from conversations.ingest.kafka_words import explain

CLUSTER = KafkaSettings(servers=("kafka:9092",))


class Client:
    """A consumer as kafka-python makes it, which commits by itself whatever it is told."""

    def __init__(self, **options: Any) -> None:
        self.config = options | {"enable_auto_commit": True}


def test_a_client_that_would_commit_by_itself_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kafka_reader, "KafkaConsumer", Client)
    monkeypatch.setattr(kafka_reader, "none_is_well", lambda settings: "")
    with pytest.raises(Refused, match="commit by itself"):
        kafka_reader._consumer(CLUSTER)


def test_passwords_are_sent_only_where_the_protocol_has_users():
    settings = KafkaSettings(servers=("kafka:9092",), sasl_username="parley", sasl_password="secret")
    assert "sasl_plain_password" not in client_options(settings)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_users_sign_in_by_the_mechanism_of_the_settings(protocol: str):
    settings = KafkaSettings(
        servers=("kafka:9092",),
        security_protocol=protocol,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="parley",
        sasl_password="secret",
    )
    options = client_options(settings)
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-512", "parley")
    assert ("ssl_context" in options) == (protocol == "SASL_SSL")


def test_a_broken_certificate_is_told_as_what_it_is():
    settings = KafkaSettings(servers=("kafka:9093",), security_protocol="SSL", ssl_ca="not a certificate")
    with pytest.raises(ssl.SSLError) as broken:
        client_options(settings)
    assert "certificate" in explain(broken.value, settings)
