"""What Rasa servers fetch without signing in."""

import pytest

from environments.models import Environment, EnvironmentAlias
from environments.services.birth import create_assistant
from environments.services.environments import note_server
from tests.factories import environment_of, make_assistant

pytestmark = pytest.mark.django_db


def key_of(answer) -> str:
    (key,) = answer.json()["keys"]
    assert key["alg"] == "RS256"
    return key["key"]


def test_each_environment_publishes_its_own_key(client) -> None:
    assistant = make_assistant()
    keys = {
        name: key_of(client.get(f"/api/projects/{assistant.slug}/environments/{name}/version"))
        for name in ("production", "worker")
    }
    assert keys["production"] == environment_of(assistant).public_key
    assert keys["production"] != keys["worker"]


def test_the_plain_address_has_the_key_of_defaults_production(client) -> None:
    assistant = create_assistant(actor=None, slug="default", title="Café")
    answer = client.get("/api/version")
    assert key_of(answer) == environment_of(assistant).public_key
    assert answer.json()["enterprise"] is True
    assert set(answer.json()["rasa"]) == {"production", "worker"}


def test_the_versions_are_those_of_the_servers_as_far_as_they_are_known(client, settings) -> None:
    assistant = create_assistant(actor=None, slug="default", title="Café")
    production, worker = environment_of(assistant), environment_of(assistant, "worker")
    Environment.objects.filter(pk=production.pk).update(kind=Environment.Kind.CONNECTED)
    Environment.objects.filter(pk=worker.pk).update(kind=Environment.Kind.MANAGED)
    assert client.get("/api/version").json()["rasa"] == {"production": None, "worker": settings.RASA_VERSION}
    note_server(environment=production, version="3.5.17", minimum_compatible_version="3.5.0")
    assert client.get("/api/version").json()["rasa"]["production"] == "3.5.17"


def test_the_plain_address_answers_before_there_is_an_assistant(client) -> None:
    assert client.get("/api/version").json()["keys"] == []


def test_a_former_name_still_gives_the_key(client) -> None:
    production = environment_of(make_assistant())
    EnvironmentAlias.objects.create(environment=production, assistant=production.assistant, name="live")
    assert key_of(client.get(f"/api/projects/{production.assistant.slug}/environments/live/version"))


@pytest.mark.parametrize("name", ["nothing", "production"])
def test_what_is_not_there_is_a_failure_in_our_shape(client, name: str) -> None:
    assistant = make_assistant()
    Environment.objects.filter(assistant=assistant).update(removed_at=assistant.created_at)
    answer = client.get(f"/api/projects/{assistant.slug}/environments/{name}/version")
    assert answer.status_code == 404
    assert answer.json()["status"] == "failure"
    assert answer.json()["code"] == 404


def test_it_sets_no_cookie_and_asks_nobody_to_sign_in(client) -> None:
    make_assistant("shop")
    answer = client.get("/api/projects/shop/environments/production/version")
    assert answer.status_code == 200
    assert not answer.cookies
