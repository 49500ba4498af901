"""The files that we write, read by Rasa itself, and its two SQL stores in our PostgreSQL."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from studio.rasa.client import RasaClient
from studio.rasa.files import Database, Env, Kafka, ModelServer, credentials_yml, endpoints_yml
from studio.rasa.signing import chat_token, generate_key_pair
from tests.rasa_fixtures import publishing, running_rasa

pytestmark = pytest.mark.rasa

READ = """
import asyncio, json, sys
from rasa.core.utils import AvailableEndpoints
from rasa.core.run import create_http_input_channels
endpoints = AvailableEndpoints.read_endpoints("endpoints.yml")
[channel] = create_http_input_channels(None, "credentials.yml")
print(json.dumps({
    "models": [endpoints.model.url, endpoints.model.token, endpoints.model.headers, endpoints.model.kwargs],
    "broker": [endpoints.event_broker.type, endpoints.event_broker.url, endpoints.event_broker.kwargs],
    "trackers": [endpoints.tracker_store.type, endpoints.tracker_store.url, endpoints.tracker_store.kwargs],
    "action": endpoints.action.url,
    "channel": [channel.name(), channel.base_url],
}))
"""


def as_rasa_reads(rasa_runtime, folder: Path, endpoints: str, credentials: str, **environment: str):
    (folder / "endpoints.yml").write_text(endpoints)
    (folder / "credentials.yml").write_text(credentials)
    command = [str(rasa_runtime.python), "-W", "ignore", "-c", READ]
    home = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env={**home, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_rasa_reads_what_we_write(rasa_runtime, tmp_path):
    password = "p$w: #${X} é"
    read = as_rasa_reads(
        rasa_runtime,
        tmp_path,
        endpoints_yml(
            models=ModelServer("http://parley/tag", Env("RASA_X_TOKEN")),
            event_broker=Kafka("kafka:9092", username="rasa", password=Env("KAFKA_PASSWORD")),
            tracker_store=Database("/run/pg", 5432, "parley", "trackers", password),
            action_endpoint="http://actions:5055/webhook",
        ),
        credentials_yml(channel_url="http://parley/api/projects/default/environments/production"),
        RASA_X_TOKEN="t0ken",
        PARLEY_REPLICA="host-7",
        RASA_ENVIRONMENT="staging",
        KAFKA_PASSWORD="k4fka",
    )
    assert read["models"][:3] == [
        "http://parley/tag",
        "t0ken",
        {"X-Parley-Replica": "host-7", "X-Parley-Environment": "staging"},
    ]
    assert read["models"][3]["wait_time_between_pulls"] == 5
    assert read["broker"][0:2] == ["kafka", "kafka:9092"]
    assert read["broker"][2]["sasl_password"] == "k4fka"
    assert read["trackers"][2]["password"] == password
    assert read["action"] == "http://actions:5055/webhook"
    assert read["channel"] == ["rasa", "http://parley/api/projects/default/environments/production"]


# --- PostgreSQL ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[psycopg.Connection, Database, Database]]:
    """A connection, and two roles with a schema each: one may only add events, the other keeps Rasa's trackers."""
    facts = settings.DATABASES["default"]
    place = (facts["HOST"], int(facts["PORT"] or 5432), facts["NAME"])
    password = secrets.token_urlsafe(12)
    events, trackers = (f"test_{kind}_{secrets.token_hex(4)}" for kind in ("events", "trackers"))
    # Not Django's connection: its roles and schemas would be rolled back before Rasa sees them.
    login = {"host": facts["HOST"], "port": place[1], "user": facts["USER"], "password": facts["PASSWORD"]}
    with psycopg.connect(**login, dbname=facts["NAME"], autocommit=True) as connection:
        try:
            for name in (events, trackers):
                execute(connection, CORNER, name=name, database=facts["NAME"], password=sql.Literal(password))
            execute(
                connection,
                [*EVENTS_TABLE, "GRANT CREATE ON SCHEMA {trackers} TO {trackers}"],
                events=events,
                trackers=trackers,
            )
            yield connection, Database(*place, events, password), Database(*place, trackers, password)
        finally:
            for name in (events, trackers):
                execute(connection, REMOVAL, name=name, database=facts["NAME"])


def execute(connection: psycopg.Connection, statements: list[str], **names: str | sql.Literal) -> None:
    values = {name: sql.Identifier(value) if isinstance(value, str) else value for name, value in names.items()}
    for statement in statements:
        connection.execute(sql.SQL(statement).format(**values))


CORNER = [
    "CREATE ROLE {name} LOGIN PASSWORD {password}",
    "CREATE SCHEMA {name}",
    "ALTER ROLE {name} SET search_path = {name}",
    "GRANT CONNECT ON DATABASE {database} TO {name}",
    "GRANT USAGE ON SCHEMA {name} TO {name}",
]
EVENTS_TABLE = [
    "CREATE TABLE {events}.events (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, sender_id text, data text)",
    "GRANT INSERT, SELECT (id) ON {events}.events TO {events}",
]
REMOVAL = [
    "DROP SCHEMA {name} CASCADE",
    "REVOKE ALL ON DATABASE {database} FROM {name}",
    "DROP ROLE {name}",
]


def test_events_arrive_in_postgresql_and_a_restart_forgets_no_dialogue(
    rasa_processes, trained_model, database, tmp_path
):
    connection, events, trackers = database
    keys = generate_key_pair()
    endpoints = endpoints_yml(event_broker=events, tracker_store=trackers)

    def speak(client: RasaClient, message: str) -> list[str]:
        client.send(chat_token(keys.private_pem, "guest"), message)
        return [event["text"] for event in client.tracker("guest")["events"] if event["event"] == "user"]

    with publishing(keys) as channel:
        files = {"endpoints": endpoints, "credentials": credentials_yml(channel_url=channel), "keys": keys}
        with running_rasa(rasa_processes, tmp_path, model=trained_model, **files) as server:
            assert speak(server.client, "/greet") == ["/greet"]
        with running_rasa(rasa_processes, tmp_path, model=trained_model, **files) as server:
            assert speak(server.client, "/ask_menu") == ["/greet", "/ask_menu"]

    table = sql.Identifier(events.username, "events")
    rows = connection.execute(sql.SQL("SELECT sender_id, data FROM {0} ORDER BY id").format(table)).fetchall()
    assert {sender for sender, _ in rows} == {"guest"}
    said = [json.loads(data) for _, data in rows]
    assert [event["text"] for event in said if event["event"] == "user"] == ["/greet", "/ask_menu"]


def test_the_role_of_events_can_read_no_event(database):
    _, events, _ = database
    as_rasa = {"host": events.host, "port": events.port, "dbname": events.name, "user": events.username}
    with (
        psycopg.connect(**as_rasa, password=events.password) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT data FROM events")
