"""How a link's page looks and speaks, and what it says when the assistant has changed."""

import json
import time
from string import Formatter

import pytest
from django.test import Client

from conversations.chat import once
from conversations.chat.look import checked_accent, contrast, shades, style_of
from conversations.chat.origins import origins_in
from conversations.chat.words import LANGUAGES, spoken, words_of
from conversations.models import ShareGuest, ShareLink
from environments.services.promotion import promote
from studio.errors import Conflict, Invalid
from tests.conversations.fake_channel import Channel
from tests.conversations.guest_fixtures import link, page, say, set_options
from tests.factories import make_model
from tests.rasa.servers import Reply

__all__ = ["link", "page"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_with_the_same_facts(language: str):
    ours, english = words_of(language).sentences, words_of("en").sentences
    assert ours.keys() == english.keys()
    for name, sentence in ours.items():
        assert sentence.strip(), name
        fields = [{field for _, field, _, _ in Formatter().parse(one) if field} for one in (sentence, english[name])]
        assert fields[0] == fields[1], name


@pytest.mark.parametrize(
    ("header", "language"), [("de-CH,de;q=0.9,en;q=0.8", "de"), ("ja,nl;q=0.5", "nl"), ("ja", "en"), ("", "en")]
)
def test_the_page_speaks_as_the_browser_asks(header: str, language: str):
    assert spoken(header) == language


def test_a_link_speaks_its_own_language_to_everybody(client: Client, page: str, link: ShareLink):
    assert '<html lang="fr"' in client.get(page, headers={"accept-language": "fr"}).content.decode()
    set_options(link, language="es")
    text = client.get(page, headers={"accept-language": "fr"}).content.decode()
    assert '<html lang="es"' in text and "Escriba un mensaje" in text
    assert "Escriba algo primero" in say(client, page, " ").json()["error"]
    ShareLink.objects.update(is_on=False)
    assert "Este chat se está tomando un descanso" in client.get(page).content.decode()


@pytest.mark.parametrize(("colour", "look"), [("#0b6e75", ""), ("#7a1f5c", "light"), ("#5cc3c6", "dark")])
def test_a_colour_that_can_be_read_is_taken(colour: str, look: str):
    assert checked_accent(colour.upper(), look) == colour


@pytest.mark.parametrize(("colour", "look", "way"), [("#ffd400", "", "darker"), ("#102030", "dark", "lighter")])
def test_a_colour_that_cannot_be_read_is_refused_with_one_that_can(colour: str, look: str, way: str):
    with pytest.raises(Invalid, match=f"WCAG AA.*{way}") as refused:
        checked_accent(colour, look)
    better = refused.value.message.rpartition(" ")[2].rstrip(".")
    assert checked_accent(better, look) == better


@pytest.mark.parametrize("typed", ["red", "#fff", "#0b6e7g", "#0b6e75;", "url(x)"])
def test_what_is_no_colour_is_refused(typed: str):
    with pytest.raises(Invalid, match="six digits"):
        checked_accent(typed, "")


@pytest.mark.parametrize("colour", ["#0b6e75", "#7a1f5c", "#1d1f21", "#b3261e"])
def test_the_other_look_gets_a_shade_that_can_be_read_too(colour: str):
    dark = style_of(colour, "").split("--accent: light-dark(")[1].split(")")[0].split(", ")[1]
    made = shades(dark, is_dark=True)
    assert all(contrast(dark, ground) >= 4.5 for ground in ("#141617", "#1a1d1e", made.soft, made.on))
    assert contrast(made.on, made.strong) >= 4.5


def test_the_colours_come_as_a_style_sheet_of_the_link(client: Client, page: str, link: ShareLink):
    assert "style.css" not in client.get(page).content.decode()
    set_options(link, accent="#7a1f5c", look="dark")
    text = client.get(page).content.decode()
    assert f'href="{page}/style.css?7a1f5cdark"' in text and 'data-theme="dark"' in text
    style = client.get(f"{page}/style.css")
    assert style["Content-Type"] == "text/css" and "#7a1f5c" in style.content.decode()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://www.Example.org/\n\nhttps://www.example.org", ["https://www.example.org"]),
        ("https://example.org:443", ["https://example.org"]),
        ("https://example.org:8443", ["https://example.org:8443"]),
        ("http://localhost:3000\nhttp://127.0.0.1:8080", ["http://localhost:3000", "http://127.0.0.1:8080"]),
    ],
)
def test_sites_are_kept_as_browsers_write_them(typed: str, kept: list[str]):
    assert origins_in(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "http://www.example.org", "example.org", "*", "https://*", "https://*.example.org", "https://a.org/path",
        "https://a.org?x", "https://a@b.org", "https://", "https://a.org; script-src *", "https://a.org 'self'",
        "data:text/html,x", "https://a.org:99999", "file:///etc", "'self'",
    ],
)  # fmt: skip
def test_what_is_no_exact_site_is_refused(typed: str):
    with pytest.raises(Invalid):
        origins_in(typed)


def test_the_page_says_when_the_assistant_has_changed_and_names_no_model(client: Client, page: str, link: ShareLink):
    environment = link.environment
    promote(actor=None, environment=environment, model=make_model(environment.assistant, "otter"))
    assert say(client, page).json()["changed"] is False
    promote(actor=None, environment=environment, model=make_model(environment.assistant, "heron"))
    assert client.get(f"{page}/news").json()["changed"] is True
    answer = say(client, page)
    assert answer.json()["changed"] is True
    text = client.get(page).content.decode()
    assert 'data-changed role="status">' in text and "heron" not in text + answer.content.decode()
    client.post(f"{page}/again")
    assert say(client, page).json()["changed"] is False


def test_the_same_message_again_gets_the_same_answer_and_is_said_once(client: Client, page: str, channel: Channel):
    client.post(f"{page}/hello")
    first = say(client, page, nonce="n1").json()
    channel.replies = [{"text": "Something else"}]
    again = say(client, page, nonce="n1")
    assert (again.status_code, again.json()) == (200, {**first, "repeated": True})
    assert len(channel.heard) == 1
    assert "Something else" in say(client, page, nonce="n2").json()["html"]


def test_a_message_that_is_being_answered_is_not_said_again(client: Client, page: str, channel: Channel):
    client.post(f"{page}/hello")
    once.claim(f"guest:{ShareGuest.objects.get().pk}", "n1")  # another web process is at it
    again = say(client, page, nonce="n1")
    assert (again.status_code, again.json()["code"]) == (409, "under-way")
    assert channel.heard == []


def test_what_was_not_heard_may_be_said_again_under_the_same_number(client: Client, page: str, channel: Channel):
    client.post(f"{page}/hello")
    channel.reply = Reply(500, {})
    assert say(client, page, nonce="n1").json()["code"] == "away"
    channel.reply = None
    assert say(client, page, nonce="n1").status_code == 200
    assert len(channel.heard) == 2


def test_after_a_time_out_it_is_never_said_again(client: Client, page: str, channel: Channel, monkeypatch):
    client.post(f"{page}/hello")
    monkeypatch.setattr("conversations.chat.sending.TIMEOUT", 0.2)
    channel.server.replies["/webhooks/rasa/webhook"] = Reply(raw=lambda _handler: time.sleep(0.6))
    late = say(client, page, nonce="n1")
    assert (late.status_code, late.json()["code"]) == (504, "timeout")
    again = say(client, page, nonce="n1")
    assert (again.status_code, again.json()["code"]) == (409, "twice")


def test_after_a_broken_connection_it_is_never_said_again(client: Client, page: str, channel: Channel):
    client.post(f"{page}/hello")
    channel.reply = Reply(raw=lambda _handler: None)  # taken, and never answered
    lost = say(client, page, nonce="n1")
    assert (lost.status_code, lost.json()["code"]) == (504, "timeout")
    assert "not known" in lost.json()["error"]
    channel.reply = None
    assert say(client, page, nonce="n1").json()["code"] == "twice"
    assert len(channel.heard) == 1


def test_an_error_of_ours_before_the_message_is_sent_leaves_nothing_under_way(
    client: Client, page: str, channel: Channel, monkeypatch
):
    client.post(f"{page}/hello")

    def fail(*_args: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr("conversations.chat.guests.count_message", fail)
        say(client, page, nonce="n1")
    assert say(client, page, nonce="n1").status_code == 200


def test_another_guest_gets_nothing_by_the_number_of_a_message(client: Client, page: str, channel: Channel):
    client.post(f"{page}/hello")
    say(client, page, nonce="n1")
    other = Client()
    other.post(f"{page}/hello")
    assert "repeated" not in say(other, page, nonce="n1").json()
    assert len({speaker for speaker, _ in channel.heard}) == 2


def test_answers_are_kept_encrypted(redis_client):
    assert once.claim("guest:1", "n") is None
    once.keep("guest:1", "n", {"html": "a secret answer"})
    assert once.claim("guest:1", "n") == {"html": "a secret answer"}
    stored = [redis_client.get(key) for key in redis_client.scan_iter("parley:answered:*")]
    assert stored and all("secret" not in str(one) for one in stored)
    once.lose("guest:1", "n")
    with pytest.raises(Conflict) as refused:
        once.claim("guest:1", "n")
    assert refused.value.code == "twice"


def test_what_scripts_say_is_in_the_page_as_data(client: Client, page: str):
    text = client.get(page, headers={"accept-language": "de"}).content.decode()
    words = text.split('data-words="')[1].split('"')[0].replace("&quot;", '"').replace("&#x27;", "'")
    assert json.loads(words)["offline"].startswith("Keine Verbindung")
