from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from conversations.chat.links import create_link
from conversations.models import Conversation, ShareLink, TalkSession
from conversations.views.guest import COOKIE
from environments.models import Environment
from studio.crypto import decrypt
from studio.web.ratelimit import Window
from tests.conversations.events import small_talk
from tests.conversations.fake_channel import Channel
from tests.conversations.guest_fixtures import page, say
from tests.factories import make_person
from tests.rasa.servers import Reply

__all__ = ["page"]


@pytest.fixture
def link(environment: Environment, channel: Channel) -> ShareLink:
    return create_link(actor=make_person(), environment=environment, name="friends of Anna", greeting="Welcome!")


def test_a_guest_needs_no_account(client: Client, page: str):
    response = client.get(page)
    assert response.status_code == 200
    assert "Welcome!" in response.content.decode()
    assert "friends of Anna" not in response.content.decode(), "the link's name is for the team"


def test_nothing_of_it_is_for_search_engines_or_caches(client: Client, page: str):
    say(client, page)
    for response in (client.get(page), say(client, page), client.get(f"{page}/news")):
        assert "noindex" in response["X-Robots-Tag"]
        assert "no-store" in response["Cache-Control"]
    assert '<meta name="robots" content="noindex' in client.get(page).content.decode()


def test_a_guest_talks_and_the_conversation_carries_the_link(
    client: Client, page: str, link: ShareLink, channel: Channel, stored
):
    assert "Hello!" in say(client, page).json()["html"]
    session = TalkSession.objects.get()
    assert channel.heard == [(session.sender_id, "hi")]
    stored(*small_talk(sender=session.sender_id))
    conversation = Conversation.objects.get()
    assert (conversation.origin, conversation.share_link) == (Conversation.Origin.SHARE, link)


def test_the_chat_survives_a_reload(client: Client, page: str, stored):
    say(client, page)
    stored(*small_talk(sender=TalkSession.objects.get().sender_id))
    assert "Hello!" in client.get(page).content.decode()
    say(client, page, "and again")
    assert TalkSession.objects.count() == 1


def test_the_cookie_opens_this_chat_alone_and_no_script_reads_it(client: Client, page: str):
    cookie = say(client, page).cookies[COOKIE]
    assert cookie["path"] == page
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    session = TalkSession.objects.get()
    assert session.guest is not None
    assert cookie.value.encode() not in bytes(session.guest.secret_digest)
    assert cookie.value not in session.sender_id


def test_the_id_of_another_session_is_refused(client: Client, page: str, channel: Channel):
    other = say(Client(), page).json()["conversation"]
    for guest in (client, Client()):
        response = say(guest, page, conversation=other)
        assert response.status_code == 403
        assert "another window" in response.json()["error"]
    say(client, page)
    assert client.get(f"{page}/news", {"conversation": other}).status_code == 403
    assert say(client, page, conversation=other).status_code == 403
    assert [speaker for speaker, _ in channel.heard].count(other) == 1


def test_another_links_cookie_opens_nothing(client: Client, page: str, environment: Environment):
    second = create_link(actor=make_person(), environment=environment, name="second")
    say(client, page)
    stranger = Client()
    stranger.cookies[COOKIE] = client.cookies[COOKIE].value
    assert stranger.get(f"/s/{decrypt(second.code_encrypted)}/news").status_code == 410


def test_starting_over_begins_another_conversation(client: Client, page: str, channel: Channel):
    say(client, page)
    response = client.post(f"{page}/again")
    assert response.url == page
    say(client, page)
    (first, _), (second, _) = channel.heard
    assert first != second


def test_news_are_the_guests_own(client: Client, page: str, stored):
    say(client, page)
    stored(*small_talk(sender=TalkSession.objects.get().sender_id))
    [turn] = client.get(f"{page}/news", {"after": "0"}).json()["turns"]
    assert turn["said"] == ["Hello!"]
    assert Client().get(f"{page}/news").status_code == 410


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"is_on": False}, "taking a break"),
        ({"expires_at": timezone.now()}, "has ended"),
        ({"revoked_at": timezone.now()}, "has ended"),
    ],
)
def test_a_closed_link_shows_a_friendly_page(
    client: Client, page: str, link: ShareLink, channel: Channel, change: dict[str, Any], sentence: str
):
    say(client, page)
    ShareLink.objects.filter(pk=link.pk).update(**change)
    response = client.get(page)
    assert response.status_code == 410
    assert sentence in response.content.decode()
    assert say(client, page).status_code == 410
    assert client.get(f"{page}/news").status_code == 410
    assert len(channel.heard) == 1


def test_an_unknown_code_is_not_found(client: Client, db: None, redis_client: object):
    assert client.get("/s/AAAAAAAAAAAAAAAAAAAAAA").status_code == 404
    assert say(client, "/s/AAAAAAAAAAAAAAAAAAAAAA").status_code == 404


def test_an_address_that_guesses_codes_has_to_wait_and_its_neighbours_chat_on(
    client: Client, page: str, channel: Channel, redis_client: object, monkeypatch
):
    monkeypatch.setattr("conversations.views.door.CODE_GUESSES", Window("share-code-guesses", most=2, seconds=600))
    assert [client.get(f"/s/wrong-{number}").status_code for number in range(3)] == [404, 404, 429]
    assert 0 < int(client.get("/s/wrong")["Retry-After"]) <= 600
    assert client.get(page).status_code == 200
    assert say(client, page).status_code == 200


def test_guests_learn_nothing_of_what_failed(client: Client, page: str, channel: Channel):
    channel.reply = Reply(500, {})
    response = say(client, page)
    assert response.status_code == 503
    assert response.json()["error"].startswith("The assistant cannot be reached")
    assert "Rasa" not in response.content.decode()
    channel.reply = None
    say(client, page, conversation=response.json()["conversation"])
    assert TalkSession.objects.count() == 1, "the next try belongs to the same conversation"


def test_guests_see_no_payloads_for_programs(client: Client, page: str, channel: Channel):
    channel.replies = [{"custom": {"internal": "id-7"}}, {"text": "Here you are."}]
    html = say(client, page).json()["html"]
    assert "id-7" not in html
    assert "Here you are." in html


@pytest.mark.parametrize(
    "limit", ["LINK_MESSAGES_A_MINUTE", "ADDRESS_MESSAGES_A_MINUTE", "ADDRESS_CONVERSATIONS_AN_HOUR"]
)
def test_floods_are_slowed_down(page: str, monkeypatch, limit: str):
    monkeypatch.setattr(f"conversations.chat.guests.{limit}", 2)
    assert [say(Client(), page).status_code for _ in range(3)] == [200, 200, 429]


def test_a_guests_form_from_elsewhere_is_refused(page: str, channel: Channel):
    strict = Client(enforce_csrf_checks=True)
    assert say(strict, page).status_code == 403
    strict.get(page)
    token = strict.cookies[next(name for name in strict.cookies if name.startswith("parley_csrf"))].value
    assert say(strict, page, csrfmiddlewaretoken=token).status_code == 200
    assert len(channel.heard) == 1
