"""Promotions that a real Rasa takes, or cannot take, from our model server."""

import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection

from environments.models import Environment, Promotion
from environments.services import polls
from environments.services.connecting import connection_of
from environments.services.database import drop_intake, ensure_intake, events_role
from environments.services.promotion import last_that_ran, promote, state_of
from environments.services.transitions import advance_open
from models_app.models import Model
from models_app.storage import store
from studio.crypto import decrypt
from studio.embedded import child
from studio.rasa.client import RasaClient
from studio.rasa.commands import free_port
from studio.rasa.files import ModelServer, endpoints_yml
from studio.rasa.signing import chat_token
from tests.docs.pages import block_of
from tests.environments.polling import address_of, token_of
from tests.factories import environment_of, make_assistant, make_model
from tests.rasa_fixtures import LOCALHOST, SQLITE_TRACKERS, RunningRasa, running_rasa

pytestmark = [pytest.mark.rasa, pytest.mark.django_db(transaction=True)]

START = block_of("docs/connect-your-rasa.md", "PARLEY_REPLICA").rstrip()
INTERVAL = 2  # seconds between the polls of the server under test


@pytest.fixture
def production(transactional_db, redis_client) -> Environment:
    return environment_of(make_assistant("default"))


@pytest.fixture
def good(production: Environment, trained_model: Path) -> Model:
    return make_model(production.assistant, "good", trained_model.read_bytes())


@pytest.fixture
def rasa(production, good, live_server, rasa_processes, tmp_path) -> Iterator[RunningRasa]:
    """A server that polls for production, of which `good` is the model."""
    promote(actor=None, environment=production, model=good)
    models = ModelServer(
        url=f"{live_server.url}{address_of(production)}",
        token=token_of(production),
        replica="rasa-1",
        environment="production",
        wait_time_between_pulls=INTERVAL,
    )
    endpoints = endpoints_yml(models=models) + SQLITE_TRACKERS.format(folder=tmp_path)
    with running_rasa(rasa_processes, tmp_path / "server", endpoints=endpoints) as server:
        yield server


def without_files_of(component: str, archive: bytes) -> bytes:
    """A model whose metadata is whole, and whose component has nothing to load."""
    spoilt = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as whole, tarfile.open(fileobj=spoilt, mode="w:gz") as rest:
        names = whole.getnames()
        assert any(component in name for name in names), names
        for member in whole.getmembers():
            if member.isfile() and component in member.name:
                continue
            rest.addfile(member, whole.extractfile(member) if member.isfile() else None)
    return spoilt.getvalue()


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Do the schedule's work until the condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        polls.flush()
        advance_open()
        time.sleep(0.1)


def is_in(promotion: Promotion, state: str) -> Callable[[], bool]:
    return lambda: state_of(Promotion.objects.get(pk=promotion.pk)) == state


def greet(client: RasaClient, private_key: str) -> str:
    [reply] = client.send(chat_token(private_key, f"test-{uuid4().hex}"), "/greet")
    return reply["text"]


@pytest.fixture
def with_events(production: Environment) -> Iterator[Environment]:
    """Production with a table for the events of its servers."""
    ensure_intake(production)
    yield production
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {events_role(production)}.events")
    assert drop_intake(production)


@contextmanager
def typed(environment: Environment, python: Path, folder: Path) -> Iterator[RasaClient]:
    """A team's own server: with what its page *Connection* has for its files and its shell, started by the line of the
    documentation, at a free port of this machine alone."""
    token, port = secrets.token_urlsafe(16), free_port()
    given = connection_of(environment, may_see_secrets=True)
    (folder / "endpoints.yml").write_text(given.endpoints)
    (folder / "credentials.yml").write_text(given.credentials)
    variables = given.variables.replace("export RASA_AUTH_TOKEN=", f"export RASA_AUTH_TOKEN={token}")
    line = START.replace(" rasa run ", " exec rasa run ") + f" --interface 127.0.0.1 --port {port}"
    with shell(f"{variables}\n{line}", python.parent, folder):
        yield RasaClient(f"http://127.0.0.1:{port}", token, timeout=30, hosts=LOCALHOST)


@contextmanager
def shell(lines: str, programs: Path, folder: Path) -> Iterator[None]:
    """One that types these; what it became is ended with the test, whose failures say its log."""
    command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", "bash", "-e", "-c", lines]
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "HOME": str(folder), "RASA_TELEMETRY_ENABLED": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    except Exception as error:
        error.add_note((folder / "log").read_text()[-3000:])
        raise
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)


def test_a_server_of_a_team_takes_the_model_once_then_asks_for_news_and_writes_its_events(
    with_events: Environment, good: Model, live_server, rasa_runtime, settings, tmp_path: Path
):
    settings.INTERNAL_URL = live_server.url
    production = with_events
    promotion = promote(actor=None, environment=production, model=good)
    with typed(production, rasa_runtime.python, tmp_path) as client:
        wait_for(is_in(promotion, "running"))

        assert client.status().model_file == "good.tar.gz"
        replica = production.replicas.get()
        assert (replica.key, replica.named, replica.model) == (socket.gethostname(), True, good)
        seen = replica.last_seen_at
        wait_for(lambda: production.replicas.get().last_seen_at > seen)
        assert production.replicas.get().served_at == replica.served_at  # 304 since then
        assert greet(client, decrypt(production.private_key_encrypted))
        wait_for(lambda: has_greeting(production))


def has_greeting(environment: Environment) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {events_role(environment)}.events WHERE data LIKE '%/greet%'")
        return bool(cursor.fetchone()[0])


def test_a_model_that_does_not_load_fails_while_the_old_one_goes_on_answering(rasa: RunningRasa, production, good):
    wait_for(is_in(production.promotions.get(), "running"))
    component = "LogisticRegressionClassifier"
    spoilt = make_model(production.assistant, "spoilt", without_files_of(component, bytes_of(good)))

    promotion = promote(actor=None, environment=production, model=spoilt, reason="on purpose")
    wait_for(is_in(promotion, "failed"))

    replica = production.replicas.get()
    assert replica.model == good and replica.polls_since_served >= 2  # it asks on
    assert promotion.transitions.get(state="failed").detail == {"replicas": ["rasa-1"]}
    assert greet(rasa.client, rasa.keys.private_pem)
    assert rasa.client.status().model_file == "good.tar.gz"

    environment = Environment.objects.select_related("tag").get(pk=production.pk)
    back = promote(actor=None, environment=environment, model=last_that_ran(environment))
    assert back.to_model == good
    wait_for(is_in(back, "running"))
    assert greet(rasa.client, rasa.keys.private_pem)


def bytes_of(model: Model) -> bytes:

    with store().open(model.artifact_id) as file:
        return file.read()
