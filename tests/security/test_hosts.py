"""The Host header: no page is made for a name that is not ours, and probes and polls need none."""

import pytest
from django.test import Client

from studio import env
from studio import settings as real
from tests.environments.polling import token_of
from tests.factories import environment_of, make_assistant

pytestmark = pytest.mark.django_db
FOREIGN = {"host": "evil.example.com"}


@pytest.fixture(autouse=True)
def our_hosts(settings) -> None:
    settings.PUBLIC_URL = "https://parley.example.com"
    settings.ALLOWED_HOSTS = env.hosts(settings.PUBLIC_URL, "http://parley.internal:8000")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/version", "/s/some-code", "/nowhere"])
def test_a_foreign_name_gets_a_page_that_says_what_to_do(path) -> None:
    answer = Client().get(path, headers=FOREIGN)
    assert answer.status_code == 400
    text = answer.content.decode()
    assert "https://parley.example.com" in text and "PARLEY_ALLOWED_HOSTS" in text
    assert "evil" not in text


@pytest.mark.parametrize("host", ["parley.example.com", "parley.internal:8000", "localhost:8000", "[::1]:8000"])
def test_our_own_names_are_answered(host) -> None:
    assert Client().get("/sign-in", headers={"host": host}).status_code == 200


def test_x_forwarded_host_is_not_believed() -> None:
    answer = Client().get("/sign-in", headers={"host": "localhost", "x-forwarded-host": "evil.example.com"})
    assert answer.status_code == 200  # believed, it would be refused as a foreign name
    assert "evil.example.com" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_come_by_address(path, redis_client) -> None:
    assert Client().get(path, headers={"host": "10.42.0.17:8000"}).status_code == 200


def test_rasa_servers_are_answered_under_any_name(redis_client) -> None:
    production = environment_of(make_assistant("cafe"))
    headers = {"host": "whatever:1", "authorization": f"Bearer {token_of(production)}"}
    answer = Client().get("/api/projects/cafe/models/tags/production", headers=headers)
    assert answer.status_code == 204


def test_the_default_hosts_are_those_of_the_addresses() -> None:
    found = env.hosts("https://parley.example.com:8443", "http://[fd00::1]:8000")
    assert found == ["parley.example.com", "[fd00::1]", "localhost", "127.0.0.1", "[::1]"]


def test_the_settings_take_the_default_when_nobody_names_hosts() -> None:
    assert env.hosts(real.PUBLIC_URL, real.INTERNAL_URL) == real.ALLOWED_HOSTS
