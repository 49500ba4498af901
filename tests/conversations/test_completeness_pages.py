"""The pages of completeness: what was found, bringing it in, and what keeps it from going on."""

from collections.abc import Iterator

import pytest
from django.test import Client

from conversations.models import CompletenessRun, IntakeIncident
from conversations.presentation.completeness import RunLine
from conversations.services import repair
from conversations.services.completeness import request_check
from environments.models import Environment
from studio.access.models import User
from studio.jobs.heartbeat import beat
from tests.conversations.events import small_talk
from tests.conversations.fake_rasa import FakeRasa, connect
from tests.factories import make_person, source_of, store_events


@pytest.fixture
def rasa() -> Iterator[FakeRasa]:
    server = FakeRasa()
    yield server
    server.close()


@pytest.fixture
def production(environment: Environment, rasa: FakeRasa) -> Environment:
    """Of which one event of eight is missing here."""
    rasa.hold(*small_talk())
    store_events(environment, *small_talk()[1:])
    return connect(environment, rasa)


@pytest.fixture
def admin(db: None) -> User:
    return make_person("admin")


@pytest.fixture
def browser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page_of(environment: Environment, rest: str = "") -> str:
    return f"/a/{environment.assistant.slug}/environments/{environment.name}/completeness{rest}"


def carried_out() -> CompletenessRun:
    run = CompletenessRun.objects.latest("pk")
    while repair.work(run.pk):
        pass
    run.refresh_from_db()
    return run


def test_a_check_is_begun_on_the_page_and_says_what_is_missing(browser: Client, production: Environment, admin: User):
    dialog = browser.get(page_of(production, "/check")).content.decode()
    assert 'name="days"' in dialog and 'name="conversations"' in dialog
    answer = browser.post(page_of(production, "/check"), {"days": "all", "conversations": "all"})
    run = CompletenessRun.objects.get()
    assert answer["Location"] == page_of(production, f"/{run.pk}")
    assert (run.since, run.sample, run.requested_by) == (None, None, admin)
    assert "Waiting for a background worker" in browser.get(answer["Location"]).content.decode()
    carried_out()
    text = browser.get(answer["Location"]).content.decode()
    assert "87.50 % complete" in text and "action_session_start" in text and "Backfill…" in text
    assert "cannot be found" in text  # whose tracker store is elsewhere


def test_what_is_missing_is_brought_in_after_a_question(browser: Client, production: Environment, admin: User):
    request_check(actor=admin, environment=production, since=None)
    run = carried_out()
    assert "stored as if its event broker" in browser.get(page_of(production, f"/{run.pk}/backfill")).content.decode()
    answer = browser.post(page_of(production, f"/{run.pk}/backfill"))
    done = carried_out()
    assert (done.repairs, done.events_added, done.requested_by) == (True, 1, admin)
    text = browser.get(answer["Location"]).content.decode()
    assert "Repaired" in text and "stored since" in text and "Backfill…" not in text


def test_a_run_under_way_is_followed_and_can_be_stopped(browser: Client, production: Environment, admin: User):
    run = request_check(actor=admin, environment=production, since=None)
    live = browser.get(page_of(production, f"/{run.pk}"), headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 1s"' in live and "<html" not in live and "No background worker" in live
    beat("background-worker")
    assert "No background worker" not in browser.get(page_of(production)).content.decode()
    browser.post(page_of(production, f"/{run.pk}/stop"))
    assert f"Stopped by {admin.username}." in browser.get(page_of(production, f"/{run.pk}")).content.decode()


def test_a_second_run_is_refused_with_the_reason(browser: Client, production: Environment, admin: User):
    request_check(actor=admin, environment=production, since=None)
    answer = browser.post(page_of(production, "/check"), {"days": "7", "conversations": "300"})
    assert answer.status_code == 422
    assert "being compared already" in answer.content.decode()


def test_an_incident_leads_to_the_repair_of_its_time(browser: Client, production: Environment, admin: User):
    facts = {"kind": "overtaken", "topic": "rasa", "partition": 0, "first_offset": 1, "end_offset": 2_001}
    incident = IntakeIncident.objects.create(source=source_of(production.assistant), since=1_790_000_000.0, **facts)
    address = page_of(production, f"/incidents/{incident.pk}")
    assert "2,000 records were gone" in browser.get(address).content.decode()
    answer = browser.post(address)
    assert carried_out().events_added == 1
    assert "2000 records of rasa" in browser.get(answer["Location"]).content.decode()
    incident.refresh_from_db()
    assert incident.closed_by == admin


def test_an_environment_without_a_server_says_what_to_do(browser: Client, environment: Environment):
    text = browser.get(page_of(environment)).content.decode()
    assert "No Rasa server to compare with" in text and "Compare…" not in text


def test_the_first_comparison_is_one_click_away(browser: Client, production: Environment):
    text = browser.get(page_of(production)).content.decode()
    assert "Not compared yet" in text and text.count(f'hx-get="{page_of(production, "/check")}"') == 2


def test_the_environments_menu_leads_here(browser: Client, production: Environment):
    text = browser.get(page_of(production).removesuffix("/completeness")).content.decode()
    assert page_of(production) in text


def test_whoever_may_only_read_is_offered_nothing(client: Client, production: Environment, admin: User):
    request_check(actor=admin, environment=production, since=None)
    run = carried_out()
    client.force_login(make_person("annotator"))
    for rest in ("", f"/{run.pk}"):
        text = client.get(page_of(production, rest)).content.decode()
        assert "Backfill…" not in text and "Compare…" not in text


def test_many_runs_are_a_few_queries(
    browser: Client, production: Environment, rasa: FakeRasa, django_assert_max_num_queries
):
    for _ in range(30):
        CompletenessRun.objects.create(environment=production, until=1.0, requested_by_label="Parley", state="done")
    with django_assert_max_num_queries(16):
        text = browser.get(page_of(production)).content.decode()
    assert "after=" in text


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"state": "done", "events_there": 8}, "100 % complete"),
        ({"state": "done"}, "Nothing to compare"),
        ({"state": "done", "events_there": 8, "events_missing": 1}, "87.50 % complete"),
        ({"state": "done", "events_there": 8, "events_missing": 1, "repairs": True}, "Repaired"),
        ({"state": "failed"}, "Failed"),
        ({"state": "waiting"}, "Waiting"),
    ],
)
def test_a_run_has_one_word_for_its_result(facts: dict, words: str):
    assert RunLine(CompletenessRun(**facts)).status[1] == words
