"""The shell in a real browser: menus, dialogs, toasts, theme and keyboard, under the strict policy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import PROGRAM, launched

pytestmark = [
    pytest.mark.browser,
    pytest.mark.urls("tests.web.urls"),
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine"),
]


@pytest.fixture
def page(live_server: object) -> Iterator[Page]:
    """The component page; whatever the browser complains about fails the test."""
    complaints: list[str] = []
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None
        )
        page.goto(f"{live_server}/_components/")
        yield page
    assert complaints == []


def test_a_row_menu_is_worked_by_keys_and_gives_the_focus_back(page: Page) -> None:
    dots = page.get_by_role("button", name="Actions for brisk-otter")
    dots.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Promote…")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Delete in use")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Delete in use")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dots).to_be_focused()


def test_a_dialog_asks_for_the_word_and_closes_by_escape(page: Page) -> None:
    opener = page.get_by_role("link", name="Delete…", exact=True).first
    opener.click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Delete the assistant")
    expect(confirm).to_be_disabled()
    page.get_by_label("to confirm").fill("cafe-lumen")
    expect(confirm).to_be_enabled()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def test_what_was_filled_in_survives_a_slip_of_the_mouse_and_the_first_escape(page: Page) -> None:
    opener = page.get_by_role("link", name="New…", exact=True)
    opener.click()
    box, name = page.locator("#dialog"), page.locator("#dialog [name=name]")
    name.fill("staging")
    select_from_inside_to_beside(page)
    expect(name).to_have_value("staging")
    page.mouse.click(20, 400)
    expect(box.get_by_role("alert")).to_contain_text("Not saved yet")
    name.press("End")
    name.press_sequentially("-2")
    expect(box.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(name).to_have_value("staging-2")
    expect(box.get_by_role("alert")).to_contain_text("Esc or Cancel throws it away")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_dialog_in_which_nothing_was_filled_in_closes_by_a_click_beside_it_alone(page: Page) -> None:
    page.get_by_role("link", name="New…", exact=True).click()
    box = page.locator("#dialog")
    expect(box).to_be_visible()
    select_from_inside_to_beside(page)
    expect(box).to_be_visible()
    page.mouse.click(20, 400)
    expect(box).to_be_hidden()


def select_from_inside_to_beside(page: Page) -> None:
    field = page.locator("#dialog [name=name]").bounding_box()
    page.mouse.move(field["x"] + field["width"] / 2, field["y"] + field["height"] / 2)
    page.mouse.down()
    page.mouse.move(20, field["y"])
    page.mouse.up()


def test_a_failed_request_says_what_happened(page: Page) -> None:
    page.get_by_role("button", name="A request that fails").click()
    expect(page.get_by_role("status").filter(has_text="That is no longer there")).to_be_visible()


def test_the_chosen_theme_survives_a_reload(page: Page) -> None:
    page.get_by_role("button", name="Dark").first.click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(232, 233, 233)"


def test_the_question_mark_lists_the_keys_of_the_page(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Next")


def test_a_slash_goes_to_the_filter(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Filter by name")).to_be_focused()


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
