"""What each kind of wrong server gets called. Right answers are tested against a real Rasa in test_client_real.py."""

import socket

import pytest

from studio.rasa import client as rasa
from tests.rasa.servers import Reply, SmallServer

HELLO = Reply(body="Hello from Rasa: 3.6.21")


@pytest.fixture
def client(server: SmallServer) -> rasa.RasaClient:
    return rasa.RasaClient(server.url, "right", timeout=2, hosts=["127.0.0.1"])


def test_the_token_is_sent_where_it_is_needed_and_nowhere_else(server, client):
    server.replies["/version"] = Reply(body={"version": "3.6.21", "minimum_compatible_version": "3.6.21"})
    server.replies["/status"] = Reply(body={"model_file": "a.tar.gz", "model_id": "1", "num_active_training_jobs": 0})
    client.version()
    client.status()
    client.is_secured()
    assert [seen.query.get("token") for seen in server.seen] == [None, "right", None]


@pytest.mark.parametrize("address", ["nonsense", "http://nobody.invalid", "http://10.1.2.3", "http://h/?token=x"])
def test_a_wrong_address(address):
    with pytest.raises(rasa.WrongAddress) as problem:
        rasa.RasaClient(address, "right", hosts=[]).version()
    assert "right" not in problem.value.message


def test_nothing_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(rasa.Refused):
            rasa.RasaClient(url, hosts=["127.0.0.1"]).version()


def test_it_does_not_answer_in_time(server):
    server.replies["/version"] = Reply(raw=lambda handler: handler.connection.recv(1))
    with pytest.raises(rasa.TimedOut):
        rasa.RasaClient(server.url, timeout=0.2, hosts=["127.0.0.1"]).version()


def test_it_speaks_no_https(server):
    with pytest.raises(rasa.Unreachable):
        rasa.RasaClient(server.url.replace("http:", "https:"), hosts=["127.0.0.1"]).version()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body="<html>Welcome to nginx</html>"),
        Reply(body=[1, 2]),
        Reply(body={"version": 3}),
        Reply(404, "Not Found"),
        Reply(403, "Forbidden"),
        Reply(301, "", {"Location": "https://other.example/version?token=x"}),
    ],
    ids=["html", "a list", "another object", "nothing there", "forbidden", "a redirect"],
)
def test_something_else_answers(server, client, reply):
    server.replies["/version"] = reply
    with pytest.raises(rasa.NotRasa) as problem:
        client.version()
    assert "token" not in problem.value.message


def test_a_redirect_is_named_so_that_the_final_address_can_be_entered(server, client):
    server.replies["/version"] = Reply(308, "", {"Location": "https://rasa.example/version"})
    with pytest.raises(rasa.NotRasa, match=r"redirects to https://rasa\.example/version"):
        client.version()


def test_a_rasa_without_its_api_is_told_apart_from_a_stranger(server, client):
    server.replies["/"] = HELLO
    with pytest.raises(rasa.ApiDisabled, match="--enable-api"):
        client.version()
    with pytest.raises(rasa.ApiDisabled):
        client.is_secured()


def test_a_wrong_token_and_a_missing_one_get_their_own_words(server, client):
    server.replies["/status"] = Reply(401, {"reason": "NotAuthenticated"})
    with pytest.raises(rasa.WrongToken, match="refuses our token"):
        client.status()
    with pytest.raises(rasa.WrongToken, match="none is entered"):
        rasa.RasaClient(server.url, hosts=["127.0.0.1"]).status()


@pytest.mark.parametrize("status", [200, 409])
def test_a_server_that_answers_without_a_token_is_not_secured_and_not_ours(server, client, status):
    server.replies["/status"] = Reply(status, {"model_file": "a", "model_id": "b"})
    assert not client.is_secured()
    assert not client.is_mine()


@pytest.mark.parametrize("status", [502, 503])
def test_a_proxy_whose_rasa_is_down_is_told_apart_from_a_failing_rasa(server, client, status):
    server.replies["/webhooks/rasa/webhook"] = Reply(status, "Bad Gateway")
    with pytest.raises(rasa.Refused, match="proxy"):
        client.send("jwt", "hello")


def test_a_proxy_that_waited_in_vain_says_that_rasa_may_have_heard_it(server, client):
    server.replies["/webhooks/rasa/webhook"] = Reply(504, "Gateway Timeout")
    with pytest.raises(rasa.TimedOut, match="proxy") as late:
        client.send("jwt", "hello")
    assert late.value.may_have_arrived


def test_a_failing_rasa(server, client):
    server.replies["/status"] = Reply(500, {"message": "boom"})
    with pytest.raises(rasa.ServerError):
        client.status()


def test_a_silent_bot_with_a_model_is_no_error(server, client):
    server.replies["/webhooks/rasa/webhook"] = Reply(body=[])
    server.replies["/status"] = Reply(body={"model_file": "a", "model_id": "b"})
    assert client.send("jwt", "hello") == []


def test_a_silent_bot_without_a_model_is_one(server, client):
    server.replies["/webhooks/rasa/webhook"] = Reply(body=[])
    server.replies["/status"] = Reply(409, {"reason": "Conflict"})
    with pytest.raises(rasa.NoModel):
        client.send("jwt", "hello")


@pytest.mark.parametrize("reply", [Reply(500, {}), Reply(401, {}), Reply(raw=lambda _handler: None)])
def test_a_silent_bot_that_cannot_be_asked_for_its_model_has_heard_the_message(server, client, reply):
    server.replies["/webhooks/rasa/webhook"] = Reply(body=[])
    server.replies["/status"] = reply
    assert client.send("jwt", "hello") == []


def test_a_reply_that_is_no_list_of_messages_is_not_rasas(server, client):
    server.replies["/webhooks/rasa/webhook"] = Reply(body=["hello"])
    with pytest.raises(rasa.NotRasa):
        client.send("jwt", "hello")


def test_a_message_carries_only_what_is_given(server, client):
    server.replies["/webhooks/rasa/webhook"] = Reply(body=[{"text": "hi"}])
    client.send("jwt", "hello", metadata={})
    assert server.seen[0].body == b'{"message": "hello", "metadata": {}}'
    assert server.seen[0].headers["Authorization"] == "Bearer jwt"


@pytest.mark.parametrize("name", ["anna@example.com", "whatsapp:+4930", "a/b", "x;y=1,2!$&'()*~"])
def test_a_conversation_is_asked_for_by_its_id_as_it_is_because_rasa_decodes_none(server, client, name):
    server.replies[f"/conversations/{name}/tracker"] = Reply(body={"events": []})
    assert client.tracker(name) == {"events": []}


@pytest.mark.parametrize("name", ["", "a b", "ünï", "50%25", "a?b", "a#b", "a/../b", "..", "a/./b", "[a]", "a\x00"])
def test_a_conversation_without_an_address_is_not_asked_for(server, client, name):
    with pytest.raises(rasa.CannotBeAsked):
        client.tracker(name)
    assert not server.seen


def test_an_address_under_a_path_works(server):
    server.replies["/rasa/status"] = Reply(409, {})
    assert not rasa.RasaClient(server.url + "/rasa/", hosts=["127.0.0.1"]).status().has_model
