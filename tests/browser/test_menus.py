"""Menus by keys, in a real browser: what is pressed at once reaches the menu, also before it has told that it opened."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import watched
from tests.clients import client_of, cookies_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# In one go: the event that tells of an opened menu comes when all of them have been heard.
PRESS = """(button, keys) => {
  button.focus();
  button.click();
  for (const key of keys) document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
}"""


@pytest.fixture
def page(transactional_db: None, redis_client: object, live_server, chromium: Browser) -> Iterator[Page]:
    from tests.factories import make_assistant, make_person

    make_assistant("cafe")
    client = client_of(make_person("annotator", username="ana"))
    with watched(chromium, base_url=str(live_server)) as context:
        context.add_cookies(cookies_of(client, live_server.url))
        page = context.new_page()
        page.goto("/a/cafe/")
        page.wait_for_load_state("networkidle")
        yield page


@pytest.mark.parametrize(("keys", "chosen"), [([], 0), (["ArrowDown"], 1), (["ArrowUp"], -1), (["End"], -1)])
def test_keys_pressed_at_once_move_within_the_menu(page: Page, keys: list[str], chosen: int) -> None:
    page.get_by_role("button", name="account and theme").evaluate(PRESS, keys)
    entries = page.locator("#account-menu [role^=menuitem]")
    expect(entries.nth(chosen)).to_be_focused()
    page.wait_for_timeout(100)  # in which the event comes
    expect(entries.nth(chosen)).to_be_focused()


def test_end_and_enter_sign_out(page: Page) -> None:
    page.get_by_role("button", name="account and theme").evaluate(PRESS, ["End", "Enter"])
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_signs_out_leaves_no_draft_to_the_next_person(page: Page) -> None:
    page.evaluate(
        "sessionStorage.setItem('parley-draft-talk', 'for nobody else'); localStorage.setItem('parley-theme', 'dark')"
    )
    page.get_by_role("button", name="account and theme").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 1]


def test_the_key_that_opened_a_menu_may_be_held_and_pressed_again_it_chooses(page: Page) -> None:
    button, menu = page.get_by_role("button", name="account and theme"), page.locator("#account-menu")
    button.focus()
    for _ in range(3):
        page.keyboard.down("Enter")  # again while it is down: it repeats
    page.keyboard.up("Enter")
    expect(menu).to_be_visible()
    expect(menu.locator("[role^=menuitem]").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(menu).to_be_hidden()


def test_arrows_open_a_menu_and_escape_closes_it(page: Page) -> None:
    button, menu = page.get_by_role("button", name="account and theme"), page.locator("#account-menu")
    button.focus()
    page.keyboard.press("ArrowDown")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()
