"""The editor of training data in a real browser: keys, errors, other people's revisions, leaving with changes."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from tests.browser.conftest import watched
from tests.browser.waiting import until
from tests.clients import cookies_of

if TYPE_CHECKING:
    from models_app.models import Assistant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NLU = 'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n'
FILES = {
    "config.yml": b"recipe: default.v1\npipeline:\n- name: WhitespaceTokenizer\npolicies:\n- name: RulePolicy\n",
    "domain.yml": b'version: "3.1"\nintents:\n- greet\nresponses:\n  utter_greet:\n  - text: Hello!\n',
    "data/nlu.yml": NLU.encode(),
}
FILE = "/a/cafe/data/file/data/nlu.yml"
EDIT = "/a/cafe/data/edit/data/nlu.yml"

Open = Callable[..., Page]


@pytest.fixture
def assistant(transactional_db: None, redis_client: object) -> "Assistant":
    from models_app.services.revisions import save_revision
    from tests.factories import make_assistant

    assistant = make_assistant("cafe")
    save_revision(actor=None, assistant=assistant, files=FILES, message="Begin", parent_number=None)
    return assistant


@pytest.fixture
def open_as(assistant: "Assistant", live_server, chromium: Browser) -> Iterator[Open]:
    """`open_as("ana")` is the editor in the browser of a new person of that name."""
    from contextlib import ExitStack

    from tests.factories import make_person

    with ExitStack() as stack:

        def open_page(name: str, path: str = EDIT, **options: object) -> Page:
            client = Client()
            person = make_person("admin", username=name)
            person.set_password("correct-horse-battery")
            person.save()
            client.force_login(person)
            context = stack.enter_context(watched(chromium, base_url=str(live_server), **options))
            context.add_cookies(cookies_of(client, live_server.url))
            page = context.new_page()
            page.goto(path)
            return page

        yield open_page


@pytest.fixture
def page(open_as: Open) -> Page:
    return open_as("ana")


def text_of(page: Page):
    return page.get_by_label("Text of data/nlu.yml")


def type_at_end(page: Page, text: str) -> None:
    text_of(page).focus()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def test_control_s_saves_a_new_revision(page: Page) -> None:
    type_at_end(page, "    - good morning")
    page.keyboard.press("Control+s")
    expect(page).to_have_url(re.compile(rf"{FILE}#L\d+$"))
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()
    expect(page.get_by_text("good morning")).to_be_visible()


def test_tab_indents_and_after_escape_leaves_the_field(page: Page) -> None:
    type_at_end(page, "- a\n")
    page.keyboard.press("Tab")
    page.keyboard.type("b")
    expect(text_of(page)).to_have_value(NLU + "- a\n  b")
    page.keyboard.press("Shift+Tab")
    expect(text_of(page)).to_have_value(NLU + "- a\nb")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(text_of(page)).not_to_be_focused()
    expect(page.get_by_label("Message")).to_be_focused()


def test_several_lines_are_indented_together_and_one_undo_takes_it_back(page: Page) -> None:
    text_of(page).focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Tab")
    expect(text_of(page)).to_have_value("".join(f"  {line}\n" for line in NLU.splitlines()))
    page.keyboard.press("Control+z")
    expect(text_of(page)).to_have_value(NLU)


def test_a_new_line_keeps_the_indentation(page: Page) -> None:
    type_at_end(page, "    - hey\n- ho")
    expect(text_of(page)).to_have_value(NLU + "    - hey\n    - ho")


def test_invalid_yaml_is_marked_where_it_is_and_nothing_is_lost(page: Page) -> None:
    type_at_end(page, "  oops: [1,\nmore: 2")
    typed = text_of(page).input_value()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Line 8, column 10: Expected", exact=False).last).to_be_visible()
    expect(page.locator(".bad-line")).to_have_text("8")
    expect(text_of(page)).to_have_value(typed)
    expect(text_of(page)).to_be_focused()
    assert page.evaluate("document.activeElement.selectionStart") == len(typed)  # line 8, column 10


def test_leaving_with_unsaved_changes_asks_first(page: Page) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    type_at_end(page, "    - hey")
    page.get_by_role("link", name="Cancel").click()
    assert asked == ["beforeunload"]
    expect(text_of(page)).to_have_value(NLU + "    - hey")


def test_leaving_without_changes_does_not_ask(page: Page) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    type_at_end(page, "x")
    page.keyboard.press("Backspace")
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(re.compile(f"{FILE}$"))
    assert asked == []


def test_who_saves_second_sees_the_other_text_and_keeps_their_own(page: Page, open_as: Open) -> None:
    ben = open_as("ben")
    type_at_end(ben, "    - from ben")
    ben.keyboard.press("Control+s")
    expect(ben.get_by_text("Saved as revision 2.")).to_be_visible()

    type_at_end(page, "    - from ana")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("ben saved revision 2 meanwhile")
    expect(page.get_by_text("- from ben").first).to_be_visible()
    expect(text_of(page)).to_have_value(NLU + "    - from ana")
    page.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Saved as revision 3.")).to_be_visible()


@pytest.mark.parametrize("path", [EDIT, "/a/cafe/data/new"])
def test_who_saves_again_while_it_is_being_saved_is_not_told_of_a_collision(page: Page, path: str) -> None:
    from models_app.models import Revision

    arrived: list[Route] = []

    def be_slow(route: Route) -> None:
        if route.request.method != "POST" or arrived:
            return route.continue_()
        route.fetch(max_redirects=0)  # the server saved it, and its answer is not here yet
        return arrived.append(route)

    page.goto(path)
    page.route("**/data/*", be_slow) if path != EDIT else page.route(f"**{EDIT}", be_slow)
    text = page.locator(".editor textarea")
    text.press("Control+End")
    page.keyboard.type("  # mine")
    if path != EDIT:
        page.get_by_label("Path").fill("data/more.yml")
    page.keyboard.press("Control+s")
    until(page, lambda: arrived, "the server to save it")
    page.keyboard.press("Control+s")
    expect(page).to_have_url(re.compile(r"/data/file/data/\w+\.yml(#L\d+)?$"))
    expect(page.get_by_text("This is saved already.")).to_be_visible()
    assert Revision.objects.count() == 2


def test_a_sign_in_that_comes_between_costs_nothing_that_was_typed(page: Page) -> None:
    type_at_end(page, "    - from before")
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.keyboard.press("Control+s")
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill("correct-horse-battery")
    page.get_by_role("button", name="Sign in").click()
    expect(text_of(page)).to_have_value(NLU + "    - from before")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as revision 2.")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(open_as: Open) -> None:
    page = open_as("ana", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    type_at_end(page, "    - " + "long " * 60)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    save = page.get_by_role("button", name="Save").bounding_box()
    assert save is not None
    assert save["height"] >= 40


def test_edit_begins_at_the_line_one_came_from_and_saving_leads_back_to_it(open_as: Open) -> None:
    page = open_as("ana", f"{FILE}#L5")
    page.get_by_role("link", name="Edit").click()
    expect(text_of(page)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" there")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(f"{FILE}#L5$"))
    expect(page.locator(".line:target")).to_contain_text("- hi there")
