"""Talk in a real browser: the panel that explains, taking back, typed intents, side by side."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from conversations.chat.links import create_link
from conversations.models import Correction, TalkSession
from environments.models import Environment, Slot
from environments.services import slots
from models_app.models import Model
from models_app.services.revisions import save_revision
from studio.crypto import decrypt
from studio.jobs import heartbeat
from tests.browser.conftest import watched
from tests.browser.waiting import until
from tests.clients import client_of, cookies_of
from tests.conversations.events import bot
from tests.conversations.fake_channel import Channel
from tests.factories import environment_of, make_assistant, make_model, make_person, store_events
from tests.rasa.servers import Reply, SmallServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("PARLEY_TEST_PICTURES", "")  # a folder, to look at the pages


@pytest.fixture
def channels(chromium: Browser, transactional_db: None, redis_client: object) -> Iterator[dict[str, Channel]]:
    assistant = make_assistant("cafe")
    files = {
        "domain.yml": b"intents: [greet, inform]\nentities: [city]\nresponses:\n  utter_hello:\n  - text: Hello!\n"
    }
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    model = make_model(assistant, "20261128-calm-otter")
    model.domain = {"intents": {"greet": "1", "inform": "2", "goodbye": "3"}, "entities": {"city": "4"}}
    model.save(update_fields=["domain"])
    found: dict[str, Channel] = {}
    for name in ("production", "worker"):
        environment = environment_of(assistant, name)
        environment.tag.model = model
        environment.tag.save(update_fields=["model"])
        found[name] = Channel(SmallServer())
        found[name].memory = {}
        found[name].connect(environment)
    yield found
    for channel in found.values():
        channel.server.close()


@pytest.fixture
def server(channels: dict[str, Channel]) -> Iterator[LiveServer]:
    server = LiveServer("localhost")
    yield server
    server.stop()
    connections.close_all()


@pytest.fixture
def context(chromium: Browser, server: LiveServer) -> Iterator[BrowserContext]:
    with watched(chromium) as context:
        client = client_of(make_person("admin", username="anna"))
        context.add_cookies(cookies_of(client, server.url))
        yield context


@pytest.fixture
def page(context: BrowserContext, server: LiveServer) -> Page:
    page = context.new_page()
    page.goto(f"{server}/a/cafe/talk/production/")
    return page


def speak(page: Page, *texts: str) -> None:
    for text in texts:
        page.locator("#message").fill(text)
        page.locator("#message").press("Enter")
        expect(page.locator(".typing")).to_have_count(0)
        expect(page.locator(".bubble-user", has_text=re.compile(f"{re.escape(text)}$")).last).to_be_visible()


def deliver(channel: Channel, name: str = "production") -> None:
    """What the server remembers arrives as events."""
    environment = Environment.objects.get(name=name)
    for sender, events in (channel.memory or {}).items():
        store_events(environment, *({**one, "sender_id": sender} for one in events))


def picture(page: Page, name: str) -> None:
    if not PICTURES:
        return
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(150)
            page.screenshot(path=str(Path(PICTURES) / f"{name}-{width}-{scheme}.png"))
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")


def test_the_panel_explains_the_last_turn_and_any_other(page: Page, channels: dict[str, Channel]) -> None:
    panel = page.locator("#why")
    expect(panel).to_contain_text("Say something")
    speak(page, "hello")
    expect(panel).to_contain_text("utter_hello")
    expect(panel).to_contain_text("From Rasa’s memory")
    speak(page, "second")
    expect(panel.locator("h2").nth(1)).to_have_text("second")
    deliver(channels["production"])
    expect(panel.locator("form[data-correction]")).to_be_visible(timeout=8000)
    picture(page, "talk-panel")

    page.locator(".turn", has=page.locator(".bubble-user", has_text="hello")).locator("[data-explain]").click()
    expect(panel.locator("h2").nth(1)).to_have_text("hello")
    assert "turn=" in page.url
    page.reload()
    expect(panel.locator("h2").nth(1)).to_have_text("hello")
    expect(page.locator(".turn[data-chosen]")).to_contain_text("hello")


def test_it_is_opened_by_key_and_remembered(page: Page) -> None:
    panel = page.locator("#why")
    expect(panel).to_be_visible()
    page.locator("#message").press("Escape")
    page.keyboard.press("w")
    expect(panel).to_be_hidden()
    page.reload()
    expect(panel).to_be_hidden()
    page.locator("#message").press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_contain_text("Why it answered so")


def test_on_a_phone_the_sheet_does_not_hide_the_turn_that_it_explains(page: Page, channels: dict[str, Channel]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    speak(page, *(f"message {number}" for number in range(8)))
    deliver(channels["production"])
    expect(page.locator(".turn[data-place]")).to_have_count(8)
    turn, panel = page.locator(".turn", has_text="message 5"), page.locator("#why")
    why = turn.locator("[data-explain]")
    why.evaluate("one => scrollBy(0, one.getBoundingClientRect().bottom - 700)")
    why.click()
    expect(panel.locator("h2").nth(1)).to_have_text("message 5")
    last_line = why.bounding_box()
    assert last_line["y"] + last_line["height"] <= page.locator("[data-composer]").bounding_box()["y"]
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()
    expect(turn).to_be_in_viewport(ratio=1)
    expect(why).to_be_focused()


def test_a_correction_is_kept_from_the_panel(page: Page, channels: dict[str, Channel]) -> None:
    speak(page, "hello")
    deliver(channels["production"])
    form = page.locator("#why form[data-correction]")
    expect(form).to_be_visible(timeout=8000)
    form.locator("input[name=intent]").fill("inform")
    form.get_by_role("button", name="Save", exact=True).click()
    expect(form).to_contain_text("Waits")
    assert Correction.objects.get().intent == "inform"


def test_intents_are_offered_and_bad_json_is_said(page: Page, channels: dict[str, Channel]) -> None:
    box, offered = page.locator("#message"), page.locator("#intents-offered")
    box.press_sequentially("/g")
    expect(offered.locator("li:visible")).to_have_text(["/goodbye", "/greet"])
    picture(page, "talk-intents")
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("/greet")
    expect(offered).to_be_hidden()
    box.press("Enter")
    expect(page.locator(".bubble-intent")).to_contain_text("/greet")
    box.fill('/inform{"city": Rome}')
    box.press("Enter")
    expect(page.locator("[data-intent-note]")).to_contain_text("not JSON")
    expect(box).to_have_value('/inform{"city": Rome}')
    expect(page.locator(".typing")).to_have_count(0)
    assert [text for _, text in channels["production"].heard] == ["/greet"]
    box.fill("/nothing")
    expect(page.locator("[data-intent-note]")).to_contain_text("has no intent nothing")


def test_what_was_said_is_taken_back_and_edited(
    page: Page, context: BrowserContext, channels: dict[str, Channel], server: LiveServer
) -> None:
    speak(page, "one", "two", "three")
    deliver(channels["production"])
    turns = page.locator(".talk-log > .turn[data-place]")
    expect(turns).to_have_count(3)
    other = context.new_page()
    other.goto(page.url)
    expect(other.locator(".talk-log > .turn")).to_have_count(3)
    other.evaluate("document.addEventListener('toast', ({ detail }) => { window.told = detail.text; })")

    page.bring_to_front()
    turns.nth(2).hover()
    turns.nth(2).locator("[data-rewind]").click()  # the last one is not asked about
    expect(page.locator(".undone > summary")).to_have_text("1 turn taken back")
    expect(page.locator("#message")).to_have_value("three")

    page.locator("#message").fill("")
    page.locator(".talk-log > .turn").first.hover()
    page.locator(".talk-log > .turn").first.locator("[data-rewind]").click()
    dialog = page.locator("[data-rewind-dialog]")
    expect(dialog).to_contain_text("2 messages")
    picture(page, "talk-rewind-dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".talk-log > .turn")).to_have_count(2)
    page.locator(".talk-log > .turn").first.hover()
    page.locator(".talk-log > .turn").first.locator("[data-rewind]").click()
    dialog.get_by_role("button", name="Take back").click()
    expect(page.locator(".undone > summary")).to_have_text("3 turns taken back")
    expect(page.locator("#message")).to_have_value("one")
    speak(page, "another")
    picture(page, "talk-taken-back")

    deliver(channels["production"])
    other.bring_to_front()
    expect(other.locator(".undone > summary")).to_have_text("3 turns taken back")
    assert "taken back in another tab" in other.evaluate("window.told")
    expect(other.locator(".talk-log > .turn", has_text="another")).to_be_visible(timeout=10_000)


def test_the_conversation_is_saved_as_a_story(page: Page, channels: dict[str, Channel]) -> None:
    speak(page, "greet")
    deliver(channels["production"])
    expect(page.locator("[data-story]")).not_to_have_attribute("hidden", "")
    page.locator("#message").press("Escape")
    page.keyboard.press("y")
    dialog = page.locator("#dialog")
    expect(dialog.locator("#story-text")).to_contain_text("intent: greet")
    picture(page, "talk-story")
    dialog.locator("input[name=name]").fill("Hello in Talk")
    dialog.get_by_role("button", name="Save as a new revision").click()
    expect(dialog).to_contain_text("Story “Hello in Talk” from conversation")


def test_side_by_side_a_failing_side_holds_nobody(page: Page, channels: dict[str, Channel], server: LiveServer) -> None:
    channels["worker"].replies = [{"text": "Moin!"}]
    page.goto(f"{server}/a/cafe/talk/compare?left=environment:production&right=environment:worker")
    speak(page, "hello")
    left, right = page.locator("[data-side=left]"), page.locator("[data-side=right]")
    expect(left.locator(".decision")).to_be_visible()
    expect(right.locator(".decision")).to_be_visible()
    expect(page.locator("[data-difference=answers]")).to_have_count(2)
    expect(page.locator("[data-difference=intent]")).to_have_count(0)
    picture(page, "compare")
    channels["worker"].reply = Reply(500, {})
    speak(page, "again")
    expect(left.nth(1).locator(".decision")).to_be_visible()
    expect(right.nth(1)).to_contain_text("Rasa failed on this message")
    channels["worker"].reply = None
    right.nth(1).get_by_role("button", name="Say it again here").click()
    expect(right.nth(1)).to_contain_text("Moin!")
    assert TalkSession.objects.count() == 2
    page.reload()
    expect(page.locator(".compare-row")).to_have_count(3)  # the failed one was heard by that server as well
    expect(page.locator("[data-difference=answers]").first).to_be_visible()
    for events in (channels["production"].memory or {}).values():
        events.append(bot("Still there?", time.time()))
    page.reload()
    alone = page.locator("[data-row=alone]")
    expect(alone).to_have_count(2)
    expect(alone.last).to_contain_text("Still there?")
    expect(alone.locator("[data-difference]")).to_have_count(0)
    picture(page, "compare-alone")


def test_what_may_have_been_heard_waits_for_its_events_and_is_not_said_again(
    page: Page, channels: dict[str, Channel]
) -> None:
    channel = channels["production"]
    channel.reply = Reply(raw=lambda _handler: None)  # heard, and the connection broke
    speak(page, "hello")
    expect(page.get_by_text("The answer takes longer than usual.")).to_be_visible()
    expect(page.locator(".bubble-error")).to_have_count(0)
    deliver(channel)
    expect(page.locator(".turn .bubble", has_text="Hello!")).to_have_count(1)
    expect(page.locator("#message")).to_have_value("")
    assert len(channel.heard) == 1


def test_a_message_to_a_stopped_slot_shows_that_it_waits_for_another(page: Page, server: LiveServer) -> None:
    model = Model.objects.get()
    page.goto(f"{server}/a/cafe/try/{model.name}/")
    expect(page.locator("[data-slot=waiting]")).to_be_visible()
    slots.stop(actor=None, slot=Slot.objects.get(), why="Its place was needed.")
    expect(page.locator("[data-slot=ended]")).to_contain_text("Its place was needed.")
    page.get_by_label("Message", exact=True).fill("hello")
    page.keyboard.press("Enter")
    expect(page.locator("[data-slot=waiting]")).to_be_visible()
    assert Slot.objects.count() == 2


def test_answers_whose_events_do_not_come_are_told_with_the_reason(context: BrowserContext, server: LiveServer) -> None:
    page = context.new_page()
    page.clock.install()
    page.goto(f"{server}/a/cafe/talk/production/")
    page.get_by_label("Message", exact=True).fill("hi")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Hello!")).to_be_visible()
    notice = page.locator("[data-late]")
    expect(notice).to_be_hidden()
    page.clock.fast_forward(11_000)
    expect(notice).to_contain_text("no ingest process runs")
    heartbeat.beat("ingest")
    page.clock.fast_forward(2_000)
    expect(notice).to_contain_text("the event broker is not delivering")


SCRIPT = re.compile(r"/js/(chat|compare)\b[^/]*\.js")


def hold_the_first(page: Page, asked: str) -> list[Route]:
    """The first request of the kind, once there was one; it waits until somebody goes on with it."""
    held: list[Route] = []
    page.route(asked, lambda route: route.continue_() if held else held.append(route))
    return held


@pytest.mark.parametrize(
    "path", ["talk/production/", "talk/compare?left=environment:production&right=environment:worker", "guest"]
)
def test_what_is_sent_before_the_script_is_there_stays_in_the_box_and_not_in_the_address(
    context: BrowserContext, server: LiveServer, channels: dict[str, Channel], path: str
) -> None:
    held: list[Route] = []
    page = context.new_page()
    page.route(SCRIPT, lambda route: held.append(route))
    page.goto(f"{server}/a/cafe/{path}" if path != "guest" else guests_address(server), wait_until="commit")
    box, send = page.locator("#message"), page.locator("[data-composer] [type=submit]")
    box.fill("hello")
    until(page, lambda: held, "somebody to ask for it")
    send.dispatch_event("click")
    box.press("Enter")
    page.wait_for_timeout(300)
    assert "csrfmiddlewaretoken" not in page.url
    expect(send).to_be_disabled()
    for route in held:
        route.continue_()
    expect(send).to_be_enabled()
    expect(box).to_have_value("hello\n")
    send.click()
    expect(page.locator(".bubble-user")).to_have_text("hello")
    expect(page.locator(".typing")).to_have_count(0)
    assert [text for _, text in channels["production"].heard] == ["hello"]


def guests_address(server: LiveServer) -> str:
    link = create_link(actor=None, environment=Environment.objects.get(name="production"), name="friends", greeting="")
    return f"{server}/s/{decrypt(link.code_encrypted)}"


def test_who_began_to_type_in_the_panel_while_another_turn_was_on_its_way_goes_on(
    page: Page, channels: dict[str, Channel]
) -> None:
    speak(page, "hello")
    deliver(channels["production"])
    field = page.locator("#why form[data-correction] input[name=intent]")
    expect(field).to_be_visible()
    page.wait_for_load_state("networkidle")
    held = hold_the_first(page, "**/why?*")
    speak(page, "second")
    until(page, lambda: held, "somebody to ask for it")
    field.fill("inf")
    with page.expect_response("**/why?*"):
        held[0].continue_()
    page.wait_for_timeout(300)
    page.keyboard.type("orm")
    expect(field).to_be_focused()
    expect(field).to_have_value("inform")
    page.locator("#message").click()  # the other turn comes now
    expect(page.locator("#why")).to_contain_text("second")


@pytest.mark.parametrize("answered", ["before", "after"])
def test_news_from_before_something_was_taken_back_here_are_not_shown_after_it(
    page: Page, channels: dict[str, Channel], answered: str
) -> None:
    speak(page, "one", "two")
    page.evaluate(KEEP_TOLD)
    held = hold_the_first(page, "**/news?*")
    deliver(channels["production"])
    until(page, lambda: held, "somebody to ask for it")
    before = held[0].fetch() if answered == "before" else None
    take_back_the_last(page)
    expect(page.locator(".undone > summary")).to_have_text("1 turn taken back")
    deliver(channels["production"])  # that it was taken back as well
    with page.expect_response("**/news?*"):
        held[0].fulfill(response=before) if before else held[0].continue_()
    page.wait_for_timeout(300)
    assert page.locator(".talk-log > .turn").count() == 1
    assert page.evaluate("window.told") == ["Taken back."]


def test_what_is_being_taken_back_here_is_not_told_as_taken_back_in_another_tab(
    page: Page, channels: dict[str, Channel]
) -> None:
    speak(page, "one", "two")
    deliver(channels["production"])
    expect(page.locator(".talk-log > .turn[data-place]")).to_have_count(2)
    page.evaluate(KEEP_TOLD)
    held = hold_the_first(page, "**/rewind")
    take_back_the_last(page)
    until(page, lambda: held, "somebody to ask for it")
    answer = held[0].fetch()
    deliver(channels["production"])
    for _ in range(2):  # the first may have been asked for before
        with page.expect_response("**/news?*"):
            pass
    held[0].fulfill(response=answer)
    expect(page.locator(".undone > summary")).to_have_text("1 turn taken back")
    page.wait_for_timeout(300)
    assert page.evaluate("window.told") == ["Taken back."]


KEEP_TOLD = """() => {
  window.told = [];
  document.addEventListener("toast", ({ detail }) => window.told.push(detail.text));
}"""


def take_back_the_last(page: Page) -> None:
    turn = page.locator(".talk-log > .turn", has_text="two")
    turn.hover()
    turn.locator("[data-rewind]").click()
