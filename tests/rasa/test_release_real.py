"""Promotions that a real Rasa takes, or cannot take, from our model server."""

import io
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from environments.models import Environment, Promotion
from environments.services import polls
from environments.services.promotion import last_that_ran, promote, state_of
from environments.services.transitions import advance_open
from models_app.models import Model
from models_app.storage import store
from studio.rasa.files import ModelServer, endpoints_yml
from studio.rasa.signing import chat_token
from tests.environments.polling import address_of, token_of
from tests.factories import environment_of, make_assistant, make_model
from tests.rasa_fixtures import SQLITE_TRACKERS, RunningRasa, running_rasa

pytestmark = [pytest.mark.rasa, pytest.mark.django_db(transaction=True)]

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


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Do the schedule's work until the condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        polls.flush()
        advance_open()
        time.sleep(0.1)


def is_in(promotion: Promotion, state: str) -> Callable[[], bool]:
    return lambda: state_of(Promotion.objects.get(pk=promotion.pk)) == state


def greet(server: RunningRasa) -> str:
    [reply] = server.client.send(chat_token(server.keys.private_pem, f"test-{uuid4().hex}"), "/greet")
    return reply["text"]


def test_a_server_takes_the_model_once_and_then_asks_for_news(rasa: RunningRasa, production, good):
    wait_for(is_in(production.promotions.get(), "running"))

    assert rasa.client.status().model_file == "good.tar.gz"
    replica = production.replicas.get()
    assert (replica.key, replica.named, replica.model) == ("rasa-1", True, good)
    seen = replica.last_seen_at
    wait_for(lambda: production.replicas.get().last_seen_at > seen)
    assert production.replicas.get().served_at == replica.served_at  # 304 since then
    assert greet(rasa)


def test_a_model_that_does_not_load_fails_while_the_old_one_goes_on_answering(rasa: RunningRasa, production, good):
    wait_for(is_in(production.promotions.get(), "running"))
    component = "LogisticRegressionClassifier"
    spoilt = make_model(production.assistant, "spoilt", without_files_of(component, bytes_of(good)))

    promotion = promote(actor=None, environment=production, model=spoilt, reason="on purpose")
    wait_for(is_in(promotion, "failed"))

    replica = production.replicas.get()
    assert (replica.model, replica.polls_since_served) == (good, 2)
    assert promotion.transitions.get(state="failed").detail == {"replicas": ["rasa-1"]}
    assert greet(rasa)
    assert rasa.client.status().model_file == "good.tar.gz"

    environment = Environment.objects.select_related("tag").get(pk=production.pk)
    back = promote(actor=None, environment=environment, model=last_that_ran(environment))
    assert back.to_model == good
    wait_for(is_in(back, "running"))
    assert greet(rasa)


def bytes_of(model: Model) -> bytes:

    with store().open(model.artifact_id) as file:
        return file.read()
