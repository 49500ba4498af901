"""Addresses that people type in cannot be used to read what only this machine reaches. More: tests/rasa/test_outgoing.py."""

import socket

import pytest

from environments.forms import ManagedForm, TryingForm
from environments.models import Environment
from environments.services.checks import check_server
from environments.services.environments import update_environment
from studio.errors import Invalid
from studio.web import outgoing
from tests.environments.api_client import Program
from tests.environments.test_checks import connect
from tests.factories import environment_of, make_assistant, make_person
from tests.rasa.servers import Reply, SmallServer

PRIVATE = [
    "127.0.0.1",
    "127.1",
    "127.000.000.001",
    "0177.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0",
    "0.0.0.0",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[64:ff9b::127.0.0.1]",
    "169.254.169.254",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "[2002:7f00:1::]",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_no_spelling_of_a_private_address_is_connected_to(host, monkeypatch) -> None:
    def connect(*args, **kwargs):
        raise AssertionError(f"connected to {args}")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises((outgoing.ForbiddenHost, outgoing.UnknownHost, outgoing.MalformedAddress)):
        outgoing.request("GET", f"http://{host}:8080/", hosts=[])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://rasa.example.com",
        "gopher://rasa.example.com",
        "dict://rasa.example.com",
        "unix:///run/redis.sock",
        "//rasa.example.com",
        "http://user:password@rasa.example.com",
        "http://rasa.example.com@127.0.0.1",
    ],
)
def test_only_plain_web_addresses_are_called(url) -> None:
    with pytest.raises(outgoing.MalformedAddress):
        outgoing.request("GET", url, hosts=["*"])


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 9092, 11211, 27017])
def test_ports_of_other_services_are_not_called_even_on_listed_hosts(port) -> None:
    with pytest.raises(outgoing.MalformedAddress, match=f"{port} is not a port of a web server"):
        outgoing.request("GET", f"http://localhost:{port}/", hosts=["localhost"])


def test_neither_are_those_of_our_own_database_and_redis(settings) -> None:
    settings.REDIS_URL = "redis://localhost:40123/0"
    with pytest.raises(outgoing.MalformedAddress):
        outgoing.request("GET", "http://localhost:40123/", hosts=["localhost"])


def test_a_name_that_answers_differently_the_second_time_gains_nothing(monkeypatch) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    asked, connected = [], []

    def resolve(name, port, *args, **kwargs):
        asked.append(name)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address, *args, **kwargs):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outgoing.Refused):
        outgoing.request("GET", "http://rebinding.example.com:8080/", hosts=[])
    assert connected == [("93.184.216.34", 8080)] and len(asked) == 1
    with pytest.raises(outgoing.ForbiddenHost):
        outgoing.request("GET", "http://rebinding.example.com:8080/", hosts=[])
    assert len(connected) == 1


def test_a_name_with_a_public_and_a_private_address_leads_to_the_public_one_alone(monkeypatch) -> None:
    connected = []

    def resolve(name, port, *args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("127.0.0.1", "93.184.216.34")]

    def connect(address, *args, **kwargs):
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outgoing.Refused):
        outgoing.request("GET", "http://both.example.com:8080/", hosts=[])
    assert connected == ["93.184.216.34"]


def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    server = SmallServer()
    try:
        server.replies["/a"] = Reply(302, "", {"Location": f"{server.url}/secret"})
        assert outgoing.request("GET", f"{server.url}/a", hosts=["127.0.0.1"]).status == 302
        assert [seen.path for seen in server.seen] == ["/a"]
    finally:
        server.close()


def test_a_compressed_answer_is_capped_as_it_unpacks() -> None:
    import gzip

    server = SmallServer()
    bomb = gzip.compress(b"0" * 5_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    try:
        server.replies["/a"] = Reply(raw=lambda handler: handler.wfile.write(head + bomb))
        with pytest.raises(outgoing.TooLarge):
            outgoing.request("GET", f"{server.url}/a", hosts=["127.0.0.1"], limit=100_000)
    finally:
        server.close()


@pytest.mark.django_db
def test_an_environment_at_a_private_address_says_which_setting_would_allow_it(settings) -> None:
    settings.RASA_HOSTS = []
    production = environment_of(make_assistant("cafe"))
    connected = connect(production, "http://169.254.169.254", "secret")
    assert any("PARLEY_RASA_HOSTS" in check.text for check in check_server(connected))


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[::1]:5055/webhook", "http://localhost:5055"])
def test_no_rasa_of_ours_is_sent_to_a_private_action_server(settings, url) -> None:
    settings.RASA_HOSTS = []
    for form in (ManagedForm({"name": "worker", "action_server_url": url}), TryingForm({"action_server_url": url})):
        assert "PARLEY_RASA_HOSTS" in str(form.errors["action_server_url"])


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["environments/worker", "settings/trying"])
def test_nor_by_the_api_with_a_name_of_it(settings, path) -> None:
    settings.RASA_HOSTS = []
    make_assistant("cafe")
    admin = Program(make_person("admin"))
    body = {"start_after_training": False, "action_server_url": "http://localhost:5055/webhook"}
    answer = admin.put(f"/projects/cafe/{path}", body)
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "action_server_url")
    assert not Environment.objects.exclude(action_server_url="").exists()


@pytest.mark.django_db
def test_nor_by_a_service_that_no_form_stands_before(settings) -> None:
    settings.RASA_HOSTS = []
    production = environment_of(make_assistant())
    with pytest.raises(Invalid, match="PARLEY_RASA_HOSTS"):
        update_environment(actor=None, environment=production, action_server_url="http://169.254.169.254/x")


@pytest.mark.django_db
def test_no_password_is_kept_within_an_address() -> None:
    production = environment_of(make_assistant())
    with pytest.raises(Invalid, match="user name or password"):
        update_environment(actor=None, environment=production, url="http://me:s3cret@rasa.example.com")
