import pytest
from ruamel.yaml import YAML

from studio.rasa.files import Database, Env, Kafka, ModelServer, credentials_yml, endpoints_yml

SERVER = ModelServer("http://parley/api/projects/default/models/tags/production", Env("RASA_X_TOKEN"))
EVENTS = Database("127.0.0.1", 5432, "parley", "events_production", "p4ss")


def read(text: str):
    return YAML(typ="safe").load(text)


def test_a_team_gets_names_of_variables_where_a_value_is_secret_or_differs():
    assert endpoints_yml(models=SERVER, event_broker=Kafka("kafka:9092", topic="rasa")) == (
        "models:\n"
        '  url: "http://parley/api/projects/default/models/tags/production"\n'
        "  token: ${RASA_X_TOKEN}\n"
        "  wait_time_between_pulls: 5\n"
        "  headers:\n"
        "    X-Parley-Replica: ${PARLEY_REPLICA}\n"
        "    X-Parley-Environment: ${RASA_ENVIRONMENT}\n"
        "\n"
        "event_broker:\n"
        '  type: "kafka"\n'
        '  url: "kafka:9092"\n'
        '  topic: "rasa"\n'
        '  security_protocol: "PLAINTEXT"\n'
    )


def test_a_managed_server_gets_literal_values():
    server = ModelServer("http://127.0.0.1:8000/tag", "t0ken", replica="managed-1", environment=None)
    models = read(endpoints_yml(models=server))["models"]
    assert (models["token"], models["headers"]) == ("t0ken", {"X-Parley-Replica": "managed-1"})


def test_events_and_trackers_are_kept_by_roles_of_their_own():
    trackers = Database("/run/parley", 5433, "parley", "trackers_production", "s3cret")
    parts = read(endpoints_yml(event_broker=EVENTS, tracker_store=trackers))
    assert parts["event_broker"] == {
        "type": "sql",
        "dialect": "postgresql",
        "url": "127.0.0.1",
        "port": 5432,
        "db": "parley",
        "username": "events_production",
        "password": "p4ss",
    }
    assert parts["tracker_store"]["username"] == "trackers_production"
    assert parts["tracker_store"]["url"] == "/run/parley"


def test_kafka_with_a_password():
    broker = Kafka("kafka:9093", security_protocol="SASL_SSL", username="rasa", password=Env("KAFKA_PASSWORD"))
    written = endpoints_yml(event_broker=broker)
    assert "  sasl_password: ${KAFKA_PASSWORD}\n" in written
    assert read(written)["event_broker"]["sasl_mechanism"] == "PLAIN"


def test_an_action_server_is_named():
    assert endpoints_yml(action_endpoint="http://actions:5055/webhook") == (
        'action_endpoint:\n  url: "http://actions:5055/webhook"\n'
    )


def test_only_what_is_given_is_written():
    assert endpoints_yml() == ""


def test_the_channel_names_the_address_below_which_the_keys_are():
    assert credentials_yml(channel_url="http://parley/api/projects/default/environments/production/") == (
        'rasa:\n  url: "http://parley/api/projects/default/environments/production"\n'
    )


@pytest.mark.parametrize(
    "value", ["0123", "a: b #c", "p$w", "${NOT_ONE}", 'say "hi"', "back\\slash", "no", "line\nbreak", "é😀\x7f\x85", ""]
)
def test_every_text_is_read_back_as_it_was_written(value):
    written = endpoints_yml(event_broker=Database("db", 5432, "parley", "rasa", value))
    assert read(written)["event_broker"]["password"] == value


def test_a_kafka_with_tls_names_the_files_beside_rasa():
    broker = Kafka("a:9093,b:9093", security_protocol="SSL", ca_file="/etc/ca.pem", check_hostname=True)
    block = read(endpoints_yml(event_broker=broker))["event_broker"]
    assert (block["url"], block["ssl_cafile"], block["ssl_check_hostname"]) == ("a:9093,b:9093", "/etc/ca.pem", True)
    assert "ssl_keyfile" not in block
