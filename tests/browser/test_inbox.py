"""The inbox and the marking of entities, by keyboard and by mouse, in a real browser."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from conversations.models import Correction, Event
from conversations.services.corrections import Verdict, correct
from models_app.models import Assistant
from models_app.services.revisions import save_revision
from studio.access.models import User
from tests.browser.conftest import watched
from tests.clients import client_of, cookies_of
from tests.conversations.events import user
from tests.factories import environment_of, make_assistant, make_person, store_events

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DOMAIN = b"intents: [greet, book_table, bye]\nentities: [people, city]\n"
NEXT = re.compile(r"/next(\?|$)")
TEXTS = ["a table 🍰 for four in Köln", "moin", "servus", "pfiat di", "habe die Ehre"]


@pytest.fixture
def server(chromium: Browser, transactional_db: None) -> Iterator[LiveServer]:
    assistant = make_assistant("cafe")
    save_revision(actor=None, assistant=assistant, files={"domain.yml": DOMAIN}, message="", parent_number=None)
    for at, text in enumerate(TEXTS):
        said = user(text, time.time() - 60, intent="greet", confidence=0.1 + at / 10, sender=str(at))
        store_events(environment_of(assistant), said)
    server = LiveServer("localhost")
    yield server
    server.stop()
    connections.close_all()


@pytest.fixture
def page(chromium: Browser, server: LiveServer) -> Iterator[Page]:
    with watched(chromium) as context:
        client = client_of(make_person("annotator", username="anna"))
        context.add_cookies(cookies_of(client, server.url))
        page = context.new_page()
        page.goto(f"{server}/a/cafe/inbox/")
        expect(page.locator("#inbox-progress progress")).to_be_visible()  # it comes with the message that lies ready
        yield page


def asked(page: Page, text: str) -> None:
    expect(page.locator("#inbox-now [data-asked]")).to_have_text(text)


def say(name: str, text: str, intent: str) -> None:
    """Somebody else, elsewhere."""
    correct(actor=User.objects.get(username=name), event=Event.objects.get(text=text), verdict=Verdict(intent))


def answers() -> dict[str, str]:
    return dict(Correction.objects.values_list("text", "intent"))


def eventually_held_by_anna(*texts: str) -> None:
    held, deadline = Event.objects.filter(lease__person__username="anna"), time.time() + 20
    while (found := set(held.values_list("text", flat=True))) != set(texts) and time.time() < deadline:
        time.sleep(0.1)
    assert found == set(texts)


def test_who_loads_the_page_anew_keeps_the_message(page: Page) -> None:
    page.reload()
    asked(page, TEXTS[0])
    expect(page.locator("#inbox-progress progress")).to_be_visible()  # it comes with the message that lies ready
    page.wait_for_timeout(3000)  # what the page before lets go of may arrive after what this one asked for
    eventually_held_by_anna(TEXTS[0], TEXTS[1])


def test_who_is_faster_than_the_message_behind_the_first_is_shown_it_once_it_comes(page: Page) -> None:
    held: list[Route] = []
    page.route(NEXT, lambda route: held.append(route))
    page.reload()
    asked(page, TEXTS[0])
    page.keyboard.press("j")
    expect(page.locator("#inbox-now")).to_have_text("One moment …")
    for route in held:
        route.continue_()
    page.unroute(NEXT)
    asked(page, TEXTS[1])
    page.keyboard.press("c")
    asked(page, TEXTS[2])
    expect(page.locator("#inbox-progress")).to_contain_text("1 of 5 looked at")
    assert answers() == {TEXTS[1]: "greet"}


def test_one_message_after_the_other_by_keys(page: Page) -> None:
    asked(page, TEXTS[0])
    page.keyboard.press("Enter")
    asked(page, TEXTS[1])
    page.keyboard.press("j")
    asked(page, TEXTS[2])
    page.keyboard.press("x")
    asked(page, TEXTS[3])
    expect(page.locator("#inbox-progress")).to_contain_text("2 of 5 looked at")
    assert answers() == {TEXTS[0]: "greet", TEXTS[2]: ""}
    page.keyboard.press("z")
    asked(page, TEXTS[2])
    page.wait_for_load_state()  # keys are heard by its scripts
    page.keyboard.press("i")
    page.keyboard.type("book")
    page.keyboard.press("Enter")  # takes what is offered
    page.keyboard.press("Enter")  # saves
    asked(page, TEXTS[3])
    expect(page.locator("#inbox-progress")).to_contain_text("2 of 5 looked at")
    assert answers() == {TEXTS[0]: "greet", TEXTS[2]: "book_table"}


def test_what_was_skipped_stays_away_until_one_begins_from_the_beginning(page: Page) -> None:
    place = environment_of(Assistant.objects.get())
    for at, text in enumerate(["x", "y", "x", "z"]):  # all of the same place in the order
        store_events(place, user(text, time.time() - 50, intent="nlu_fallback", confidence=0.4, sender=f"again-{at}"))
    page.goto(page.url.partition("?")[0])
    for text in ("z", "x"):
        asked(page, text)
        page.keyboard.press("j")
    asked(page, "y")
    page.keyboard.press("x")
    asked(page, TEXTS[0])
    expect(page.locator("#inbox-last form")).to_be_visible()
    page.keyboard.press("z")  # which loads the page
    asked(page, "y")
    page.wait_for_load_state()
    page.keyboard.press("j")
    asked(page, TEXTS[0])
    page.goto(page.url.partition("?")[0])
    asked(page, "z")
    page.keyboard.press("x")
    asked(page, "x")
    expect(page.locator("#inbox-last")).to_contain_text("z")
    page.reload()  # by now the address names a message
    asked(page, "x")
    page.keyboard.press("j")
    asked(page, "y")


def test_a_skip_that_is_answered_late_leaves_what_was_said_before_to_be_undone(page: Page) -> None:
    late = """
        const real = fetch;
        window.fetch = async (url, ...rest) => {
            const answer = await real(url, ...rest);
            if (!url.includes("/next")) return answer;
            window.fetch = real;
            return new Promise((resolve) => { window.arrive = () => resolve(answer); });
        };
        null"""
    page.evaluate(late)
    page.keyboard.press("j")
    asked(page, TEXTS[1])
    page.keyboard.press("x")
    expect(page.locator("#inbox-last")).to_contain_text(TEXTS[1])
    page.wait_for_function("() => 'arrive' in window")
    page.evaluate("window.arrive()")
    page.wait_for_timeout(300)
    expect(page.locator("#inbox-progress")).to_contain_text("1 of 5 looked at")
    asked(page, TEXTS[2])
    page.keyboard.press("j")
    asked(page, TEXTS[3])
    page.keyboard.press("z")
    asked(page, TEXTS[1])


def test_what_was_typed_of_a_message_is_there_still_when_it_comes_again(page: Page, server: LiveServer) -> None:
    page.locator("#inbox-now [name=intent]").fill("book_cake")
    page.keyboard.press("Escape")
    page.locator("[data-skip]").click()
    asked(page, TEXTS[1])
    expect(page.locator("#inbox-now [name=intent]")).to_have_value("greet")
    page.goto(f"{server}/a/cafe/inbox/")
    asked(page, TEXTS[0])
    expect(page.locator("#inbox-now [name=intent]")).to_have_value("book_cake")
    page.locator("#inbox-now").get_by_role("button", name="Save").click()
    asked(page, TEXTS[1])
    expect(page.locator("#inbox-last")).to_contain_text("book_cake")
    page.locator("#inbox-last [data-shortcut=z]").click()
    asked(page, TEXTS[0])
    expect(page.locator("#inbox-now [name=intent]")).to_have_value("greet")


def test_what_somebody_said_meanwhile_stays_and_is_told(page: Page, server: LiveServer) -> None:
    make_person("annotator", username="bob")
    page.keyboard.press("x")
    expect(page.locator("#inbox-last")).to_contain_text(TEXTS[0])
    say("bob", TEXTS[0], "bye")
    page.keyboard.press("z")
    expect(page.locator("#toasts")).to_contain_text("another answer stands there now, bye by bob.")
    asked(page, TEXTS[0])
    say("anna", TEXTS[1], "")
    for address, button in (
        ("examples/?state=ignored", page.get_by_role("button", name=f"Undo: {TEXTS[1]}")),
        (f"conversations/{Event.objects.get(text=TEXTS[1]).conversation_id}", page.locator("#panel [data-shortcut=z]")),
    ):
        page.goto(f"{server}/a/cafe/{address}")
        expect(button).to_be_visible()
        say("bob", TEXTS[1], "greet")
        button.click()
        expect(page.get_by_text("another answer stands there now, greet by bob.")).to_be_visible()
        expect(page.locator("main").get_by_text(TEXTS[1]).first).to_be_visible()
        say("anna", TEXTS[1], "")
    assert answers() == {TEXTS[0]: "bye", TEXTS[1]: ""}


def test_answers_faster_than_the_server_are_all_kept_and_nothing_is_shown_twice(page: Page) -> None:
    slow = "const real = fetch; window.fetch = async (...a) => { await new Promise((r) => setTimeout(r, 400)); return real(...a); }"
    page.evaluate(slow)
    for text in TEXTS:
        asked(page, text)
        page.keyboard.press("c")
    expect(page.locator("#inbox-end")).to_be_visible()
    assert set(answers()) == set(TEXTS)


def test_an_answer_that_is_not_kept_brings_its_message_back(page: Page) -> None:
    page.route("**/answer", lambda route: route.abort())
    page.keyboard.press("c")
    expect(page.locator(".toasts")).to_contain_text("was not kept")
    asked(page, TEXTS[0])
    page.unroute("**/answer")
    page.keyboard.press("c")
    asked(page, TEXTS[1])


def test_entities_are_marked_by_keyboard_and_by_mouse_in_characters_as_rasa_counts(page: Page) -> None:
    page.keyboard.press("n")
    for _ in range(4):
        page.keyboard.press("ArrowRight")  # a, table, the cake, for, four
    page.keyboard.press("Enter")
    page.keyboard.type("peo")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    box = page.locator("#inbox-now [data-words] span", has_text="Köln").bounding_box()
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.type("city")
    page.locator("#inbox-now .entity-row").nth(1).locator("summary").click()
    page.locator("#inbox-now .entity-row").nth(1).get_by_label("Role").fill("where")
    value = page.locator("#inbox-now [name=entities]").input_value()
    four, city = TEXTS[0].index("four"), TEXTS[0].index("Köln")
    wanted = [
        {"start": four, "end": four + 4, "entity": "people"},
        {"start": city, "end": city + 4, "entity": "city", "role": "where"},
    ]
    assert json.loads(value) == wanted
    page.locator("#inbox-now").get_by_role("button", name="Save").click()
    asked(page, TEXTS[1])
    expect(page.locator("#inbox-progress")).to_contain_text("1 of 5")
    assert Correction.objects.get().entities == wanted


def test_leaving_lets_others_have_the_message(page: Page, server: LiveServer) -> None:
    event = Event.objects.get(text=TEXTS[0])
    assert event.lease.person == User.objects.get(username="anna")
    page.goto(f"{server}/a/cafe/examples/")
    eventually_held_by_anna()
    assert Assistant.objects.get().slug == "cafe"
