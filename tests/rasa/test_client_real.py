"""The client against a real Rasa: every answer that the unit tests make up is one that Rasa really gives."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import jwt
import pytest

from studio.rasa import client as rasa
from studio.rasa import proc
from studio.rasa.signing import chat_token, generate_key_pair
from tests.rasa_fixtures import RunningRasa, running_rasa

pytestmark = pytest.mark.rasa


@pytest.fixture(scope="module")
def empty_server(rasa_processes, tmp_path_factory) -> Iterator[RunningRasa]:
    """A server without a model and without the `rasa` channel."""
    with running_rasa(rasa_processes, tmp_path_factory.mktemp("empty"), credentials="rest:\n") as server:
        yield server


def someone() -> str:
    return f"test-{uuid4().hex[:12]}"


def test_it_tells_its_version(rasa_server):
    assert rasa_server.client.version() == rasa.Version("3.6.21", "3.6.21")


def test_it_tells_which_model_it_runs(rasa_server, trained_model):
    status = rasa_server.client.status()
    assert status.has_model
    assert status.model_file == trained_model.name


def test_it_is_known_to_be_secured_and_to_be_ours(rasa_server):
    assert rasa_server.client.is_secured()
    assert rasa_server.client.is_mine()


def test_a_server_with_another_token_is_not_taken_for_ours(rasa_server):
    stranger = replace(rasa_server.client, token="another")
    assert not stranger.is_mine()
    with pytest.raises(rasa.WrongToken):
        stranger.status()


def test_a_token_never_stands_on_the_command_line(rasa_server):
    started = [one.pid for one in proc.descendants(rasa_server.handle.pid)]
    assert started
    for pid in (rasa_server.handle.pid, *started):
        assert rasa_server.token not in Path(f"/proc/{pid}/cmdline").read_text()


def test_it_answers_on_the_rasa_channel(rasa_server):
    name = someone()
    assert rasa_server.client.has_rasa_channel()
    [reply] = rasa_server.client.send(chat_token(rasa_server.keys.private_pem, name), "/greet")
    assert reply["recipient_id"] == name
    assert reply["text"].startswith(("Hello", "Hi there"))  # its two ways of greeting, chosen by chance
    assert reply["buttons"]
    assert all(button.keys() == {"title", "payload"} for button in reply["buttons"])


def test_speaking_in_another_conversation_needs_the_scope(rasa_server):
    name, conversation = someone(), someone()
    plain = chat_token(rasa_server.keys.private_pem, name)
    with pytest.raises(rasa.NotAllowed):
        rasa_server.client.send(plain, "hello", conversation_id=conversation)
    wide = chat_token(rasa_server.keys.private_pem, name, any_conversation=True)
    [reply] = rasa_server.client.send(wide, "hello", conversation_id=conversation)
    assert reply["recipient_id"] == conversation


def test_channel_and_metadata_arrive_in_the_conversation(rasa_server):
    name = someone()
    token = chat_token(rasa_server.keys.private_pem, name)
    rasa_server.client.send(token, "hello", conversation_id=name, input_channel="share", metadata={"link": "abc"})
    said = [event for event in rasa_server.client.tracker(name)["events"] if event["event"] == "user"]
    assert [(event["text"], event["input_channel"]) for event in said] == [("hello", "share")]


@pytest.mark.parametrize("sign", "@:+/;=,!$&'()*~._-")
def test_a_conversation_whose_id_has_signs_is_found(rasa_server, sign):
    name = f"{someone()}{sign}x"
    rasa_server.client.send(chat_token(rasa_server.keys.private_pem, name), "hello")
    tracker = rasa_server.client.tracker(name)
    assert tracker["sender_id"] == name
    assert [event["text"] for event in tracker["events"] if event["event"] == "user"] == ["hello"]


def test_the_tracker_shows_what_preceded_a_restart(rasa_server):
    name = someone()
    for message in ("hello", "/restart", "bye"):
        rasa_server.client.send(chat_token(rasa_server.keys.private_pem, name), message)
    texts = [event.get("text") for event in rasa_server.client.tracker(name)["events"] if event["event"] == "user"]
    assert texts == ["hello", "/restart", "bye"]


def test_a_key_it_does_not_know_is_a_server_error(rasa_server):
    with pytest.raises(rasa.ServerError):
        rasa_server.client.send(chat_token(generate_key_pair().private_pem, someone()), "hello")


def test_an_expired_token_is_a_server_error(rasa_server):
    claims = {"username": someone(), "scopes": [], "exp": int(time.time()) - 5}
    with pytest.raises(rasa.ServerError):
        rasa_server.client.send(jwt.encode(claims, rasa_server.keys.private_pem, "RS256"), "hello")


def test_a_server_without_a_model_is_reachable_and_says_so(empty_server):
    assert empty_server.client.version().version == "3.6.21"
    assert not empty_server.client.status().has_model
    assert empty_server.client.is_mine()
    with pytest.raises(rasa.NoModel):
        empty_server.client.tracker(someone())


def test_a_server_without_the_rasa_channel_says_so(empty_server):
    assert not empty_server.client.has_rasa_channel()
    with pytest.raises(rasa.NoChatChannel):
        empty_server.client.send(chat_token(empty_server.keys.private_pem, someone()), "hello")
