"""The chat in pages of other sites: who may embed it, who the guest is there, and that no cookie counts."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from conversations.chat.links import change_link
from conversations.models import ShareGuest, ShareLink, TalkSession
from conversations.views.door import COOKIE, GUEST_HEADER, PASS_HEADER
from studio.crypto import decrypt
from tests.conversations.events import small_talk
from tests.conversations.fake_channel import Channel
from tests.conversations.guest_fixtures import SITE, link, page, say, set_options
from tests.factories import make_person
from tests.rasa.servers import Reply

__all__ = ["link", "page"]


@pytest.fixture
def frame(link: ShareLink) -> str:
    return f"/share/{decrypt(link.code_encrypted)}"


@pytest.fixture
def strict() -> Client:
    """A browser in whose frame no cookie is kept, so none is sent."""
    return Client(enforce_csrf_checks=True)


def post(client: Client, path: str, data: dict[str, str] | None = None, secret: str = "", **headers: str) -> Any:
    client.cookies.clear()
    return client.post(path, data or {}, headers={GUEST_HEADER: secret, **headers})


def opened(client: Client, frame: str) -> str:
    return post(client, f"{frame}/open").json()["guest"]


def test_exactly_the_named_sites_may_frame_this_page_and_nothing_else(client: Client, frame: str, page: str):
    response = client.get(f"{frame}/chat")
    assert f"frame-ancestors {SITE};" in response["Content-Security-Policy"]
    assert "X-Frame-Options" not in response
    assert not response.cookies
    for other in (client.get(page), client.get("/sign-in")):
        assert "frame-ancestors 'none'" in other["Content-Security-Policy"]
        assert other["X-Frame-Options"] == "DENY"


def test_a_link_on_no_other_site_has_no_frame(client: Client, frame: str, link: ShareLink):
    set_options(link, origins=[])
    assert client.get(f"{frame}/chat").status_code == 404
    assert client.get(f"{frame}/widget.js").status_code == 404
    assert post(client, f"{frame}/open").status_code == 404


def test_the_script_reads_no_cookie_sets_none_and_holds_only_facts(client: Client, frame: str, link: ShareLink):
    link.environment.assistant.title = "</script><script>alert(1)"
    link.environment.assistant.save()
    set_options(link, accent="#7a1f5c", language="de")
    response = client.get(f"{frame}/widget.js")
    assert response["Content-Type"].startswith("text/javascript")
    assert "public" in response["Cache-Control"]
    assert not response.cookies
    facts = json.loads(re.search(r"const facts = (\{.*\});", response.content.decode())[1])  # type: ignore[index]
    assert facts["chat"].endswith(f"{frame}/chat")
    assert (facts["open"], facts["accent"]) == ("Chat öffnen", "#7a1f5c")
    assert "</script" not in response.content.decode()


def test_a_guest_is_known_by_the_header_alone(strict: Client, frame: str, channel: Channel):
    secret = opened(strict, frame)
    answer = post(strict, f"{frame}/say", {"text": "hi"}, secret)
    assert (answer.status_code, "Hello!" in answer.json()["html"]) == (200, True)
    assert not answer.cookies
    assert answer.json()["addresses"]["news"] == f"{frame}/news"
    guest = ShareGuest.objects.get()
    assert guest.is_embedded and guest.session == TalkSession.objects.get()
    assert strict.get(f"{frame}/news", headers={GUEST_HEADER: secret}).status_code == 200
    assert strict.get(f"{frame}/news").status_code == 410
    assert "guest" not in {key for key, value in post(strict, f"{frame}/open", secret=secret).json().items() if value}


def test_cookies_of_the_links_own_page_count_for_nothing_in_a_frame(client: Client, page: str, frame: str):
    say(client, page)
    assert client.get(f"{frame}/news").status_code == 410
    client.post(f"{frame}/say", {"text": "forged by another site's form"})
    first, second = TalkSession.objects.order_by("pk")
    assert first.guest != second.guest, "it became a chat of nobody's, and not of the guest whose cookie came along"


def test_the_header_counts_for_nothing_on_the_links_own_page(client: Client, page: str, frame: str):
    secret = opened(Client(), frame)
    assert client.get(f"{page}/news", headers={GUEST_HEADER: secret}).status_code == 410


@pytest.mark.parametrize("origin", ["https://evil.example.com", SITE, "null"])
def test_a_post_of_another_origin_is_refused(strict: Client, frame: str, channel: Channel, origin: str):
    secret = opened(strict, frame)
    for name in ("open", "say", "rate", "again", "password"):
        answer = post(strict, f"{frame}/{name}", {"text": "hi"}, secret, origin=origin)
        assert answer.status_code == 403, name
    assert not channel.heard
    assert post(strict, f"{frame}/say", {"text": "hi"}, secret, origin="http://testserver").status_code == 200


def test_a_password_is_asked_in_the_frame_too(strict: Client, frame: str, link: ShareLink, channel: Channel):
    change_link(
        actor=make_person(), link=link, environment=link.environment, name=link.name, greeting="", expires_at=None,
        is_on=True, password="open sesame",
    )  # fmt: skip
    assert "This chat has a password" in post(strict, f"{frame}/open").json()["html"]
    assert not ShareGuest.objects.exists()
    wrong = post(strict, f"{frame}/password", {"password": "x"}).json()
    assert "That is not the password" in wrong["html"] and "pass" not in wrong
    shown = {PASS_HEADER: post(strict, f"{frame}/password", {"password": "open sesame"}).json()["pass"]}
    begun = post(strict, f"{frame}/open", **shown).json()
    assert "data-chat" in begun["html"]
    assert post(strict, f"{frame}/say", {"text": "hi"}, begun["guest"]).status_code == 403
    assert post(strict, f"{frame}/say", {"text": "hi"}, begun["guest"], **shown).status_code == 200


def test_the_frame_shows_the_chat_again_and_begins_anew(strict: Client, frame: str, stored):
    secret = opened(strict, frame)
    post(strict, f"{frame}/say", {"text": "hi"}, secret)
    stored(*small_talk(sender=TalkSession.objects.get().sender_id))
    html = post(strict, f"{frame}/open", secret=secret).json()["html"]
    assert "Hello!" in html and "csrfmiddlewaretoken" not in html and f'action="{frame}/again"' in html
    post(strict, f"{frame}/again", secret=secret)
    assert "Hello!" not in post(strict, f"{frame}/open", secret=secret).json()["html"]


@pytest.fixture
def crowded(monkeypatch) -> None:
    """So many came from this address that a guest is met only when they write."""
    monkeypatch.setattr("conversations.chat.guests.ADDRESS_GUESTS_AN_HOUR", 0)


@pytest.mark.usefixtures("crowded")
def test_a_guest_of_a_busy_address_keeps_the_chat(strict: Client, frame: str, channel: Channel):
    assert opened(strict, frame) == ""
    answer = post(strict, f"{frame}/say", {"text": "hi"}).json()
    follow_up = {"text": "go on", "conversation": answer["conversation"]}
    assert post(strict, f"{frame}/say", follow_up, answer["guest"]).status_code == 200
    assert ShareGuest.objects.get().session == TalkSession.objects.get()
    assert "guest" not in post(strict, f"{frame}/say", follow_up, answer["guest"]).json()


@pytest.mark.usefixtures("crowded")
def test_a_repeated_first_message_is_the_same_guests(strict: Client, frame: str, channel: Channel):
    message = {"text": "hi", "nonce": "a1b2c3"}
    lost, again = (post(strict, f"{frame}/say", message).json() for _ in range(2))
    assert (again["guest"], again["repeated"], len(channel.heard)) == (lost["guest"], True, 1)
    assert strict.get(f"{frame}/news", headers={GUEST_HEADER: again["guest"]}).status_code == 200


@pytest.mark.usefixtures("crowded")
def test_who_was_not_answered_is_known_all_the_same(strict: Client, frame: str, channel: Channel):
    channel.reply = Reply(500, {})
    refused = post(strict, f"{frame}/say", {"text": "hi"})
    assert (refused.status_code, ShareGuest.objects.count()) == (503, 1)
    assert strict.get(f"{frame}/news", headers={GUEST_HEADER: refused.json()["guest"]}).status_code == 200


def test_on_the_links_own_page_a_repeat_brings_the_cookie_and_no_secret(page: str, channel: Channel):
    message = {"text": "hi", "nonce": "a1b2c3"}
    lost, browser = Client(), Client()
    say(lost, page, **message)
    answer = say(browser, page, **message)
    assert browser.cookies[COOKIE].value == lost.cookies[COOKIE].value
    assert answer.json()["repeated"] and "guest" not in answer.json()
