"""What is said of a Kafka server that takes a connection and then nothing more; real ones are in tests/stack."""

import socket

import pytest

from conversations.ingest import kafka_greeting
from conversations.ingest.kafka_settings import KafkaSettings


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_one_that_says_nothing_is_not_called_wrong(protocol: str, settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RASA_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(kafka_greeting, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        wished = KafkaSettings(servers=(server,), topics=("rasa",), security_protocol=protocol)
        found = kafka_greeting.failures(wished)
    assert "took the connection and said nothing" in found[server]
