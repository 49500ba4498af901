"""A training's log in a browser: a link to a line leads there, what comes is added with its number, words are found.

What comes by itself takes nothing away from under the pointer.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from tests.browser.conftest import watched
from tests.clients import client_of, cookies_of
from tests.factories import make_person
from tests.models_app.test_training_run import FILES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADDRESS = "/a/cafe/training/1"


@pytest.fixture
def job(redis_client) -> TrainingJob:
    """One that trains, and has said 300 lines."""
    assistant = add_assistant(actor=None, slug="cafe", title="Café")
    save_revision(actor=None, assistant=assistant, files=FILES, message="", parent_number=None)
    training.request_training(actor=None, assistant=assistant)
    claimed = training.claim(worker="w", versions=training.wanted_versions())
    assert claimed is not None
    training.advance(claimed, TrainingJob.State.TRAINING)
    training.append_log(
        claimed,
        "".join(
            f"2026-11-28 10:00:{n % 60:02} INFO     rasa.engine.training.hooks  - Finished training component {n}.\n"
            for n in range(1, 301)
        ),
    )
    return claimed


@pytest.fixture
def page(chromium: Browser, live_server, job: TrainingJob) -> Iterator[Page]:
    client = client_of(make_person("admin"))
    with watched(chromium, base_url=live_server.url, viewport={"width": 1280, "height": 1400}) as context:
        context.add_cookies(cookies_of(client, live_server.url))
        yield context.new_page()


def test_a_link_to_a_line_leads_to_it_and_not_to_the_end(page: Page):
    page.goto(f"{ADDRESS}?line=120#L120")
    expect(page.locator("#L120")).to_be_in_viewport()
    expect(page.locator("#L300")).not_to_be_in_viewport()


def test_without_one_the_end_is_in_sight_and_what_comes_is_added_with_its_number(page: Page, job: TrainingJob):
    page.goto(ADDRESS)
    expect(page.locator("#L300")).to_be_in_viewport()
    training.append_log(job, "Packaging <b>everything</b>.\n")
    expect(page.locator("#L301")).to_have_text(re.compile("Packaging <b>everything</b>."))
    expect(page.locator("#L301")).to_be_in_viewport()


def test_words_are_found_and_lead_to_their_line(page: Page):
    page.goto(ADDRESS)
    page.get_by_label("Words in the log").fill("component 12")
    page.keyboard.press("Enter")
    expect(page.get_by_text("11 lines with “component 12”")).to_be_visible()
    page.get_by_role("link", name="Line 125").click()
    expect(page.locator("#L125")).to_be_in_viewport()
    expect(page).to_have_url(re.compile(r"\?line=125#L125$"))


def test_a_button_that_is_pressed_while_the_page_asks_again_is_clicked(page: Page, job: TrainingJob):
    page.goto(ADDRESS)
    page.get_by_role("link", name="Cancel…").hover()
    page.mouse.down()
    training.append_log(job, "Packaging everything.\n")
    for _ in range(2):
        with page.expect_response(re.compile("/live")):
            pass
    page.wait_for_timeout(300)  # in which the answer takes its places
    page.mouse.up()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel")
    expect(page.locator("#L301")).to_have_count(1)  # what did not come meanwhile comes afterwards, once


def test_what_a_click_asked_for_comes_also_while_the_pointer_is_down(page: Page):
    held: list[Route] = []
    page.route("**/cancel", lambda route: held.append(route))
    page.goto(ADDRESS)
    with page.expect_request("**/cancel"):
        page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("heading", level=1).hover()
    page.mouse.down()
    for route in held:
        route.continue_()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel")
    page.mouse.up()
