"""Chat by the API: as oneself, and as a guest with a chat token."""

import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from django.db import connection
from django.test import Client

from conversations.api.guests import ALGORITHM, AUDIENCE, _key
from conversations.chat import links
from conversations.models import ShareGuest, ShareLink, TalkSession
from environments.models import Environment
from models_app.models import Assistant
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.conversations.api import Api, api_of
from tests.factories import environment_of, make_assistant
from tests.rasa.servers import Reply

pytestmark = pytest.mark.django_db


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("default")


@pytest.fixture
def environment(cafe) -> Environment:
    return environment_of(cafe)


@pytest.fixture
def api(cafe, redis_client) -> Api:
    return api_of("tester")


def test_a_message_is_answered_as_rasas_channels_do(api, channel) -> None:
    channel.replies = [{"recipient_id": "x", "text": "Hello!", "buttons": [{"title": "Book", "payload": "/book"}]}]
    answer = api.post("/chat?environment=production", {"message": "hi"})
    session = TalkSession.objects.get()
    assert answer.json() == [
        {"recipient_id": session.sender_id, "text": "Hello!", "buttons": [{"title": "Book", "payload": "/book"}]}
    ]
    assert answer["X-Conversation-Id"] == session.sender_id
    assert channel.heard == [(session.sender_id, "hi")]
    assert (session.person, session.first_text) == (api.person, "hi")


def test_a_conversation_goes_on_until_a_new_one_is_asked_for(api, channel) -> None:
    api.post("/chat", {"message": "one"})
    api.post("/projects/default/chat", {"message": "two"})
    other = api.post("/chat", {"message": "three", "is_new": True})["X-Conversation-Id"]
    api.post("/chat", {"message": "four", "conversation_id": other})
    api.post(f"/conversations/{other}/messages", {"message": "five"})
    first, second, third, fourth, fifth = (speaker for speaker, _text in channel.heard)
    assert first == second != third == fourth == fifth


def test_nobody_speaks_in_somebody_elses_conversation(api, channel) -> None:
    begun = api_of("admin").post("/chat", {"message": "hi"})["X-Conversation-Id"]
    assert api.post("/chat", {"message": "hi", "conversation_id": begun}).status_code == 404
    assert api.post(f"/conversations/{begun}/messages", {"message": "hi"}).status_code == 404
    assert len(channel.heard) == 1


@pytest.mark.parametrize("how", ["header", "nonce"])
def test_the_same_message_is_said_once(api, channel, how) -> None:
    body = {"message": "hi"} | ({"nonce": "n1"} if how == "nonce" else {})
    headers = {"Idempotency-Key": "n1"} if how == "header" else {}
    answers = [api.post("/chat", body, **headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json() != []
    assert len(channel.heard) == 1


def test_a_new_conversation_that_comes_twice_is_the_first(api, channel) -> None:
    body = {"message": "hi", "is_new": True, "nonce": "n1"}
    first, second = (api.post("/chat", body) for _ in range(2))
    assert (second.json(), second["X-Conversation-Id"]) == (first.json(), first["X-Conversation-Id"])
    assert TalkSession.objects.get().sender_id == first["X-Conversation-Id"]
    api.post("/chat", {"message": "else", "is_new": True})
    late = api.post("/chat", {"message": "hi", "nonce": "n1"})  # the last conversation is another one by now
    assert late["X-Conversation-Id"] == first["X-Conversation-Id"]


def test_a_word_stands_for_one_message_in_one_place(api, channel) -> None:
    mine = api.post("/chat", {"message": "hi", "nonce": "n1"})["X-Conversation-Id"]
    for more in ({"message": "ho"}, {"message": "hi", "conversation_id": mine}):
        answer = api.post("/chat", {"nonce": "n1", **more})
        assert (answer.status_code, answer.json()["reason"]) == (409, "Reused")
    api.post("/chat", {"message": "hi", "nonce": "n2", "conversation_id": mine})
    assert api.post("/chat", {"message": "hi", "nonce": "n2", "conversation_id": mine}).status_code == 200
    assert len(channel.heard) == 2


def test_nothing_is_answered_until_a_model_is_loaded(api, channel) -> None:
    channel.replies, channel.has_model = [], False
    assert api.post("/chat", {"message": "hi"}).json() == []


def test_a_server_of_ours_that_waits_for_its_first_model_answers_nothing(api, cafe) -> None:
    Environment.objects.update(kind=Environment.Kind.MANAGED)
    assert api.post("/chat", {"message": "hi"}).json() == []


def test_why_nobody_answers_is_told(api, cafe, channel) -> None:
    unset = api.post("/chat?environment=worker", {"message": "hi"})
    assert (unset.status_code, unset.json()["reason"]) == (409, "NoServer")
    channel.reply = Reply(500, {})
    assert api.post("/chat", {"message": "hi"}).status_code == 502
    assert api.post("/chat?environment=none", {"message": "hi"}).status_code == 404
    assert api.post("/chat?model=none", {"message": "hi"}).status_code == 404
    for message in ("", "  ", "x" * 5000, '/inform{"x"'):
        assert api.post("/chat", {"message": message}).status_code == 422
    assert api.post("/chat", {}).status_code == 422
    assert Client().post("/api/chat", {"message": "hi"}, content_type="application/json").status_code == 401


def test_what_was_said_is_taken_back(api, channel) -> None:
    channel.memory = {}
    mine = api.post("/chat", {"message": "hi"})["X-Conversation-Id"]
    api.post("/chat", {"message": "a table please"})
    path = f"/conversations/{mine}/rewind"
    assert api.post(path).json() == {"text": "a table please", "messages": 1}
    first = next(one for one in channel.memory[mine] if one["event"] == "user")
    assert api.post(path, {"timestamp": first["timestamp"]}).json() == {"text": "hi", "messages": 1}
    assert api.post(path).status_code == 409
    assert api_of("admin").post(path).status_code == 404
    channel.server.replies[f"/conversations/{mine}/tracker"] = Reply(500, {})
    assert api.post(path).status_code == 502


def test_what_is_taken_back_under_one_word_is_taken_back_once(api, channel) -> None:
    channel.memory = {}
    path = f"/conversations/{api.post('/chat', {'message': 'one'})['X-Conversation-Id']}/rewind"
    api.post("/chat", {"message": "two"})
    answers = [api.post(path, **{"Idempotency-Key": "k1"}).json() for _ in range(2)]
    assert answers == [{"text": "two", "messages": 1}] * 2
    tracker = path.replace("/rewind", "/tracker")
    kept, channel.server.replies[tracker] = channel.server.replies[tracker], Reply(500, {})
    assert api.post(path, **{"Idempotency-Key": "k2"}).status_code == 502
    channel.server.replies[tracker] = kept
    assert api.post(path, **{"Idempotency-Key": "k2"}).json() == {"text": "one", "messages": 1}


def test_a_flood_is_slowed_down(api, channel, monkeypatch) -> None:
    monkeypatch.setattr("conversations.chat.talking.MESSAGES_A_MINUTE", 1)
    assert [api.post("/chat", {"message": "hi"}).status_code for _ in range(2)] == [200, 429]


# --- Guests -----------------------------------------------------------------------------------------------------------


def guest(token: str, conversation: str = "web-1", **more: str):
    body = {"conversation_id": conversation, "chat_token": token, **more}
    return Client().post("/api/auth/jwt", body, content_type="application/json")


def say(jwt: str, message: str = "hi", path: str = "/api/chat", **more: str):
    headers = {"Authorization": f"Bearer {jwt}"}
    return Client().post(path, {"message": message, **more}, content_type="application/json", headers=headers)


@pytest.fixture
def admin(cafe, redis_client) -> Api:
    return api_of("admin")


@pytest.fixture
def token(admin) -> str:
    return admin.put("/chatToken", {"bot_name": "Otter", "description": "Ask for a table"}).json()["chat_token"]


def test_the_chat_token_is_the_code_of_a_share_link(admin) -> None:
    before = admin.get("/chatToken").json()
    assert before == {"chat_token": "", "bot_name": "Café", "description": "", "expires": None}
    made = admin.put("/chatToken", {"bot_name": "Otter", "description": "Ask for a table"}).json()
    assert admin.get("/chatToken").json() == made
    link = ShareLink.objects.get()
    assert (link.name, link.greeting) == ("API: Otter", "Ask for a table")
    end = int(time.time()) + 1000
    changed = admin.put("/chatToken", {"expires": end}).json()
    assert changed == {**made, "expires": float(end)}
    assert admin.put("/chatToken", {"expires": 5}).status_code == 422
    assert AuditEvent.objects.filter(action=Action.SHARE_LINK_CHANGED).count() == 1
    assert api_of("tester").get("/chatToken").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_two_first_changes_at_once_one_makes_the_chat_token(admin, monkeypatch) -> None:
    def put(_: int) -> str:
        try:
            return str(admin.put("/chatToken", {"bot_name": "Otter"}).json()["chat_token"])
        finally:
            connection.close()

    monkeypatch.setattr(links, "_refuse_past", lambda _: time.sleep(0.3))  # long enough for the other to look
    with ThreadPoolExecutor(2) as pool:
        codes = set(pool.map(put, range(2)))
    assert (len(codes), ShareLink.objects.count()) == (1, 1)


def test_a_guest_chats_in_one_conversation_and_nowhere_else(token, channel) -> None:
    jwt = guest(token).json()["jwt_token"]
    assert say(jwt).json() == [{"recipient_id": "web-1", "text": "Hello!"}]
    assert say(jwt, conversation_id="web-1").status_code == 200
    assert say(jwt, conversation_id="web-2").status_code == 403
    assert len({speaker for speaker, _ in channel.heard}) == 1
    session = TalkSession.objects.get()
    assert (session.person, session.share_link.name) == (None, "API: Otter")
    headers = {"Authorization": f"Bearer {jwt}"}
    for path in ("/api/user", "/api/conversations", "/api/projects/default/share", "/api/chatToken"):
        assert Client().get(path, headers=headers).status_code == 401
    assert say(jwt, path="/api/projects/default/conversations/x/messages").status_code == 401


@pytest.mark.parametrize("name", ["web\n1", "Zoë", "\x7f"])
def test_a_guests_conversation_has_a_name_that_a_header_can_hold(token, channel, name) -> None:
    assert guest(token, name).status_code == 422


def test_a_name_of_a_token_from_before_is_told_percent_encoded(token, channel) -> None:
    claims = jwt.decode(guest(token).json()["jwt_token"], _key(), algorithms=[ALGORITHM], audience=AUDIENCE)
    former = jwt.encode({**claims, "conversation_id": "Zoë\n1"}, _key(), algorithm=ALGORITHM)
    answer = say(former)
    assert (answer.status_code, answer["X-Conversation-Id"]) == (200, "Zo%C3%AB%0A1")
    assert answer.json()[0]["recipient_id"] == "Zoë\n1"


def test_two_guests_of_the_same_name_do_not_share_a_conversation(token, channel) -> None:
    for _ in range(2):
        say(guest(token).json()["jwt_token"])
    assert len({speaker for speaker, _ in channel.heard}) == 2


def test_a_token_ends_with_its_link(token, admin, channel) -> None:
    jwt = guest(token).json()["jwt_token"]
    number = admin.get("/projects/default/share").json()[0]["number"]
    assert admin.put(f"/projects/default/share/{number}", {"password": "open sesame"}).status_code == 200
    assert say(jwt).status_code == 401
    assert guest(token).status_code == 403
    assert guest(token, password="wrong one").status_code == 403
    inside = guest(token, password="open sesame").json()["jwt_token"]
    assert say(inside).status_code == 200
    assert admin.delete(f"/projects/default/share/{number}").status_code == 204
    assert say(inside).status_code == 401
    assert guest(token, password="open sesame").status_code == 401


def test_limits_of_the_link_hold_for_guests_of_the_api(token, channel) -> None:
    first, second = (guest(token).json()["jwt_token"] for _ in range(2))
    ShareLink.objects.update(visitors_limit=1, messages_limit=2)
    assert [say(first).status_code for _ in range(3)] == [200, 200, 400]
    assert say(first).json()["reason"] == "Enough"
    assert say(second).json()["reason"] == "Full"
    assert guest(token).json()["reason"] == "Full"


def test_what_was_not_heard_does_not_count(token, channel) -> None:
    jwt = guest(token).json()["jwt_token"]
    channel.reply = Reply(500, {})
    assert say(jwt).status_code == 502
    assert ShareGuest.objects.get().messages_count == 0


def test_the_same_message_of_a_guest_is_said_once(token, channel) -> None:
    jwt = guest(token).json()["jwt_token"]
    assert say(jwt, nonce="n").json() == say(jwt, nonce="n").json()
    assert say(jwt, "ho", nonce="n").status_code == 409
    assert len(channel.heard) == 1


@pytest.mark.parametrize("code", ["wrong", "ä" * 200])
def test_a_wrong_chat_token_opens_nothing(cafe, redis_client, code) -> None:
    assert guest(code).status_code == 401


def test_guessing_chat_tokens_is_slowed_down(cafe, redis_client, monkeypatch) -> None:
    statuses = [guest(f"wrong-{number}").status_code for number in range(31)]
    assert (statuses[0], statuses[-1]) == (401, 429)
