import pytest
from django.test import Client

from environments.models import Environment, ManagedServer
from models_app.models import Assistant
from studio.crypto import decrypt
from tests.factories import make_person

LIST = "/a/default/environments/"
PRODUCTION = f"{LIST}production"
HTMX = {"HX-Request": "true"}
CONNECTED = {"kind": "connected", "url": "http://127.0.0.1:9/", "server_token": "secret-1"}


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin"))
    return client


def test_a_connected_environment_is_added_though_nothing_answers_there(admin: Client):
    answer = admin.post(f"{LIST}new/", {"name": "staging", **CONNECTED}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == f"{LIST}staging/connection"
    staging = Environment.objects.get(name="staging")
    assert (staging.url, decrypt(staging.server_token_encrypted)) == ("http://127.0.0.1:9", "secret-1")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "production"}, "There is already an environment called production."),
        ({"name": "No Spaces"}, "Use 1 to 63 small letters"),
        ({"url": "rasa"}, "Give an address such as"),
        ({"url": "http://[::1"}, "Give an address such as"),
        ({"url": ""}, "Give the address, or decide later."),
    ],
)
def test_what_cannot_be_added_says_why(admin: Client, change: dict[str, str], sentence: str):
    answer = admin.post(f"{LIST}new/", {"name": "staging", **CONNECTED, **change}, headers=HTMX)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Environment.objects.count() == 2


def test_an_environment_may_be_called_like_a_page(admin: Client):
    admin.post(f"{LIST}new/", {"name": "new", "kind": "unset"}, headers=HTMX)
    assert "Not set up" in admin.get(f"{LIST}new").content.decode()


def test_a_blank_token_keeps_the_one_that_is_saved(admin: Client, production: Environment):
    admin.post(f"{PRODUCTION}/connect", {"url": "http://rasa:5005", "server_token": "secret-1"}, headers=HTMX)
    page = admin.get(f"{PRODUCTION}/edit", headers=HTMX).content.decode()
    assert "secret-1" not in page
    data = {"name": "live", "url": "http://rasa:5006", "server_token": ""}
    assert admin.post(f"{PRODUCTION}/edit", data, headers=HTMX).headers["HX-Redirect"] == f"{LIST}live"
    production.refresh_from_db()
    assert (production.url, decrypt(production.server_token_encrypted)) == ("http://rasa:5006", "secret-1")


def test_removing_asks_for_the_name(admin: Client, production: Environment):
    assert admin.post(f"{PRODUCTION}/remove", {"typed": "worker"}, headers=HTMX).status_code == 422
    assert admin.post(f"{PRODUCTION}/remove", {"typed": "production"}, headers=HTMX).headers["HX-Redirect"] == LIST
    assert admin.get(PRODUCTION).status_code == 404


def test_a_server_that_runs_here_is_started_stopped_and_given_an_action_server(admin: Client, production: Environment):
    admin.post(f"{PRODUCTION}/run-here", headers=HTMX)
    server = ManagedServer.objects.get(environment=production)
    assert server.wanted
    answer = admin.post(f"{PRODUCTION}/server/stop", headers=HTMX)
    assert (answer.status_code, "environment:changed" in answer.headers["HX-Trigger"]) == (204, True)
    server.refresh_from_db()
    assert not server.wanted
    again = admin.post(f"{PRODUCTION}/server/stop", headers=HTMX)
    assert "stopped already" in again.headers["HX-Trigger"]
    data = {"name": "production", "action_server_url": "http://actions:5055/webhook"}
    admin.post(f"{PRODUCTION}/edit", data, headers=HTMX)
    assert "http://actions:5055/webhook" in admin.get(PRODUCTION).content.decode()


def test_the_connection_page_shows_secrets_to_who_may_modify_alone(client: Client, production: Environment):
    token = decrypt(production.model_token_encrypted)
    client.force_login(make_person("annotator"))
    page = client.get(f"{PRODUCTION}/connection").content.decode()
    assert "RASA_X_TOKEN" in page and token not in page
    client.force_login(make_person("admin"))
    assert token in client.get(f"{PRODUCTION}/connection").content.decode()


def test_the_event_table_is_prepared_on_request(admin: Client, production: Environment):
    assert "event_broker" not in _endpoints(admin)
    admin.post(f"{PRODUCTION}/connection/events")
    assert "event_broker" in _endpoints(admin)


def _endpoints(client: Client) -> str:
    page = client.get(f"{PRODUCTION}/connection").content.decode()
    return page.partition("wait_time_between_pulls")[2].partition("</code>")[0]


@pytest.mark.parametrize("page", ["", "/connection"])
def test_who_edits_returns_to_the_page_they_came_from(admin: Client, production: Environment, page: str):
    Environment.objects.update(kind="connected", url="http://127.0.0.1:9")
    came_from = HTMX | {"HX-Current-URL": f"http://testserver{PRODUCTION}{page}"}
    answer = admin.post(f"{PRODUCTION}/edit", {"name": "production", "url": "http://127.0.0.1:8"}, headers=came_from)
    assert answer.headers["HX-Redirect"] == f"{PRODUCTION}{page}"


@pytest.mark.parametrize(
    ("url", "has_port"),
    [("http://rasa:5905", True), ("http://rasa:5005", False), ("http://rasa", False), ("https://rasa:8443", False)],
)
def test_the_start_command_has_the_port_of_the_address(admin: Client, production: Environment, url, has_port):
    Environment.objects.update(kind="connected", url=url)
    assert ("--port" in admin.get(f"{PRODUCTION}/connection").content.decode()) is has_port
