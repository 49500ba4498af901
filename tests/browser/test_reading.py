"""Reading one conversation after the other in a real browser: by keyboard, without waiting, without losing one's place."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from tests.browser.conftest import watched
from tests.clients import client_of, cookies_of

if TYPE_CHECKING:
    from conversations.models import Conversation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def newest_first(transactional_db: None, redis_client: object) -> "list[Conversation]":
    from conversations.models import Conversation
    from tests.conversations.events import user
    from tests.factories import environment_of, make_assistant, store_events

    production = environment_of(make_assistant("cafe"))
    for number, text in enumerate(["tea", "soup of the day", "cake", "soup again"]):
        store_events(production, user(text, 1_790_000_000.0 + number * 100, sender=f"guest-{number}"))
    return list(Conversation.objects.order_by("-last_event_at"))


@pytest.fixture
def page(newest_first: "list[Conversation]", live_server, chromium: Browser) -> Iterator[Page]:
    """The page of the newest conversation, for an annotator."""
    from tests.factories import make_person

    client = client_of(make_person("annotator", username="ana"))
    with watched(chromium, base_url=str(live_server)) as context:
        context.add_cookies(cookies_of(client, live_server.url))
        page = context.new_page()
        page.goto(address(newest_first[0]))
        page.wait_for_load_state("networkidle")
        yield page


def address(one: "Conversation", query: str = "") -> str:
    return f"/a/cafe/conversations/{one.pk}{query}"


def is_shown(page: Page, text: str) -> None:
    expect(page.locator("#conversation .bubble")).to_have_text(text)


def states() -> list[str]:
    """Newest first."""
    from conversations.models import Conversation

    return list(Conversation.objects.order_by("-last_event_at").values_list("review_state", flat=True))


def test_the_next_one_is_there_without_asking_the_server(page: Page, newest_first: "list[Conversation]"):
    page.route(re.compile("/conversations/"), lambda route: route.abort())
    page.keyboard.press("j")
    is_shown(page, "cake")
    expect(page).to_have_url(re.compile(f"{address(newest_first[1])}$"))
    expect(page).to_have_title(re.compile("cake"))


def test_the_panel_can_be_filled_in_on_the_page_that_was_fetched_ahead(page: Page):
    page.keyboard.press("j")
    is_shown(page, "cake")
    page.keyboard.press("i")
    page.keyboard.type("order_cake")
    expect(page.locator("[data-correction] [role=combobox]").first).to_have_value("order_cake")
    expect(page.locator("[data-new-intent]")).to_be_visible()


def test_what_is_fetched_ahead_is_read_only_when_it_is_shown(page: Page, newest_first: "list[Conversation]"):
    from conversations.models import ReadMark

    assert set(ReadMark.objects.values_list("conversation", flat=True)) == {newest_first[0].pk}
    with page.expect_response(re.compile(f"{newest_first[1].pk}/read$")):
        page.keyboard.press("j")
    assert set(ReadMark.objects.values_list("conversation", flat=True)) == {one.pk for one in newest_first[:2]}


def test_reviewed_moves_on_and_u_brings_it_back(page: Page, newest_first: "list[Conversation]"):
    with page.expect_response(re.compile("/review$")):
        page.keyboard.press("e")
    is_shown(page, "cake")
    assert states() == ["reviewed", "", "", ""]
    expect(page.locator(".toast")).to_contain_text("Marked as reviewed.")
    page.locator(".toast").hover()  # under the pointer it stays
    page.keyboard.press("u")
    is_shown(page, "soup again")
    expect(page.locator(".toast")).to_contain_text("Undone.")
    assert states() == [""] * 4
    expect(page.locator("#standing .status")).to_have_count(0)


def test_three_keys_in_a_row_review_three_conversations(page: Page, newest_first: "list[Conversation]"):
    for text in ("cake", "soup of the day", "tea"):
        page.keyboard.press("e")
        is_shown(page, text)
    with page.expect_response(re.compile("/review$")):
        page.keyboard.press("s")
    expect(page.locator(".toast", has_text="the last one of the list")).to_be_visible()
    expect(page.locator("#standing")).to_contain_text("Saved for later")
    assert states() == ["reviewed"] * 3 + ["saved"]


def test_a_key_pressed_while_the_page_is_turned_says_nothing_of_the_one_before(
    page: Page, newest_first: "list[Conversation]"
):
    from conversations.models import Correction

    held: list[Route] = []
    reviews: list[str] = []
    page.route(f"**{address(newest_first[2])}", lambda route: held.append(route))
    page.on("request", lambda request: reviews.append(request.url) if request.url.endswith("/review") else None)
    for key in "ee":
        page.keyboard.press(key)
        is_shown(page, "cake")  # the one after it is on its way
    for key in "ecst":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    for route in held:
        route.continue_()
    is_shown(page, "soup of the day")
    expect(page.locator(".toast", has_text="Marked as reviewed.").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert len(reviews) == 2
    assert states() == ["reviewed", "reviewed", "", ""]
    assert not Correction.objects.exists()
    expect(page.locator("#dialog")).to_be_hidden()
    page.keyboard.press("u")
    is_shown(page, "cake")
    expect(page.locator(".toast", has_text="Undone.")).to_be_visible()
    assert states() == ["reviewed", "", "", ""]


def test_the_last_one_is_reviewed_once_however_often_the_key_is_pressed(page: Page, newest_first: "list[Conversation]"):
    held: list[Route] = []
    page.goto(address(newest_first[-1]))
    page.wait_for_load_state("networkidle")
    page.route("**/review", lambda route: held.append(route))
    for key in "eee":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#standing")).to_contain_text("Reviewed")
    page.keyboard.press("u")
    expect(page.locator(".toast")).to_contain_text("Undone.")
    assert states() == [""] * 4


def test_two_keys_that_lead_elsewhere_do_so_on_a_page_that_stood_still_between_them(
    page: Page, newest_first: "list[Conversation]"
):
    """By the time at which they were pressed: a letter that came alone would be an answer."""
    from conversations.models import Correction

    page.keyboard.press("g")
    page.evaluate("""() => void setTimeout(() => {
        const until = performance.now() + 3000;
        while (performance.now() < until);
    })""")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/conversations/$"))
    assert not Correction.objects.exists()


def test_the_filters_of_the_list_stay(page: Page, newest_first: "list[Conversation]"):
    page.goto(address(newest_first[0], "?q=soup"))
    page.keyboard.press("j")
    is_shown(page, "soup of the day")
    page.get_by_role("link", name="Conversations").last.click()
    expect(page).to_have_url(re.compile(r"conversations/\?q=soup&around="))


def test_one_comes_back_to_ones_place_in_the_list(page: Page, newest_first: "list[Conversation]"):
    page.goto("/a/cafe/conversations/?q=soup")
    page.get_by_role("link", name="soup again").click()
    page.wait_for_url(re.compile("/conversations/[0-9]+"), wait_until="networkidle")
    page.keyboard.press("j")
    is_shown(page, "soup of the day")
    page.keyboard.press("b")
    page.wait_for_url(re.compile("around="), wait_until="networkidle")
    expect(page.locator("a.row-link:focus")).to_have_text("soup of the day")
    page.go_back(wait_until="networkidle")  # to what was read last
    is_shown(page, "soup of the day")
    page.go_back()  # to the list, however many were read
    expect(page.locator("a.row-link")).to_have_count(2)


def test_previous_leads_back_to_what_was_read_though_the_list_lost_it(page: Page, newest_first: "list[Conversation]"):
    """As a filter for what is unread would: here the one that leads on holds something else."""
    from conversations.models import Event
    from conversations.services.rebuild import rebuild_conversations

    page.goto(address(newest_first[0], "?q=soup"))
    page.keyboard.press("j")
    is_shown(page, "soup of the day")
    Event.objects.filter(conversation=newest_first[0]).update(
        text="tea", payload='{"event": "user", "text": "tea now"}'
    )
    list(rebuild_conversations())
    page.keyboard.press("k")
    is_shown(page, "tea now")


def test_a_review_that_does_not_arrive_says_so(page: Page, newest_first: "list[Conversation]"):
    page.route(re.compile("/review$"), lambda route: route.abort())
    page.keyboard.press("e")
    expect(page.locator(".toast-error")).to_contain_text("did not take that")
    page.locator(".toast-error").get_by_role("button", name="Back to it").click()
    is_shown(page, "soup again")
    assert states() == [""] * 4


def test_flag_tag_and_story_by_keyboard(page: Page, newest_first: "list[Conversation]"):
    page.keyboard.press("f")
    expect(page.locator("#standing")).to_contain_text("Flagged")
    expect(page.get_by_role("button", name="Unflag")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator("#message-marks")).to_contain_text("Flagged")
    page.keyboard.press("t")
    page.locator("#dialog [name=name]").fill("Late Delivery")
    page.keyboard.press("Enter")
    expect(page.locator("#standing .tag")).to_have_text("late delivery")
    expect(page.locator("#dialog")).not_to_be_visible()
    page.keyboard.press("y")
    expect(page.locator("#story-text")).to_contain_text("intent: greet")
    page.get_by_role("link", name="Test story").click()
    expect(page.locator("#story-text")).to_contain_text("soup again")


def test_unread_is_marked_after_the_notice_of_undo_is_gone(page: Page, newest_first: "list[Conversation]"):
    from conversations.models import ReadMark

    with page.expect_response(re.compile("/read$")):
        page.keyboard.press("u")
    expect(page.locator(".toast")).to_contain_text("Marked as unread.")
    assert not ReadMark.objects.filter(conversation=newest_first[0]).exists()


def test_no_page_is_fetched_twice(page: Page, newest_first: "list[Conversation]"):
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.method == "GET" and re.search(r"/conversations/\d+$", request.url):
            asked.append(request.url)

    page.on("request", note)
    for text in ("cake", "soup of the day"):
        page.keyboard.press("j")
        is_shown(page, text)
    page.wait_for_load_state("networkidle")
    assert [int(url.rsplit("/", 1)[1]) for url in asked] == [one.pk for one in newest_first[2:]]


def test_the_list_is_walked_by_j_and_k_and_what_is_said_of_a_message_stands_below_it(page: Page):
    page.goto("/a/cafe/conversations/?q=soup")
    focused = page.locator("a.row-link:focus")
    for key, title in [("j", "soup again"), ("j", "soup of the day"), ("j", "soup of the day"), ("k", "soup again")]:
        page.keyboard.press(key)
        expect(focused).to_have_text(title)
    page.keyboard.press("Enter")
    is_shown(page, "soup again")
    page.wait_for_load_state()  # a busy machine shows the page a moment before its scripts
    expect(page.locator("#conversation .verdict")).to_be_empty()
    page.keyboard.press("c")
    expect(page.locator("#conversation .verdict")).to_have_text("confirmed")
    page.keyboard.press("z")
    expect(page.locator("#conversation .verdict")).to_be_empty()
    page.keyboard.press("i")
    page.keyboard.type("order_soup")
    page.keyboard.press("Enter")
    expect(page.locator("#conversation .verdict")).to_contain_text("order_soup")
    page.keyboard.press("j")  # is no letter of the field any more
    is_shown(page, "soup of the day")


def test_a_panel_takes_a_correction_in_the_moment_it_is_there(page: Page):
    """As a form of htmx from its first moment on: a plain one would load the whole page anew."""
    page.evaluate("""() => addEventListener("htmx:afterSwap", ({ target }) => setTimeout(() => {
        const field = target.querySelector("[data-correction] [name=intent]");
        if (!field) return;
        field.value = "order_soup";
        field.form.requestSubmit();
    }), { once: true })""")
    page.evaluate("window.isSamePage = true")
    page.locator("[data-choose]").click()
    expect(page.locator("#conversation .verdict")).to_contain_text("order_soup")
    assert page.evaluate("window.isSamePage")


@pytest.fixture
def long_talk(newest_first: "list[Conversation]") -> "Conversation":
    """Before the others: twenty messages, each answered, of which NLU understood all but the last."""
    from conversations.models import Conversation
    from tests.conversations.events import bot, user
    from tests.factories import store_events

    said = [
        one
        for number in range(20)
        for one in (
            user(
                f"question {number}", 1_790_001_000.0 + number, sender="long", confidence=0.3 if number == 19 else 0.9
            ),
            bot(f"answer {number}", 1_790_001_000.5 + number, sender="long"),
        )
    ]
    store_events(newest_first[0].environment, *said)
    return Conversation.objects.get(sender_id="long")


def chosen(page: Page, text: str) -> None:
    """In the conversation as in its panel, which is what keys correct."""
    expect(page.locator("#conversation .bubble[aria-current]")).to_have_text(text)
    expect(page.locator("#panel h2").first).to_have_text(text)


def look_elsewhere_and_come_back(page: Page) -> None:
    for text in ("question 18", "question 19"):
        page.locator("#conversation .bubble", has_text=text).click()
        chosen(page, text)


def test_what_was_typed_of_a_message_stays_with_it_until_it_is_said(page: Page, long_talk: "Conversation"):
    page.goto(address(long_talk))
    chosen(page, "question 19")
    panel, verdict = page.locator("#panel"), page.locator("#conversation .verdict", has_text="order_tea")
    field, entity, save = (
        panel.locator(one) for one in ("[name=intent]", "[data-fact=entity]", ".combobox > [type=submit]")
    )
    said = field.input_value()
    field.fill("order_tea")
    panel.locator("[data-mark]").click()
    page.keyboard.press("Enter")
    page.keyboard.type("drink")
    page.locator("#conversation .bubble", has_text="question 18").click()
    chosen(page, "question 18")
    expect(field).to_have_value(said)
    look_elsewhere_and_come_back(page)
    expect(field).to_have_value("order_tea")
    expect(entity).to_have_value("drink")
    page.route("**/correct", lambda route: route.abort())
    save.click()
    expect(page.locator("#toasts")).to_contain_text("cannot be reached")
    look_elsewhere_and_come_back(page)
    expect(field).to_have_value("order_tea")
    page.unroute("**/correct")
    field.fill("order tea")
    save.click()
    expect(panel.get_by_role("alert")).to_be_visible()
    field.fill("order green tea")
    look_elsewhere_and_come_back(page)
    expect(field).to_have_value("order green tea")
    field.fill("order_tea")
    save.click()
    expect(verdict).to_have_count(1)
    panel.locator("[data-shortcut=z]").click()
    expect(verdict).to_have_count(0)
    look_elsewhere_and_come_back(page)
    expect(field).to_have_value(said)
    expect(entity).to_have_count(0)


def test_the_outlined_message_is_the_one_of_the_panel(page: Page, long_talk: "Conversation"):
    """Also after a reload, after another conversation, and where a panel never came."""
    page.goto(address(long_talk))
    chosen(page, "question 19")
    page.get_by_text("question 2", exact=True).click()
    chosen(page, "question 2")
    page.reload()
    chosen(page, "question 2")
    page.route(re.compile("/panel$"), lambda route: route.abort())
    page.get_by_text("question 4", exact=True).click()
    expect(page.locator(".toast-error")).to_be_visible()
    chosen(page, "question 2")
    page.unroute(re.compile("/panel$"))
    page.keyboard.press("j")
    chosen(page, "soup again")
    page.keyboard.press("k")
    chosen(page, "question 19")


def test_the_chosen_message_is_in_sight_and_keys_choose_its_neighbours(page: Page, long_talk: "Conversation"):
    page.goto(address(long_talk))
    expect(page.locator("#conversation .bubble[aria-current]")).to_be_in_viewport(ratio=1)
    page.keyboard.press("j")
    chosen(page, "soup again")
    page.keyboard.press("k")
    chosen(page, "question 19")
    expect(page.locator("#conversation .bubble[aria-current]")).to_be_in_viewport(ratio=1)
    page.keyboard.press("l")
    chosen(page, "answer 19")
    page.keyboard.press("l")  # there is no other
    for _ in range(39):
        page.keyboard.press("h")
    chosen(page, "question 0")
    expect(page.locator("#conversation .bubble[aria-current]")).to_be_in_viewport(ratio=1)


def test_while_a_panel_is_on_its_way_nothing_is_said_of_the_message_before(page: Page, long_talk: "Conversation"):
    from conversations.models import Correction

    held: list[Route] = []
    page.goto(address(long_talk))
    chosen(page, "question 19")
    page.route("**/panel", lambda route: held.append(route))
    page.keyboard.press("h")
    page.keyboard.press("c")
    page.wait_for_timeout(300)
    assert not Correction.objects.exists()
    for route in held:
        route.continue_()
    page.unroute("**/panel")
    chosen(page, "answer 18")
    page.keyboard.press("h")
    chosen(page, "question 18")
    with page.expect_response(re.compile("/correct$")):
        page.keyboard.press("c")
    assert Correction.objects.get().text == "question 18"


STANDS_BELOW = """() => {
  const [said, panel] = [".said:has(> [aria-current])", "#panel"].map((one) => document.querySelector(one).getBoundingClientRect());
  return said.bottom <= panel.top && panel.top < said.bottom + 60;
}"""


def test_in_a_narrow_window_the_panel_stands_below_its_message(page: Page, long_talk: "Conversation"):
    page.set_viewport_size({"width": 820, "height": 844})
    page.goto(address(long_talk))
    for text in ("question 19", "answer 3", "question 3"):
        page.locator("#conversation").get_by_text(text, exact=True).first.click()
        chosen(page, text)
        expect(page.locator("#panel h2").first).to_be_in_viewport()
        page.wait_for_function(STANDS_BELOW)
    page.locator("#panel [data-step='1']").click()
    chosen(page, "answer 3")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator(".aside > #panel")).to_be_visible()


def test_on_a_phone_a_tap_on_a_message_leaves_the_reader_where_they_are(page: Page, long_talk: "Conversation"):
    page.set_viewport_size(PHONE)
    page.goto(address(long_talk))
    sheet, message = page.locator("#panel"), bubble(page, "question 10")
    expect(sheet).to_be_hidden()
    message.evaluate("one => scrollBy(0, one.getBoundingClientRect().top - 200)")
    message.click()
    chosen(page, "question 10")
    assert round(message.bounding_box()["y"]) == 200
    page.get_by_role("button", name="Close").click()
    expect(sheet).to_be_hidden()
    assert round(message.bounding_box()["y"]) == 200
    page.keyboard.press("Enter")  # on the button that opens it again
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_on_a_phone_neither_the_sheet_nor_the_foot_hides_what_one_reads(page: Page, long_talk: "Conversation"):
    page.set_viewport_size(PHONE)
    page.goto(address(long_talk))
    message, sheet = bubble(page, "question 19"), page.locator("#panel")
    message.click()
    chosen(page, "question 19")
    expect(sheet).to_be_visible()
    reviewed = page.get_by_role("button", name="Mark as reviewed and read the next")
    assert bottom(message) <= sheet.bounding_box()["y"]
    assert bottom(sheet) <= reviewed.bounding_box()["y"]
    reviewed.click()
    is_shown(page, "soup again")
    expect(sheet).to_be_hidden()
    toast = page.locator(".toast", has_text="Marked as reviewed.")
    expect(toast).to_be_visible()
    toast.hover()
    assert bottom(toast) <= reviewed.bounding_box()["y"]


def bubble(page: Page, text: str) -> Locator:
    return page.locator("#conversation .bubble", has_text=re.compile(f"^{text}$"))


def bottom(one: Locator) -> float:
    box = one.bounding_box()
    return box["y"] + box["height"]


def test_of_many_notices_the_last_three_stay_and_u_takes_back_the_last(page: Page):
    for text in ("cake", "soup of the day", "tea"):
        with page.expect_response(re.compile("/review$")):
            page.keyboard.press("e")
        is_shown(page, text)
    page.keyboard.press("e")
    expect(page.locator(".toast").last).to_contain_text("the last one of the list")
    assert page.locator(".toast").count() <= 3
    page.locator(".toast").last.hover()
    page.keyboard.press("u")
    expect(page.locator(".toast").last).to_contain_text("Undone.")
    assert states() == ["reviewed", "reviewed", "reviewed", ""]


def test_an_empty_list_shows_the_first_conversation_by_itself(page: Page):
    from tests.conversations.events import user
    from tests.factories import environment_of, make_assistant, store_events

    production = environment_of(make_assistant("bakery"))
    page.goto("/a/bakery/conversations/")
    expect(page.get_by_role("heading", name="No conversations yet")).to_be_visible()
    store_events(production, user("two rolls", 1_790_000_000.0, sender="early"))
    expect(page.get_by_role("link", name="two rolls")).to_be_visible(timeout=15_000)
    expect(page.locator("#listed")).not_to_have_attribute("hx-get", re.compile("."))
