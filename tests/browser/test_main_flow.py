"""The main job by hand in a browser, with everything that `make run` starts and a real Rasa.

The tests are the hours of one day, in their order: each goes on from where the one before ended. Only the day by keys
stands alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import watched
from tests.browser.keys import Keys
from tests.embedded.installation import Installation, open_folder, typed, wait_until
from tests.rasa_fixtures import STARTER, runtime_folder

pytestmark = [pytest.mark.browser, pytest.mark.rasa]

PASSWORD = "correct-horse-battery"
SOON = 20_000  # milliseconds: a page, an answer
LONG = 300_000  # a Rasa that starts, a training, on a machine with other work
OLD = "Cards, phones and cash are all fine. We split bills, too."
NEW = "Cards, phones, cash and seashells are all fine."
QUESTION = "can I pay by card?"
MUMBLED = "blorp the gnu upside down"  # nothing that NLU could be sure of
EVENTS = re.compile(r"/conversations/\d+$")  # the page of a conversation, once its first event has arrived

# What an action server's ReminderScheduled does; Rasa's HTTP API can do the same.
REMIND = """
from datetime import UTC, datetime, timedelta
import requests
from environments.models import Environment
from environments.services.address import server_of
server = server_of(Environment.objects.get(name="production"))
reminder = {{"event": "reminder", "intent": "ask_payment", "entities": {{}}, "name": "later", "kill_on_user_msg": False,
             "date_time": (datetime.now(UTC) + timedelta(seconds=6)).isoformat()}}
answer = requests.post(
    f"{{server.url}}/conversations/{sender}/tracker/events",
    params={{"token": server.token, "execute_side_effects": "true", "output_channel": "latest"}}, json=reminder,
)
answer.raise_for_status()
"""


@pytest.fixture(scope="module")
def house(trained_model: Path) -> Iterator[Installation]:
    """With the starter's data and a model of it, neither of them live."""
    settings = {"PARLEY_RASA": str(runtime_folder()), "PARLEY_ADMIN_PASSWORD": PASSWORD}
    house = Installation(open_folder(), settings=settings)
    try:
        house.start()
        house.manage("import_data", str(STARTER))
        house.manage("import_models", str(trained_model.parent))
        yield house
    finally:
        house.clean()


@pytest.fixture(scope="module")
def page(house: Installation, chromium: Browser) -> Iterator[Page]:
    with watched(chromium, base_url=f"http://localhost:{house.port}") as context:
        context.set_default_timeout(SOON)
        page = context.new_page()
        page.goto("/")
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Default")).to_be_visible(timeout=SOON)
        yield page


def run_production_here(page: Page) -> None:
    """Unless it is running here already."""
    page.goto("/a/default/environments/production")
    if page.get_by_text("production is not set up").is_visible():
        page.get_by_role("link", name="Run here").click()
        page.get_by_role("dialog").get_by_role("button", name="Run here").click()
        expect(page.get_by_text("production is not set up")).to_be_hidden(timeout=SOON)


def promote_to_production(page: Page) -> None:
    """From the open dialog to the running model, on a page that is never reloaded."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name=re.compile("^production")).check()
    dialog.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile("/a/default/environments/production$"), timeout=SOON)
    page.evaluate("window.isTheSamePage = true")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running 1 of 1", timeout=LONG)
    assert page.evaluate("window.isTheSamePage")


def talk(page: Page, text: str) -> Locator:
    """Say it; the last turn."""
    page.get_by_label("Message").fill(text)
    page.keyboard.press("Enter")
    turn = page.locator(".turn").last
    expect(turn.locator(".bubble:not(.bubble-user):not(.typing)").first).to_be_visible(timeout=SOON)
    return turn


def train(page: Page) -> str:
    """Press Train; the address of the job's page."""
    page.goto("/a/default/data/")
    page.get_by_role("button", name="Train", exact=True).click()
    return address_of_the_training(page)


def train_once_more(page: Page) -> str:
    """Press Train with data that a model was made of, or is being made of; the address of the job's page."""
    page.goto("/a/default/data/")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Train all the same").click()
    return address_of_the_training(page)


def address_of_the_training(page: Page) -> str:
    expect(page.get_by_role("heading", name=re.compile(r"^Training \d+"))).to_be_visible(timeout=SOON)
    page.wait_for_load_state()  # its buttons are those of its scripts
    return page.url


def cancel(page: Page) -> None:
    page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the training").click()
    expect(page.get_by_text("Cancelled by admin.")).to_be_visible(timeout=LONG)


def trainings(house: Installation) -> list[psutil.Process]:
    return [process for process in house.processes() if "train" in typed(process)]


def test_a_model_is_tried_before_it_is_promoted(page: Page) -> None:
    page.goto("/a/default/models/")
    page.get_by_role("button", name="Actions for starter").click()
    page.get_by_role("menuitem", name="Try it").click()
    expect(page.get_by_role("heading", name="Try starter")).to_be_visible()
    page.wait_for_load_state()  # a busy machine shows the page a moment before its scripts
    page.get_by_label("Message").fill(QUESTION)  # while it starts: it is sent as soon as the slot answers
    page.keyboard.press("Enter")
    expect(page.locator(".turn").last).to_contain_text(OLD, timeout=LONG)
    expect(page.locator("[data-slot]")).to_contain_text("Running", timeout=SOON)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("admin stopped it.").first).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Start it again").click(timeout=SOON)
    expect(page.locator("[data-slot]")).to_contain_text("Running", timeout=LONG)
    expect(talk(page, QUESTION)).to_contain_text(OLD)
    page.goto("/settings/slots/")
    expect(page.get_by_role("row", name=re.compile("starter"))).to_have_count(2)
    page.get_by_role("link", name="Stop the slot of starter").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop it").click()
    expect(page.get_by_text("No model is being tried")).to_be_visible(timeout=LONG)


def test_a_model_is_promoted_by_its_menu_and_runs_without_a_reload(page: Page) -> None:
    run_production_here(page)
    page.goto("/a/default/models/")
    page.get_by_role("button", name="Actions for starter").click()
    page.get_by_role("menuitem", name="Promote…").click()
    promote_to_production(page)


def test_what_is_said_in_talk_is_listed_and_can_be_read(page: Page) -> None:
    page.goto("/a/default/talk/")
    expect(talk(page, QUESTION)).to_contain_text(OLD)
    expect(page.locator("[data-conversation]")).to_have_attribute("href", EVENTS, timeout=SOON)
    page.goto("/a/default/conversations/")
    page.get_by_role("link", name=QUESTION).first.click()
    expect(page.get_by_text(OLD).first).to_be_visible()
    expect(page.get_by_text("ask_payment").first).to_be_visible()


def test_a_guest_keeps_the_conversation_through_a_reload(page: Page, chromium: Browser, house: Installation) -> None:
    page.goto("/a/default/share/")
    page.get_by_role("link", name="New link").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Environment").select_option(label="production")
    dialog.get_by_label("Name").fill("Friends of the house")
    dialog.get_by_role("button").last.click()
    address = page.get_by_role("button", name="Copy the address").get_attribute("data-copy")
    with watched(chromium, viewport={"width": 390, "height": 844}) as context:
        guest = context.new_page()
        guest.goto(address or "")
        expect(talk(guest, QUESTION)).to_contain_text(OLD)
        guest.reload()
        expect(guest.locator(".bubble-user")).to_have_text(QUESTION, timeout=SOON)
        expect(guest.get_by_text(OLD)).to_have_count(1, timeout=SOON)


def test_talk_says_when_events_do_not_arrive_and_when_they_do_again(page: Page, house: Installation) -> None:
    page.goto("/a/default/talk/production")
    ingest = house.process("manage.py ingest")
    ingest.suspend()
    try:
        talk(page, QUESTION)
        notice = page.locator("[data-late]")  # what it names as the cause depends on how long ingest is silent
        expect(notice).to_contain_text("The answer came", timeout=SOON)
        expect(page.get_by_role("link", name="See what is missing")).to_have_attribute(
            "href", "/a/default/environments/production/connection"
        )
    finally:
        ingest.resume()
    expect(notice).to_be_hidden(timeout=SOON)
    expect(page.locator(".turn")).to_have_count(1)


def test_a_reminder_comes_unasked_and_once(page: Page, house: Installation) -> None:
    page.goto("/a/default/talk/production")
    talk(page, "hello")
    expect(page.locator("[data-conversation]")).to_have_attribute("href", EVENTS, timeout=SOON)
    house.manage("shell", "-v", "0", "-c", REMIND.format(sender=page.url.rpartition("/")[2]))
    expect(page.locator(".turn").last).to_contain_text(OLD, timeout=SOON)
    expect(talk(page, "hello")).not_to_contain_text(OLD)
    expect(page.locator(".turn")).to_have_count(3)
    page.reload()
    expect(page.locator(".turn")).to_have_count(3, timeout=SOON)
    expect(page.get_by_text(OLD)).to_have_count(1)


def test_a_changed_response_is_trained_promoted_and_said(page: Page) -> None:
    page.goto("/a/default/data/edit/domain.yml")
    editor = page.get_by_label("Text of domain.yml")
    editor.fill(editor.input_value().replace(OLD, NEW))
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision")).to_be_visible(timeout=SOON)

    train(page)
    page.get_by_role("link", name="Promote…").click(timeout=LONG)
    promote_to_production(page)

    page.goto("/a/default/talk/production")
    expect(talk(page, QUESTION)).to_contain_text(NEW)


def test_a_cancelled_training_ends_at_once_and_the_next_in_line_begins(page: Page, house: Installation) -> None:
    first = train_once_more(page)
    waiting = train_once_more(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("in line", timeout=SOON)
    page.goto(first)
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=SOON)
    wait_until(lambda: trainings(house), "the training to begin")
    running = trainings(house)

    cancel(page)
    _gone, alive = psutil.wait_procs(running, timeout=90)
    assert alive == []
    page.goto(waiting)
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=SOON)
    cancel(page)


def test_a_training_that_waits_is_cancelled_without_having_begun(page: Page, house: Installation) -> None:
    first = train_once_more(page)
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=SOON)
    train_once_more(page)
    cancel(page)
    expect(page.get_by_role("button", name=re.compile(r"^Train revision \d+ again"))).to_be_visible(timeout=SOON)
    page.goto(first)
    cancel(page)


def test_the_main_job_is_done_by_keys_alone(house: Installation, chromium: Browser, page: Page) -> None:
    """Sign in, promote, see it run, talk, read, answer the inbox, make a link, sign out."""
    run_production_here(page)
    with watched(chromium, base_url=f"http://localhost:{house.port}") as context:
        context.set_default_timeout(SOON)
        page = context.new_page()
        keys = Keys(page)
        sign_in_by_keys(keys)
        promote_by_keys(keys)
        talk_and_read_by_keys(keys)
        answer_by_keys(keys)
        share_and_leave_by_keys(keys)


def sign_in_by_keys(keys: Keys) -> None:
    page = keys.page
    page.goto("/")
    keys.to(page.get_by_label("User name"))
    page.keyboard.type("admin")
    keys.to(page.get_by_label("Password", exact=True))
    page.keyboard.type(PASSWORD)
    keys.press("Enter")
    expect(page).to_have_url(re.compile("/a/default/$"))
    page.wait_for_load_state("networkidle")


def promote_by_keys(keys: Keys) -> None:
    """From the row's menu; Escape gives the focus back, and Enter goes through."""
    page = keys.page
    keys.go("models", "m")
    row = page.get_by_role("link", name="starter", exact=True)
    keys.to(row, "j")
    button = page.get_by_role("button", name="Actions for starter")
    keys.to(button)
    for end in ("Escape", "Enter"):
        keys.press("Enter")
        keys.to(page.get_by_role("menuitem", name="Promote…"), "ArrowDown")
        keys.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        keys.to(page.get_by_role("checkbox", name=re.compile("^production")))
        keys.press("Space")
        keys.to(page.get_by_role("dialog").get_by_role("button", name="Save"))
        keys.press(end)
        if end == "Escape":
            expect(page.get_by_text("Not saved yet")).to_be_visible()  # what was chosen is thrown away by the second
            keys.press("Escape")
            expect(button).to_be_focused()
            keys.see()
    expect(page).to_have_url(re.compile("/environments/production$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running 1 of 1", timeout=LONG)


def talk_and_read_by_keys(keys: Keys) -> None:
    page = keys.page
    keys.go("talk", "k")
    expect(page.get_by_label("Message")).to_be_focused()
    talk(page, MUMBLED)
    expect(page.locator("[data-conversation]")).to_have_attribute("href", EVENTS)
    keys.to(page.get_by_role("button", name="Send"))  # in a field letters are text, and no shortcuts
    keys.go("conversations", "c")
    keys.to(page.get_by_role("link", name=MUMBLED).first, "j")
    keys.press("Enter")
    expect(page).to_have_url(EVENTS)
    expect(page.get_by_text(MUMBLED).first).to_be_visible()
    page.wait_for_load_state()


def answer_by_keys(keys: Keys) -> None:
    page = keys.page
    keys.go("inbox", "i")
    keys.press("/", "Enter")
    keys.to(page.get_by_label("From whom"))
    keys.press("ArrowDown")
    asked = page.locator("[data-asked]")
    expect(asked.first).to_have_text(MUMBLED)
    expect(asked.first).to_be_focused()
    with page.expect_response(re.compile("/answer")) as saved:
        keys.press("x")
    assert saved.value.ok
    expect(page.locator("#inbox-last")).to_contain_text("no example")


def share_and_leave_by_keys(keys: Keys) -> None:
    page = keys.page
    keys.go("share", "s")
    keys.to(page.get_by_role("link", name="New link").first)
    keys.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    keys.to(dialog.get_by_label("Name"))
    page.keyboard.type("By keys")
    keys.to(dialog.get_by_role("button").last)
    keys.press("Enter")
    expect(page.get_by_role("heading", name="By keys")).to_be_visible()
    page.wait_for_load_state()
    keys.to(page.get_by_role("button", name="account and theme"))
    keys.press("Enter", "End", "Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
