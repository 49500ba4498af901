"""The guests' chat in a real browser: over lost connections, in pages of other sites, rated, and changed under them."""

import re
import time
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from conversations.chat.links import Options, change_link, create_link
from conversations.models import Rating, ShareGuest, ShareLink, TalkSession
from conversations.services import ratings
from environments.models import Environment
from environments.services.promotion import promote
from studio.crypto import decrypt
from tests.browser.conftest import watched
from tests.browser.waiting import until
from tests.conversations.events import small_talk
from tests.conversations.fake_channel import WEBHOOK, Channel
from tests.factories import environment_of, make_assistant, make_model, store_events
from tests.rasa.servers import Reply, SmallServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def environment(transactional_db: None) -> Environment:
    return environment_of(make_assistant("cafe", "Café Lumen"))


@pytest.fixture
def channel(environment: Environment, redis_client: object) -> Iterator[Channel]:
    server = SmallServer()
    channel = Channel(server)
    channel.connect(environment)
    yield channel
    server.close()


@pytest.fixture
def server(chromium: Browser, channel: Channel, settings) -> Iterator[LiveServer]:
    server = LiveServer("localhost")
    settings.PUBLIC_URL = server.url
    yield server
    server.stop()
    connections.close_all()


@pytest.fixture
def link(environment: Environment) -> ShareLink:
    return create_link(actor=None, environment=environment, name="friends", greeting="Welcome!")


@pytest.fixture
def guest(chromium: Browser, server: LiveServer, link: ShareLink) -> Iterator[Page]:
    with watched(chromium, **PHONE) as context:
        page = context.new_page()
        page.goto(address(server, link))
        yield page


def address(server: LiveServer, link: ShareLink) -> str:
    return f"{server}/s/{decrypt(link.code_encrypted)}"


def say(page, text: str) -> None:
    page.get_by_role("textbox", name=re.compile("Message|Nachricht")).fill(text)
    if not isinstance(page, Page):
        page.get_by_role("button", name="Send").click()
        return
    page.wait_for_load_state()  # a busy machine shows the page a moment before its scripts
    page.keyboard.press("Enter")


def answers(page) -> object:
    return page.locator(".turn .bubble:not(.bubble-user)", has_text="Hello!")


def arrive(environment: Environment) -> None:
    store_events(environment, *small_talk(time.time() - 1, sender=TalkSession.objects.latest("pk").sender_id))


def test_what_is_said_without_a_connection_is_sent_once_when_it_is_back(guest: Page, channel: Channel):
    guest.context.set_offline(True)
    say(guest, "hi")
    expect(guest.get_by_text("No connection.")).to_be_visible()
    expect(guest.locator(".bubble-user")).to_have_text("hi")
    guest.context.set_offline(False)
    expect(answers(guest)).to_have_count(1)
    expect(guest.get_by_text("No connection.")).to_be_hidden()
    assert [text for _, text in channel.heard] == ["hi"]
    assert guest.evaluate("sessionStorage.length") == 0


def test_an_answer_that_is_lost_on_the_way_comes_again_and_nothing_is_said_twice(guest: Page, channel: Channel):
    lost = []

    def lose_the_first(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.fetch())  # the server took and answered it
        return route.abort("connectionreset")

    guest.route("**/say", lose_the_first)
    say(guest, "hi")
    expect(answers(guest)).to_have_count(1)
    assert lost and [text for _, text in channel.heard] == ["hi"]
    expect(guest.locator(".bubble-user")).to_have_count(1)
    expect(guest.get_by_role("alert")).to_have_count(0)


def test_a_reload_in_the_middle_of_it_loses_nothing_and_sends_nothing_twice(
    guest: Page, channel: Channel, environment: Environment
):
    guest.route("**/say", lambda route: (route.fetch(), route.abort("connectionreset")))
    say(guest, "hi")
    expect(guest.get_by_text("No connection.")).to_be_visible()
    guest.get_by_role("textbox", name="Message").fill("not yet sent")
    guest.reload()
    guest.unroute("**/say")  # only now: or it would have been answered before the reload
    expect(answers(guest)).to_have_count(1)
    expect(guest.locator(".bubble-user")).to_have_text("hi")
    expect(guest.get_by_role("textbox", name="Message")).to_have_value("not yet sent")
    assert [text for _, text in channel.heard] == ["hi"]
    arrive(environment)
    guest.wait_for_timeout(2500)  # its events take the place of the answer
    expect(answers(guest)).to_have_count(1)


def test_a_time_out_is_no_failure_when_the_answer_comes_with_the_events(
    guest: Page, channel: Channel, environment: Environment, monkeypatch
):
    monkeypatch.setattr("conversations.chat.sending.TIMEOUT", 0.5)
    channel.server.replies[WEBHOOK] = Reply(raw=lambda _handler: time.sleep(1.5))
    say(guest, "hi")
    expect(guest.get_by_text("The answer takes longer than usual.")).to_be_visible()
    expect(guest.get_by_role("alert")).to_have_count(0)
    arrive(environment)
    expect(answers(guest)).to_have_count(1)
    expect(guest.get_by_text("The answer takes longer than usual.")).to_have_count(0)
    expect(guest.get_by_role("textbox", name="Message")).to_have_value("")
    assert guest.evaluate("sessionStorage.length") == 0


def test_beginning_anew_during_a_slow_answer_does_not_lead_back(guest: Page, channel: Channel):
    say(guest, "hi")
    expect(answers(guest)).to_have_count(1)
    guest.route("**/say", lambda route: (route.fetch(), route.abort("connectionreset")))
    say(guest, "slow")
    expect(guest.get_by_text("No connection.")).to_be_visible()
    guest.unroute("**/say")
    guest.get_by_role("button", name="Start over").click()
    expect(guest.get_by_role("button", name="Start over")).to_be_hidden()
    guest.wait_for_timeout(1000)
    expect(guest.locator(".bubble-user")).to_have_count(0)
    say(guest, "anew")
    expect(answers(guest)).to_have_count(1)
    assert [text for _, text in channel.heard][-2:] == ["slow", "anew"]
    assert len({speaker for speaker, _ in channel.heard}) == 2


def test_an_answer_of_a_chat_that_was_left_in_another_tab_is_not_shown(guest: Page, channel: Channel):
    guest.route("**/say", lambda route: (route.fetch(), route.abort("connectionreset")))
    say(guest, "slow")
    expect(guest.get_by_text("No connection.")).to_be_visible()
    guest.unroute("**/say")
    other = guest.context.new_page()
    other.goto(guest.url)
    other.get_by_role("button", name="Start over").click()
    expect(other.get_by_role("button", name="Start over")).to_be_hidden()
    say(other, "anew")
    expect(answers(other)).to_have_count(1)
    guest.reload()
    until(guest, lambda: guest.evaluate("sessionStorage.length") == 0, "the tab to keep no message", seconds=10)
    expect(guest.locator(".bubble-user", has_text="slow")).to_have_count(0)
    say(guest, "go on")
    expect(answers(guest)).to_have_count(1)
    assert len({speaker for speaker, _ in channel.heard}) == 2


def test_a_rating_goes_on_while_its_event_arrives_and_is_there_after_a_reload(
    guest: Page, channel: Channel, environment: Environment
):
    say(guest, "hi")
    guest.get_by_role("button", name="Bad answer").click()
    expect(guest.get_by_text("Thank you. You can change it at any time.")).to_be_visible()
    guest.get_by_text("Tell us why").click()
    comment = guest.get_by_role("textbox", name="What was good")
    comment.press_sequentially("Too sh")
    arrive(environment)
    expect(guest.locator("[data-rate^=e]")).to_have_count(1)
    expect(comment).to_be_focused()
    comment.press_sequentially("ort")
    with guest.expect_response(lambda response: response.request.method == "POST"):
        guest.get_by_role("button", name="Send").first.click()
    guest.reload()
    expect(guest.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    expect(guest.locator("textarea[name=comment]")).to_have_value("Too short")
    ratings.settle_waiting()
    assert Rating.objects.values_list("is_up", "comment", "event__kind").get() == (False, "Too short", "bot")


def test_the_page_says_quietly_that_the_assistant_has_changed(guest: Page, environment: Environment):
    promote(actor=None, environment=environment, model=make_model(environment.assistant, "otter"))
    say(guest, "hi")
    expect(answers(guest)).to_have_count(1)
    line = guest.get_by_text("The assistant was changed since this chat began.")
    expect(line).to_be_hidden()
    promote(actor=None, environment=environment, model=make_model(environment.assistant, "heron"))
    expect(line).to_be_visible(timeout=10_000)
    expect(guest.get_by_text("heron")).to_have_count(0)
    guest.get_by_role("button", name="Begin anew").click()
    expect(answers(guest)).to_have_count(0)
    expect(line).to_be_hidden()


def test_a_locked_link_in_colour_and_in_german(guest: Page, server: LiveServer, link: ShareLink):
    options = Options(look="dark", accent="#e5a3ff", language="de")
    change_link(
        actor=None, link=link, environment=link.environment, name="friends", greeting="", expires_at=None, is_on=True,
        password="open sesame", options=options,
    )  # fmt: skip
    guest.reload()
    guest.get_by_label("Passwort").fill("wrong")
    guest.get_by_role("button", name="Chat öffnen").click()
    expect(guest.get_by_role("alert")).to_contain_text("nicht das Passwort")
    guest.get_by_label("Passwort").fill("open sesame")
    guest.get_by_role("button", name="Chat öffnen").click()
    say(guest, "hallo")
    expect(answers(guest)).to_have_count(1)
    background = guest.locator(".bubble-user").evaluate("e => getComputedStyle(e).backgroundColor")
    assert background == "rgb(229, 163, 255)"


# --- On another site --------------------------------------------------------------------------------------------------


@pytest.fixture
def sites(server: LiveServer, link: ShareLink, environment: Environment) -> Iterator[tuple[str, str]]:
    """A site that may embed the chat and one that may not; for browsers both are strangers to us, who are localhost."""
    hosts = [SmallServer(), SmallServer()]
    ShareLink.objects.filter(pk=link.pk).update(origins=[hosts[0].url])
    script = f"{server}/share/{decrypt(link.code_encrypted)}/widget.js"
    page = f'<!doctype html><title>A shop</title><h1>A shop</h1><script src="{script}" async></script>'
    policy = f"default-src 'none'; script-src {server}; frame-src {server}"  # strict: no styles of ours in the page
    for host in hosts:
        headers = {"Content-Type": "text/html", "Content-Security-Policy": policy}
        host.replies["/"] = lambda _seen, headers=headers: Reply(body=page, headers=headers)
    yield hosts[0].url, hosts[1].url
    for host in hosts:
        host.close()


@pytest.fixture
def shop(chromium: Browser, sites: tuple[str, str]) -> Iterator[BrowserContext]:
    with watched(chromium) as context:
        yield context


def test_the_chat_works_in_a_page_of_another_site(shop: BrowserContext, sites: tuple[str, str], channel: Channel):
    page = shop.new_page()
    page.goto(sites[0])
    button = page.get_by_role("button", name="Open the chat")
    button.press("Enter")
    chat = page.frame_locator("iframe")
    expect(chat.get_by_text("Welcome!")).to_be_visible()
    say(chat, "hi")
    expect(answers(chat)).to_have_count(1)
    assert {cookie["name"] for cookie in shop.cookies()} == {"X-Parley-Guest"}
    assert all(cookie.get("partitionKey") for cookie in shop.cookies()), "it is kept for this site alone"
    page.reload()
    page.get_by_role("button", name="Open the chat").click()
    expect(chat.get_by_role("button", name="Start over")).to_be_visible()
    say(chat, "again")
    expect(chat.locator(".bubble-user", has_text="again")).to_be_visible()
    expect(answers(chat).last).to_be_visible()
    assert len({speaker for speaker, _ in channel.heard}) == 1, "it is the same guest after a reload"
    assert ShareGuest.objects.get().is_embedded
    chat.get_by_role("textbox", name="Message").press("Escape")
    expect(page.locator("section")).to_be_hidden()
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.type") == "button"
    chat_page = shop.new_page()
    chat_page.goto(f"{sites[0]}/")
    chat_page.get_by_role("button", name="Open the chat").click()
    frame = chat_page.frame_locator("iframe")
    frame.get_by_role("button", name="Start over").click()
    expect(frame.get_by_role("button", name="Start over")).to_be_hidden()
    expect(frame.locator(".talk-log")).to_be_visible()
    say(frame, "anew")
    expect(answers(frame)).to_have_count(1)
    assert len({speaker for speaker, _ in channel.heard}) == 2


def test_a_guest_of_a_busy_address_keeps_the_chat(
    shop: BrowserContext, sites: tuple[str, str], channel: Channel, monkeypatch
):
    monkeypatch.setattr("conversations.chat.guests.ADDRESS_GUESTS_AN_HOUR", 0)
    page = shop.new_page()
    page.goto(sites[0])
    page.get_by_role("button", name="Open the chat").click()
    chat = page.frame_locator("iframe")
    for number, text in enumerate(("hi", "go on"), start=1):
        say(chat, text)
        expect(answers(chat)).to_have_count(number)
    page.reload()
    page.get_by_role("button", name="Open the chat").click()
    say(chat, "and on")
    expect(chat.locator(".bubble-user", has_text="and on")).to_be_visible()
    expect(answers(chat).last).to_be_visible()
    assert len({speaker for speaker, _ in channel.heard}) == 1


def test_on_a_phone_it_is_closed_whatever_the_frame_shows(chromium: Browser, sites: tuple[str, str]):
    with watched(chromium, viewport={"width": 390, "height": 844}, has_touch=True) as context:
        page = context.new_page()
        page.route("**/share/*/chat", lambda route: route.abort())
        page.goto(sites[0])
        page.get_by_role("button", name="Open the chat").tap()
        expect(page.locator("section")).to_be_in_viewport(ratio=1)
        bar = page.get_by_role("button", name="Close the chat")
        assert bar.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 44}
        bar.tap()
        expect(page.locator("section")).to_be_hidden()
        assert page.evaluate("document.activeElement.shadowRoot.activeElement.ariaLabel") == "Open the chat"


def test_a_site_that_is_not_named_gets_no_chat(chromium: Browser, sites: tuple[str, str]):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(sites[1])
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.get_by_role("button", name="Open the chat").click()
    page.wait_for_timeout(1000)
    expect(page.frame_locator("iframe").get_by_text("Welcome!")).to_have_count(0)
    assert not ShareGuest.objects.exists()
    context.close()


def test_a_form_of_another_site_says_nothing_in_a_guests_name(shop: BrowserContext, sites, channel: Channel):
    page = shop.new_page()
    page.goto(sites[0])
    page.get_by_role("button", name="Open the chat").click()
    say(page.frame_locator("iframe"), "hi")
    expect(answers(page.frame_locator("iframe"))).to_have_count(1)
    say_url = page.locator("iframe").get_attribute("src").replace("/chat", "/say")
    attack = SmallServer()
    form = f'<form method="post" action="{say_url}"><input name="text" value="forged"><button>Win</button></form>'
    attack.replies["/"] = lambda _seen: Reply(body=form, headers={"Content-Type": "text/html"})
    other = shop.new_page()
    other.goto(attack.url)
    with other.expect_response("**/say") as answered:
        other.get_by_role("button", name="Win").click()
    attack.close()
    assert answered.value.status == 403
    assert [text for _, text in channel.heard] == ["hi"]
