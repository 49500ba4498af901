"""Every page as a browser shows it, wide and on a phone, light and dark: names, order, contrast, fit, and no complaint.

page_checks.js says what is wrong. One world serves all pages; each page is loaded twice, and looked at in both themes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from studio.access.models import User
from tests.browser.pages_world import make_pages_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db, pytest.mark.urls("tests.web.urls")]

CHECKS = (Path(__file__).parent / "page_checks.js").read_text()
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
UNSAID_IN_TESTS = "Failed to load resource"  # the pages of errors are answered with their own status

PAGES = [
    "/a/{slug}/",
    "/a/{slug}/models/",
    "/a/{slug}/models/?name=nothing-is-called-so",
    "/a/{slug}/models/{model}",
    "/a/{slug}/models/{model}/tags",
    "/a/{slug}/models/{model}/delete",
    "/a/{slug}/models/{model}/promote",
    "/a/{slug}/models/{model}/compare",
    "/a/{slug}/models/{model}/compare?with={other_model}",
    "/a/{slug}/models/{model}/tests",
    "/a/{slug}/models/{model}/test",
    "/a/{slug}/models/crane/tests",
    "/a/{slug}/models/crane/tests?test={test}&sort=-support&pair={pair}#pair-{pair}",
    "/a/{slug}/models/crane/tests?with=better-crane",
    "/a/{slug}/models/bare-crane/tests",
    "/a/{slug}/training/{test}",
    "/a/{slug}/models/upload/",
    "/a/{slug}/training/",
    "/a/{slug}/training/1",
    "/a/{slug}/training/2",
    "/a/{slug}/data/",
    "/a/{slug}/data/file/domain.yml",
    "/a/{slug}/data/edit/domain.yml",
    "/a/{slug}/data/rename/domain.yml",
    "/a/{slug}/data/delete/domain.yml",
    "/a/{slug}/data/new",
    "/a/{slug}/data/upload",
    "/a/{slug}/data/revisions/",
    "/a/{slug}/data/revisions/2",
    "/a/{slug}/data/revisions/1/restore",
    "/a/{slug}/environments/",
    "/a/{slug}/environments/new/",
    "/a/{slug}/environments/production",
    "/a/{slug}/environments/production/edit",
    "/a/{slug}/environments/production/promote",
    "/a/{slug}/environments/worker/remove",
    "/a/{slug}/environments/worker/connection",
    "/a/{slug}/environments/production/completeness",
    "/a/{slug}/environments/worker/completeness",
    "/a/{slug}/environments/production/completeness/{run}",
    "/a/{slug}/environments/production/completeness/{failed_run}",
    "/a/{slug}/environments/production/completeness/check",
    "/a/{slug}/environments/production/completeness/{run}/backfill",
    "/a/{slug}/conversations/",
    "/a/{slug}/conversations/?q=nobody+said+this",
    "/a/{slug}/conversations/{conversation}",
    "/a/{slug}/conversations/{conversation}?events=all",
    "/a/{slug}/inbox/?days=365",
    "/a/{slug}/inbox/?days=365&m={unlooked}",
    "/a/{slug}/inbox/?intent=nobody_means_this",
    "/a/{slug}/inbox/?since=2020-01-01&until=2022-01-01",
    "/a/{slug}/examples/",
    "/a/{slug}/examples/?state=discarded",
    "/a/{slug}/examples/?intent=greet&person=anna",
    "/a/{slug}/conversations/{conversation}?events=action",
    "/a/{slug}/conversations/{conversation}/tag",
    "/a/{slug}/conversations/{conversation}/marks/{mark}/note",
    "/a/{slug}/conversations/{conversation}/story?kind=test",
    "/a/{slug}/analytics/?range=own&since=2026-01-01&until=2027-12-31",
    "/a/{slug}/analytics/?range=own&since=2020-01-01&until=2020-01-31&tz=Asia/Kolkata",
    "/a/{slug}/conversations/{conversation}/delete",
    "/a/{slug}/conversations/delete",
    "/a/{slug}/conversations/deletions/{erasure}",
    "/a/{slug}/conversations/deletions/{erasure}/confirm",
    "/a/{slug}/conversations/export",
    "/a/{slug}/conversations/exports/",
    "/a/{slug}/conversations/exports/{export}",
    "/a/{slug}/conversations/retention/",
    "/a/{slug}/conversations/retention/new",
    "/a/{slug}/conversations/retention/{rule}/dry-run",
    "/a/{slug}/conversations/unreadable/",
    "/a/{slug}/conversations/unreadable/?state=discarded",
    "/a/{slug}/conversations/unreadable/cause/not-json/",
    "/a/{slug}/conversations/unreadable/cause/not-json/retry",
    "/a/{slug}/conversations/unreadable/cause/not-json/discard",
    "/a/{slug}/conversations/unreadable/{cut_letter}",
    "/a/{slug}/conversations/unreadable/{bytes_letter}",
    "/a/{slug}/conversations/unreadable/{timeless_letter}",
    "/a/{slug}/conversations/unreadable/{list_letter}",
    "/a/{slug}/conversations/unreadable/{milliseconds_letter}",
    "/a/{slug}/conversations/unreadable/{cut_letter}/edit",
    "/a/{slug}/conversations/unreadable/{cut_letter}/discard",
    "/a/{slug}/intake/",
    "/a/{slug}/intake/new",
    "/a/{slug}/intake/adopt?name=abroad",
    "/a/{slug}/intake/{source}",
    "/a/{slug}/intake/{alarmed}",
    "/a/{slug}/intake/{source}/edit",
    "/a/{slug}/intake/{source}/remove",
    "/a/{slug}/intake/{source}/incidents/{incident}",
    "/a/{slug}/intake/{alarmed}/alarm/keep",
    "/a/{slug}/environments/worker/connection?broker=kafka",
    "/a/{slug}/environments/worker/connection?broker=other",
    "/a/{slug}/talk/",
    "/a/{slug}/talk/production/",
    "/a/{slug}/talk/compare",
    "/a/{slug}/share/",
    "/a/{slug}/share/new",
    "/a/{slug}/share/{link}",
    "/a/{slug}/share/{busy_link}",
    "/a/{slug}/share/{busy_link}/edit",
    "/a/{slug}/share/{link}/edit",
    "/a/{slug}/share/{link}/revoke",
    "/a/{slug}/settings",
    "/a/{slug}/settings/training",
    "/a/{slug}/delete",
    "/a/{empty}/",
    "/a/{empty}/models/",
    "/a/{empty}/training/",
    "/a/{empty}/data/",
    "/a/{empty}/conversations/",
    "/a/{empty}/conversations/exports/",
    "/a/{empty}/conversations/retention/",
    "/a/{empty}/conversations/unreadable/",
    "/a/{empty}/inbox/",
    "/a/{empty}/examples/",
    "/a/{empty}/intake/",
    "/a/{empty}/talk/",
    "/a/{empty}/share/",
    "/assistants/",
    "/assistants/new",
    "/settings/account",
    "/settings/tokens/",
    "/settings/tokens/?show=all",
    "/settings/tokens/new",
    "/settings/tokens/{service_token}/rotate",
    "/settings/tokens/{service_token}/revoke",
    "/settings/services/",
    "/settings/services/new",
    "/settings/services/{service}",
    "/settings/services/{service}/edit",
    "/settings/services/{service}/tokens/new",
    "/settings/people/",
    "/settings/people/new",
    "/settings/people/{person}",
    "/settings/people/{person}/link",
    "/settings/people/{person}/roles/new",
    "/settings/people/{person}/access",
    "/settings/people/{person}/delete",
    "/settings/people/{person}/sessions/end",
    "/settings/account/access",
    "/settings/access/",
    "/settings/grants/",
    "/settings/grants/new",
    "/settings/roles/",
    "/settings/roles/annotator",
    "/settings/roles/new/",
    "/settings/roles/ready-made/",
    "/settings/rasa/",
    "/settings/rasa/add",
    "/settings/rasa/3.5.1/remove",
    "/settings/audit/",
    "/settings/audit/{audit_event}",
    "/_forbidden",
    "/nowhere",
]
DIALOGS = [  # over the page from which they are opened, whose fields may have the same names
    ("/a/{slug}/models/", "/a/{slug}/models/{model}/tags"),
    ("/a/{slug}/models/", "/a/{slug}/models/{model}/promote"),
    ("/a/{slug}/models/", "/a/{slug}/models/{model}/delete"),
    ("/a/{slug}/environments/", "/a/{slug}/environments/new/"),
    ("/a/{slug}/environments/production", "/a/{slug}/environments/production/promote"),
    ("/a/{slug}/environments/production", "/a/{slug}/environments/production/edit"),
    ("/a/{slug}/environments/production", "/a/{slug}/environments/production/withdraw"),
    ("/a/{slug}/settings", "/a/{slug}/delete"),
    ("/assistants/", "/assistants/new"),
    ("/settings/rasa/", "/settings/rasa/add"),
]
PUBLIC_PAGES = [
    "/sign-in",
    "/sign-in/worn-out",
    "/s/{code}",
    "/s/{busy_code}",
    "/s/{locked_code}",
    "/s/never-was",
    "/nowhere",
]


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
def signed_in(words: dict[str, object]) -> list[dict[str, str]]:
    """The cookies of an admin."""
    client = Client()
    client.force_login(User.objects.get(pk=words["admin"]))
    return [
        {"name": name, "value": cookie.value, "domain": "localhost", "path": "/"}
        for name, cookie in client.cookies.items()
    ]


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
    expect(page.locator(".htmx-request")).to_have_count(0)
    found = [f"{theme}: {problem}" for theme in ("light", "dark") for problem in look(page, theme)]
    page.close()
    return found + [one for one in complaints if UNSAID_IN_TESTS not in one]


def look(page: Page, theme: str) -> list[str]:
    page.emulate_media(color_scheme=theme)
    return page.evaluate(CHECKS)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_used_by_everybody(path: str, browsers, words: dict[str, object], server: LiveServer) -> None:
    problems = problems_of(browsers[0], f"{server}{path.format(**words)}")
    assert not problems, "\n".join(problems)


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
    problems = [f"{theme}: {problem}" for theme in ("light", "dark") for problem in look(page, theme)]
    held = page.evaluate("document.activeElement.matches('dialog :not([aria-label=Close])')")
    page.close()
    assert not problems, "\n".join(problems)
    assert held


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
