import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from conversations.forms.messages import LONGEST_MESSAGE
from conversations.models import Conversation, TalkSession
from environments.models import Environment, ManagedServer
from environments.services import slots
from environments.services.promotion import promote
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import Scope
from studio.crypto import encrypt
from studio.jobs import heartbeat
from tests.conversations.events import action, bot, small_talk, user
from tests.conversations.fake_channel import TOKEN, Channel, say
from tests.environments.polling import Poller
from tests.factories import environment_of, make_model, make_person
from tests.rasa.servers import Reply


@pytest.fixture(autouse=True)
def _fresh_redis(redis_client: object) -> None:
    """Limits and messages said before are counted there."""


def test_talk_opens_where_an_answer_is_likeliest(client: Client, assistant: Assistant, person: User):
    worker = environment_of(assistant, "worker")
    Environment.objects.filter(pk=worker.pk).update(kind=Environment.Kind.CONNECTED, url="http://127.0.0.1:9")
    assert client.get(f"/a/{assistant.slug}/talk/").url == f"/a/{assistant.slug}/talk/worker/"
    chosen = client.get(f"/a/{assistant.slug}/talk/?environment=production")
    assert chosen.url == f"/a/{assistant.slug}/talk/production/"


def test_only_environments_where_one_may_talk_are_offered(client: Client, assistant: Assistant):
    worker = environment_of(assistant, "worker")
    client.force_login(make_person("tester", Scope(assistant.pk, worker.pk)))
    page = client.get(f"/a/{assistant.slug}/talk/worker/").content.decode()
    assert "talk/worker/" in page
    assert "talk/production/" not in page
    assert client.get(f"/a/{assistant.slug}/talk/production/").status_code == 404


def test_the_first_word_begins_a_conversation_with_an_address_of_its_own(
    client: Client, base: str, channel: Channel, person: User
):
    client.get(base)
    assert not TalkSession.objects.exists()
    answer = say(client, f"{base}say").json()
    session = TalkSession.objects.get()
    assert answer["said"] == ["Hello!"]
    assert "Hello!" in answer["html"]
    assert answer["addresses"]["page"] == f"{base}{session.sender_id}"
    assert channel.heard == [(session.sender_id, "hi")]
    assert (session.person, session.first_text) == (person, "hi")
    assert len(session.sender_id) >= len("talk-") + 32


def test_every_new_talk_is_a_conversation_of_its_own(client: Client, base: str, channel: Channel):
    say(client, f"{base}say")
    say(client, f"{base}say")
    (first, _), (second, _) = channel.heard
    assert first != second


def test_a_talk_goes_on_under_its_address_and_is_listed(client: Client, base: str, channel: Channel):
    addresses = say(client, f"{base}say", "a table please").json()["addresses"]
    say(client, addresses["say"], "/restart")
    assert len({speaker for speaker, _ in channel.heard}) == 1
    page = client.get(base).content.decode()
    assert addresses["page"] in page
    assert "a table please" in page


def test_buttons_pictures_and_payloads_are_shown(client: Client, base: str, channel: Channel):
    channel.replies = [
        {"text": "What now?", "buttons": [{"title": "Book", "payload": "/book"}]},
        {"image": "https://cafe.example/menu.png"},
        {"custom": {"map": "52.5,13.4"}},
    ]
    html = say(client, f"{base}say").json()["html"]
    assert 'data-payload="/book"' in html
    assert 'src="https://cafe.example/menu.png"' in html
    assert "52.5,13.4" in html


def test_what_the_assistant_says_is_text_and_never_markup(client: Client, base: str, channel: Channel):
    channel.replies = [{"text": "<script>alert(1)</script>"}]
    assert "<script>" not in say(client, f"{base}say").json()["html"]


def test_the_browser_learns_neither_address_nor_token(client: Client, base: str, channel: Channel):
    answer = say(client, f"{base}say")
    channel.server.close()
    failed = say(client, answer.json()["addresses"]["say"])
    for text in (client.get(base).content, client.get(f"{base}server").content, answer.content, failed.content):
        assert str(channel.server.port).encode() not in text
        assert TOKEN.encode() not in text


@pytest.mark.parametrize(
    ("reply", "code", "sentence"),
    [
        (Reply(500, {}), "failed", "could not check our signature"),
        (Reply(404, "Not Found"), "no-channel", "no `rasa` channel"),
        (Reply(401, {}), "not-allowed", "Begin a new one"),
        (Reply(502, "Bad Gateway"), "refused", "Start it"),
        (Reply(200, {"not": "a list"}), "not-rasa", "is not Rasa"),
    ],
)
def test_each_failure_of_the_server_has_its_sentence(
    client: Client, base: str, channel: Channel, reply: Reply, code: str, sentence: str
):
    channel.reply = reply
    response = say(client, f"{base}say")
    assert response.status_code == 502
    assert response.json()["code"] == code
    assert sentence in response.json()["error"].replace("&#x27;", "'")
    assert response.json()["addresses"]["page"], "the next try belongs to the same conversation"


def test_a_server_without_a_model_says_so(client: Client, base: str, channel: Channel):
    channel.replies, channel.has_model = [], False
    assert "no model yet" in say(client, f"{base}say").json()["error"]
    assert "no model yet" in client.get(f"{base}server").content.decode()


def test_a_wrong_server_token_does_not_silence_the_chat(client: Client, base: str, channel: Channel, environment):
    Environment.objects.filter(pk=environment.pk).update(server_token_encrypted=b"")
    channel.replies = []
    response = say(client, f"{base}say")
    assert response.status_code == 200
    assert "said nothing" in response.json()["html"]
    assert "refuses our server token" in client.get(f"{base}server").content.decode()


def test_a_slow_server_is_a_time_out(client: Client, base: str, channel: Channel, monkeypatch):
    def slow(handler: Any) -> None:
        time.sleep(1.0)

    monkeypatch.setattr("conversations.chat.sending.TIMEOUT", 0.3)
    channel.reply = Reply(raw=slow)
    response = say(client, f"{base}say")
    assert response.status_code == 504
    assert "did not answer in time" in response.json()["error"]
    session = TalkSession.objects.get()
    assert session.first_text == "hi", "it may have been heard, so it is listed"
    assert session.answered_at is None, "nobody waits for the events of an answer that did not come"


def test_a_connection_that_breaks_leaves_it_open_whether_the_message_was_heard(
    client: Client, base: str, channel: Channel
):
    channel.reply = Reply(raw=lambda _handler: None)  # taken, and never answered
    response = say(client, f"{base}say", nonce="n1")
    assert (response.status_code, response.json()["code"]) == (504, "lost")
    assert "not known whether it heard" in response.json()["error"]
    session = TalkSession.objects.get()
    assert response.json()["link"]["url"] == f"{base}{session.sender_id}"
    assert session.first_text == "hi"
    channel.reply = None
    again = say(client, response.json()["addresses"]["say"], nonce="n1")
    assert (again.status_code, again.json()["code"]) == (409, "twice")
    assert len(channel.heard) == 1


def test_what_never_reached_the_server_may_be_said_again(client: Client, base: str, channel: Channel, monkeypatch):
    def silent(*_args: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr("studio.web.outgoing.socket.create_connection", silent)
        assert say(client, f"{base}say", nonce="n1").json()["code"] == "unreachable"
    assert say(client, f"{base}say", nonce="n1").status_code == 200


@pytest.mark.parametrize(
    ("what", "then"), [("views.talk.begin_talk", 200), ("views.messages.answer_json", 409)], ids=["before", "after"]
)
def test_an_error_of_ours_leaves_no_message_under_way(
    client: Client, base: str, channel: Channel, monkeypatch, what: str, then: int
):
    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(f"conversations.{what}", fail)
        say(client, f"{base}say", nonce="n1")
    again = say(client, f"{base}say", nonce="n1")
    assert again.status_code == then
    assert again.json().get("code") == (None if then == 200 else "twice")


def test_an_environment_without_a_server_says_so(client: Client, base: str):
    response = say(client, f"{base}say")
    assert response.status_code == 503
    assert "not set up" in response.json()["error"]
    assert "not set up" in client.get(f"{base}server").content.decode()


def test_a_server_that_asks_for_no_token_is_a_warning(client: Client, base: str, channel: Channel):
    status = {"model_file": "m.tar.gz", "model_id": "m", "num_active_training_jobs": 0}
    channel.server.replies["/status"] = Reply(body=status)
    assert "asks for no token" in client.get(f"{base}server").content.decode()


def test_a_model_that_did_not_load_is_not_what_answers(
    client: Client, base: str, channel: Channel, environment, django_capture_on_commit_callbacks
):
    poller = Poller(Client(), environment, name="rasa-1")
    for name, loads in (("otter", True), ("broken", False)):
        with django_capture_on_commit_callbacks(execute=True):
            promote(actor=None, environment=environment, model=make_model(environment.assistant, name))
        poller.loads = loads
        for _ in range(4):
            poller.poll()
    told = client.get(f"{base}server").content.decode()
    assert f"broken did not load in {environment.name}: the model before it answers." in told


def test_the_same_message_sent_twice_is_said_once(client: Client, base: str, channel: Channel):
    assert say(client, f"{base}say", nonce="n1").status_code == 200
    again = say(client, f"{base}say", nonce="n1")
    assert (again.status_code, again.json()["said"], again.json()["repeated"]) == (200, ["Hello!"], True)
    assert len(channel.heard) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "Write something"), ("   ", "Write something"), ("x" * (LONGEST_MESSAGE + 1), "too long")],
)
def test_nothing_and_too_much_are_refused(client: Client, base: str, channel: Channel, text: str, sentence: str):
    response = say(client, f"{base}say", text)
    assert response.status_code == 422
    assert sentence in response.json()["error"]
    assert not channel.heard


def test_a_flood_is_slowed_down(client: Client, base: str, channel: Channel, monkeypatch):
    monkeypatch.setattr("conversations.chat.talking.MESSAGES_A_MINUTE", 2)
    assert [say(client, f"{base}say").status_code for _ in range(3)] == [200, 200, 429]


def test_nobody_speaks_in_somebody_elses_conversation(client: Client, base: str, channel: Channel):
    addresses = say(client, f"{base}say").json()["addresses"]
    client.force_login(make_person("tester"))
    assert client.get(addresses["page"]).status_code == 404
    assert client.get(addresses["news"]).status_code == 404
    assert say(client, addresses["say"]).status_code == 404
    assert len(channel.heard) == 1


def test_whoever_may_view_it_is_led_to_the_conversation(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    sender = TalkSession.objects.get().sender_id
    stored(*small_talk(sender=sender))
    client.force_login(make_person("admin"))
    assert client.get(addresses["page"]).url.endswith(f"/conversations/{Conversation.objects.get().pk}")


def test_news_bring_each_turn_once(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    sender = TalkSession.objects.get().sender_id
    assert client.get(addresses["news"], {"after": "0.0"}).json() == {"turns": [], "conversation": ""}

    stored(*small_talk(sender=sender))
    news = client.get(addresses["news"], {"after": "0.0"}).json()
    [turn] = news["turns"]
    assert (turn["text"], turn["said"], turn["complete"]) == ("hi", ["Hello!"], True)
    assert f"/conversations/{Conversation.objects.get().pk}" in news["conversation"]

    later = bot("Still there?", 1_790_000_100.0, sender=sender)
    stored(later, action("action_listen", 1_790_000_101.0, sender=sender))
    [unasked] = client.get(addresses["news"], {"after": turn["ends_at"]}).json()["turns"]
    assert (unasked["text"], unasked["said"]) == (None, ["Still there?"])


def test_a_turn_that_still_arrives_is_not_complete_and_one_that_stopped_is(
    client: Client, base: str, channel: Channel, stored, time_machine_later
):
    addresses = say(client, f"{base}say").json()["addresses"]
    sender = TalkSession.objects.get().sender_id
    stored(user("hi", 1_790_000_000.0, sender=sender))
    assert [turn["complete"] for turn in client.get(addresses["news"]).json()["turns"]] == [False]
    with time_machine_later(10):
        assert [turn["complete"] for turn in client.get(addresses["news"]).json()["turns"]] == [True]


def test_events_that_are_late_are_explained_by_what_is_wrong(client: Client, base: str, channel: Channel):
    news = say(client, f"{base}say").json()["addresses"]["news"]
    assert "late" not in client.get(news).json()
    assert "no ingest process runs" in client.get(news, {"late": 1}).json()["late"]
    heartbeat.beat("ingest")
    assert "the event broker is not delivering" in client.get(news, {"late": 1}).json()["late"]


def test_who_opens_talk_is_told_of_the_server_and_of_no_message(
    client: Client, base: str, channel: Channel, monkeypatch
):
    def hangs(_seen: object) -> Reply:
        time.sleep(1.0)
        return Reply(body={})

    monkeypatch.setattr("conversations.chat.readiness.SECONDS", 0.3)
    channel.server.replies["/status"] = hangs
    slow = client.get(f"{base}server").content.decode()
    channel.server.close()
    gone = client.get(f"{base}server").content.decode()
    assert "Rasa does not answer now" in slow and "does not run" in gone
    assert "message is kept" not in slow and "the message again" not in slow + gone


def test_a_page_that_opens_again_shows_what_was_said(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    sender = TalkSession.objects.get().sender_id
    stored(*small_talk(sender=sender))
    page = client.get(addresses["page"]).content.decode()
    assert "Hello!" in page
    assert 'data-after="1790000001.3"' in page


def test_without_events_the_page_shows_what_rasa_remembers(client: Client, base: str, channel: Channel):
    addresses = say(client, f"{base}say").json()["addresses"]
    sender = TalkSession.objects.get().sender_id
    events = [user("hi", 1.0), bot("From memory!", 2.0), action("action_listen", 3.0)]
    channel.server.replies[f"/conversations/{sender}/tracker"] = Reply(body={"events": events})
    assert "From memory!" in client.get(addresses["page"]).content.decode()
    channel.server.close()
    assert client.get(addresses["page"]).status_code == 200


def test_the_pages_queries_do_not_grow_with_the_conversation(
    client: Client, base: str, channel: Channel, stored, django_assert_max_num_queries: Any
):
    addresses = say(client, f"{base}say").json()["addresses"]
    sender = TalkSession.objects.get().sender_id
    for start in range(30):
        stored(*small_talk(1_790_000_000.0 + 10 * start, sender=sender))
    with django_assert_max_num_queries(18):
        client.get(addresses["page"])


def test_a_form_from_elsewhere_is_refused(base: str, person: User, channel: Channel):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    assert say(strict, f"{base}say").status_code == 403
    assert not channel.heard


def test_a_message_in_a_conversation_needs_few_queries(
    client: Client, base: str, channel: Channel, django_assert_max_num_queries: Any
):
    addresses = say(client, f"{base}say").json()["addresses"]
    with django_assert_max_num_queries(5):  # session, person, grants, conversation; what was said, after the answer
        assert say(client, addresses["say"]).status_code == 200


def test_a_server_that_runs_here_costs_a_message_no_further_query(
    client: Client, base: str, channel: Channel, environment: Environment, django_assert_max_num_queries: Any
):
    port = urlsplit(channel.server.url).port
    Environment.objects.filter(pk=environment.pk).update(kind=Environment.Kind.MANAGED, url="")
    ManagedServer.objects.update_or_create(
        environment=environment,
        defaults={"state": ManagedServer.State.RUNNING, "port": port, "token_encrypted": encrypt(TOKEN)},
    )
    addresses = say(client, f"{base}say").json()["addresses"]
    with django_assert_max_num_queries(5):
        assert say(client, addresses["say"]).json()["said"] == ["Hello!"]


def test_an_answer_is_shown_also_when_it_cannot_be_noted(client: Client, base: str, channel: Channel, monkeypatch):
    def fail(*_arguments: object) -> None:
        raise OperationalError

    addresses = say(client, f"{base}say").json()["addresses"]
    monkeypatch.setattr("conversations.views.messages.note_answered", fail)
    assert say(client, addresses["say"]).json()["said"] == ["Hello!"]


def test_who_lost_the_permission_is_refused_at_the_next_message(
    client: Client, base: str, channel: Channel, person: User
):
    addresses = say(client, f"{base}say").json()["addresses"]
    person.grants.all().delete()
    assert say(client, addresses["say"]).status_code == 404
    assert client.get(addresses["news"]).status_code == 404
    assert len(channel.heard) == 1


def test_a_conversation_ends_with_its_environment(
    client: Client, base: str, channel: Channel, environment: Environment
):
    addresses = say(client, f"{base}say").json()["addresses"]
    Environment.objects.filter(pk=environment.pk).update(removed_at=timezone.now())
    assert say(client, addresses["say"]).status_code == 404
    assert len(channel.heard) == 1


def test_whoever_may_share_finds_the_dialog_of_a_link_to_this_target(client: Client, assistant: Assistant, base: str):
    client.force_login(make_person("admin"))
    assert f"/a/{assistant.slug}/share/new?environment=production" in client.get(base).content.decode()
    client.force_login(make_person("tester"))
    assert "share/new" not in client.get(base).content.decode()


def test_a_message_to_a_model_that_does_not_run_asks_for_a_slot_and_waits(
    client: Client, assistant: Assistant, person: User
):
    model = make_model(assistant, "otter")
    answer = say(client, f"/a/{assistant.slug}/try/otter/say", nonce="one")
    assert (answer.status_code, answer.json()["code"]) == (202, "waking")
    slot = slots.usable_of(model.pk)
    assert slot is not None
    assert slot.requested_by == person
    held = slots.claim(worker="here")
    assert held is not None
    slots.fail(held, "It does not load.")
    answer = say(client, f"/a/{assistant.slug}/try/otter/say", nonce="one")
    assert answer.status_code == 503
    assert "It does not load." in answer.json()["error"]
    assert not TalkSession.objects.exists()
