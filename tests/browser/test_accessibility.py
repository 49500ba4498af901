"""Every page as a browser shows it, wide and on a phone, light and dark: WCAG 2.2 AA, fit, and no complaint.

axe says what is wrong, and page_checks.js what axe does not look for. One world serves all pages; each page is loaded
twice, and looked at in both themes.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from studio.access.models import User
from tests.browser.keys import Keys
from tests.browser.pages import DIALOGS, MENUS, PAGES, PUBLIC_PAGES, UNFOLDED
from tests.browser.pages_world import make_pages_world
from tests.clients import client_of, cookies_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db, pytest.mark.urls("tests.web.urls")]

CHECKS = (Path(__file__).parent / "page_checks.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES_OF_COLOUR = ["color-contrast", "link-in-text-block"]  # all that the other theme can break
AT_ONCE = "() => document.getAnimations().forEach((one) => one instanceof CSSTransition && one.finish())"
NOT_OURS = {"exclude": [["#swagger-ui > *"]]}  # Swagger UI is as django-ninja brings it
COMING = ".htmx-request, body[inert], [data-chat-module] > .guest-closed"  # what a page still waits for
ZOOMED = {"200 %": 640, "400 %": 320}  # CSS pixels of a window of 1280
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
UNSAID_IN_TESTS = "Failed to load resource"  # the pages of errors are answered with their own status


@pytest.fixture(scope="module")
def words(django_db_setup: None, django_db_blocker, tmp_path_factory) -> Iterator[dict[str, object]]:
    """A committed world, for a server of another thread; what fills the {placeholders}."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setattr(settings, "ARTIFACTS_DIR", tmp_path_factory.mktemp("artifacts"))
        yield make_pages_world()
        call_command("flush", verbosity=0, interactive=False)
        connections.close_all()  # Django keeps another one for code below playwright's loop, as all of this is


@pytest.fixture(scope="module")
def server(words: dict[str, object]) -> Iterator[LiveServer]:
    """pytest-django's own fixture would empty the database after each page."""
    server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def signed_in(words: dict[str, object], server: LiveServer) -> list[dict[str, str]]:
    """The cookies of an admin."""
    return cookies_of(client_of(User.objects.get(pk=words["admin"])), server.url)


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["wide", "phone"])
def browsers(
    request, chromium: Browser, signed_in: list[dict[str, str]]
) -> Iterator[tuple[BrowserContext, BrowserContext]]:
    """The browser of an admin, and that of somebody unknown."""
    admins, anybodys = (chromium.new_context(**request.param, reduced_motion="reduce") for _ in range(2))
    admins.add_cookies(signed_in)
    yield admins, anybodys
    admins.close()
    anybodys.close()


def problems_of(context: BrowserContext, address: str) -> list[str]:
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(address)
    expect(page.locator(COMING)).to_have_count(0)
    expect(page.locator("h1").first).to_be_attached()
    found = look(page)
    page.close()
    return found + [one for one in complaints if UNSAID_IN_TESTS not in one]


def look(page: Page) -> list[str]:
    """What is wrong with the page as it stands; where the window is wide, also in the dark and zoomed in.

    A phone's colours are those of the wide page, and are looked at there: they take axe the longest.
    """
    page.evaluate(AXE_SCRIPT)
    is_wide = page.viewport_size == DESKTOP["viewport"]
    light = page.evaluate(CHECKS) + violations(page, RULES, without=[] if is_wide else RULES_OF_COLOUR)
    if not is_wide:
        return light
    return [
        *(f"light: {problem}" for problem in light),
        *(f"dark: {problem}" for problem in violations(page, RULES_OF_COLOUR, theme="dark")),
        *(f"at {zoom}: {problem}" for zoom, width in ZOOMED.items() for problem in squeezed(page, width)),
    ]


def violations(
    page: Page, rules: list[str], theme: Literal["light", "dark"] = "light", without: Sequence[str] = ()
) -> list[str]:
    page.emulate_media(color_scheme=theme)
    page.evaluate(AT_ONCE)
    left_out = {rule: {"enabled": False} for rule in without}
    options = {"resultTypes": ["violations"], "runOnly": rules, "rules": left_out}
    found = page.evaluate("([context, options]) => axe.run(context, options)", [NOT_OURS, options])
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def squeezed(page: Page, width: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": 450})
    return page.evaluate(CHECKS)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_used_by_everybody(path: str, browsers, words: dict[str, object], server: LiveServer) -> None:
    problems = problems_of(browsers[0], f"{server}{path.format(**words)}")
    assert not problems, "\n".join(problems)


def test_the_list_of_conversations_is_no_wider_for_the_name_of_a_link(browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}/a/{words['slug']}/conversations/?origin=link:{words['busy_link']}")
    expect(page.locator(".sub > .badge", has_text="Friends").first).to_be_visible()
    assert page.locator(".table-wrap").evaluate("one => one.scrollWidth - one.clientWidth") == 0
    page.close()


@pytest.mark.parametrize("path", PUBLIC_PAGES)
def test_a_page_without_an_account_can_be_used_by_everybody(path: str, browsers, words, server: LiveServer) -> None:
    problems = problems_of(browsers[1], f"{server}{path.format(**words)}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("path", "dialog"), DIALOGS)
def test_a_dialog_can_be_used_by_everybody(path: str, dialog: str, browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}{path.format(**words)}")
    swap(page, dialog.format(**words), "#dialog", "innerHTML")
    expect(page.get_by_role("dialog")).to_be_visible()
    problems = look(page)
    held = page.evaluate("document.activeElement.matches('dialog :not([aria-label=Close])')")
    page.close()
    assert not problems, "\n".join(problems)
    assert held


@pytest.mark.parametrize(("path", "menu"), MENUS)
def test_an_open_menu_can_be_used_by_everybody(path: str, menu: str, browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}{path.format(**words)}")
    button = page.get_by_role("button", name=menu)
    if not button.is_visible():
        page.get_by_role("button", name="Menu", exact=True).click()
    button.click()
    expect(page.get_by_role("menu")).to_be_visible()
    problems = look(page)
    page.close()
    assert not problems, "\n".join(problems)


def test_a_menu_closes_when_the_page_moves_below_it(browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}/a/{words['slug']}/models/")
    page.get_by_role("button", name="Actions for otter").click()
    expect(page.get_by_role("menu")).to_be_visible()
    page.evaluate("document.body.style.paddingBlockEnd = '200vh'; scrollBy(0, 120)")
    expect(page.get_by_role("menu")).to_have_count(0)
    page.close()


@pytest.mark.parametrize(("path", "summary"), UNFOLDED)
def test_what_unfolds_can_be_used_by_everybody(path: str, summary: str, browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}{path.format(**words)}")
    unfold(page, summary)
    problems = look(page)
    page.close()
    assert not problems, "\n".join(problems)


def unfold(page: Page, summary: str) -> None:
    """On a phone one fold of the filters lies in another."""
    outer = page.locator(".filters-fold > summary")
    wanted = page.locator("summary").filter(has_text=re.compile(f"^\\s*{summary}")).last
    if not wanted.is_visible() and outer.count():
        outer.click()
    wanted.click()


def swap(page: Page, address: str, target: str, how: str) -> None:
    page.wait_for_function("window.htmx")
    page.evaluate("([url, target, swap]) => htmx.ajax('GET', url, {target, swap})", [address, target, how])


def test_a_fragment_that_replaces_itself_leaves_the_focus_where_it_was(browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    address = f"/a/{words['slug']}/environments/"
    page.goto(f"{server}{address}")
    page.get_by_role("button", name="Actions for production").focus()
    swap(page, address, "#live", "outerHTML")
    expect(page.get_by_role("button", name="Actions for production")).to_be_focused()
    page.close()


def test_what_is_swapped_out_of_band_keeps_the_focus_too(browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    address = f"/a/{words['slug']}/environments/production"
    page.goto(f"{server}{address}")
    page.get_by_role("button", name="Actions for production").focus()
    swap(page, address, "#live", "outerHTML")
    expect(page.get_by_role("button", name="Actions for production")).to_be_focused()
    page.close()


def test_a_closed_dialog_gives_the_focus_to_what_replaced_its_opener(browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    address = f"/a/{words['slug']}/environments/"
    page.goto(f"{server}{address}")
    page.get_by_role("link", name="Run here").last.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    swap(page, address, "#live", "outerHTML")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Run here").last).to_be_focused()
    page.close()


def test_on_the_way_back_the_focus_does_not_go_below_the_bar(chromium, signed_in, words, server: LiveServer) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 400})
    context.add_cookies(signed_in)
    page = context.new_page()
    page.goto(f"{server}/settings/roles/annotator")
    page.get_by_role("checkbox").last.focus()
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        Keys(page).see()
    context.close()


def test_the_address_of_a_server_is_asked_only_where_the_team_runs_it(browsers, words, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}/a/{words['slug']}/environments/new/")
    expect(page.get_by_label("Address of the Rasa server")).to_be_visible()
    page.get_by_label("Run one here").check()
    expect(page.get_by_label("Address of the Rasa server")).to_be_hidden()
    page.close()


def test_the_address_of_an_assistant_follows_its_name_until_it_is_written(browsers, server: LiveServer) -> None:
    page = browsers[0].new_page()
    page.goto(f"{server}/assistants/new")
    page.get_by_label("Name").fill("Café  Lumen, Köln!")
    expect(page.get_by_label("Address")).to_have_value("cafe-lumen-koln")
    page.get_by_label("Address").fill("lumen")
    page.get_by_label("Name").fill("Another")
    expect(page.get_by_label("Address")).to_have_value("lumen")
    page.close()


def test_the_drawer_takes_the_focus_and_closes_when_it_leaves(chromium, signed_in, words, server: LiveServer) -> None:
    """Also who zooms in to 200 % gets it, and has keys. With motion: what fades in takes no focus."""
    context = chromium.new_context(viewport={"width": 640, "height": 450})
    context.add_cookies(signed_in)
    page = context.new_page()
    page.goto(f"{server}/a/{words['slug']}/")
    button = page.get_by_role("button", name="Menu", exact=True)
    button.press("Enter")
    expect(page.get_by_role("button", name="Switch assistant")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    button.press("Enter")
    page.get_by_role("button", name="Keyboard shortcuts").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#rail")).not_to_have_attribute("data-open", "")
    context.close()
