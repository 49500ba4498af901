"""The page of a model's tests, the button, and where else their numbers are shown."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from models_app.models import Assistant, Confusion, Model, TrainingJob
from models_app.services import training
from models_app.services.testing import Measured
from studio.access.models import Role, User
from studio.access.permissions import Permission
from studio.access.services.grants import grant
from studio.access.services.roles import save_role
from tests.factories import environment_of, make_model, make_person
from tests.models_app.measured import better, result_of, running_test, waiting_test

PAGE = "/a/cafe/models/otter/tests"


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


@pytest.fixture
def otter(assistant: Assistant) -> Model:
    return make_model(assistant, "otter")


def page(client: Client, address: str = PAGE) -> str:
    return client.get(address).content.decode()


def person_with(*permissions: Permission) -> User:
    save_role(actor=None, role=None, name="some", description="", permissions=frozenset(permissions))
    person = make_person(username="some")
    grant(actor=None, person=person, role=Role.objects.get(name="some"))
    return person


def test_a_model_that_was_never_tested_says_what_a_test_is(admin: Client, otter: Model):
    shown = page(admin)
    assert "Not tested yet" in shown
    assert 'action="/a/cafe/models/otter/test"' in shown


def test_the_button_asks_for_a_test_and_stays_on_the_page(admin: Client, otter: Model):
    waiting_test(otter).delete()
    assert admin.post("/a/cafe/models/otter/test")["Location"] == PAGE
    job = TrainingJob.objects.get()
    assert (job.kind, job.tested, job.requested_by_label) == ("test", otter, "ana")


def test_a_training_is_asked_for_with_tests_by_a_button_of_its_own(admin: Client, otter: Model):
    waiting_test(otter).delete()
    assert 'name="test"' in page(admin, "/a/cafe/training/")
    admin.post("/a/cafe/train", {"test": "on"})
    assert TrainingJob.objects.get().test_after


def test_pressing_it_twice_says_that_one_is_under_way(admin: Client, otter: Model):
    waiting_test(otter)
    admin.post("/a/cafe/models/otter/test")
    assert "is under way already" in page(admin)
    assert TrainingJob.objects.count() == 1


def test_a_waiting_test_says_so_and_follows_itself(admin: Client, otter: Model):
    waiting_test(otter)
    shown = page(admin)
    assert "Next in line" in shown
    assert 'hx-trigger="every 2s"' in shown
    assert "No training worker is running" in shown


def test_a_running_test_shows_its_step(admin: Client, otter: Model):
    job = running_test(otter)
    training.advance(job, "training")
    training.beat(job, step="Measuring NLU", done=3, total=4)
    shown = page(admin)
    assert "Testing" in shown
    assert "Measuring NLU" in shown
    assert "75 %" in shown


def test_a_failed_test_says_why(admin: Client, otter: Model):
    training.fail(running_test(otter), "InvalidDomain: twice.")
    shown = page(admin)
    assert "failed" in shown
    assert "InvalidDomain: twice." in shown
    assert 'hx-trigger="every 2s"' not in shown


def test_a_failed_test_leaves_the_results_of_the_one_before(admin: Client, otter: Model):
    result_of(otter)
    training.fail(running_test(otter), "Rasa broke.")
    shown = page(admin)
    assert "Rasa broke." in shown
    assert "90.5 %" in shown


def test_the_numbers_of_a_test_are_shown(admin: Client, otter: Model):
    result_of(otter)
    shown = page(admin)
    for text in ("1 of 5", "75 %", "91.4 %", "90.5 %", "91.5 %", "266 held-out examples", "23 mistaken"):
        assert text in shown
    assert "No other model has been tested yet" in shown


def test_parts_that_were_not_measured_say_why(admin: Client, otter: Model):
    result_of(otter, Measured(stories_note="No test stories.", nlu_note="Too few examples."))
    shown = page(admin)
    assert "No test stories." in shown
    assert "Too few examples." in shown
    assert 'class="figures"' not in shown


def test_a_failed_story_is_shown_as_a_difference(admin: Client, otter: Model):
    result_of(otter)
    shown = page(admin)
    assert '<tr class="removed">' in shown
    assert "- intent: tell_joke" in shown
    assert "test-stories" not in page(admin).replace("test-stories/tests/test_broken.yml", "")


def test_intents_are_worst_first_and_sorted_by_any_column(admin: Client, otter: Model):
    result_of(otter)

    def order(query: str) -> tuple[int, int]:
        table = page(admin, PAGE + query).partition('id="intents"')[2]
        return table.index(">goodbye<"), table.index(">thank<")

    assert order("")[0] < order("")[1]
    assert order("?sort=-f1")[0] > order("?sort=-f1")[1]
    assert order("?sort=name")[0] < order("?sort=name")[1]
    assert order("?sort=nonsense")[0] < order("?sort=nonsense")[1]
    assert 'aria-sort="descending"' in page(admin, PAGE + "?sort=-f1")


def test_a_cell_of_the_picture_leads_to_its_examples(admin: Client, otter: Model):
    result_of(otter)
    pair = Confusion.objects.get(expected="ask_hours", predicted="ask_menu")
    assert f'href="?pair={pair.pk}#pair-{pair.pk}"' in page(admin)
    row = page(admin, f"{PAGE}?pair={pair.pk}").partition(f'id="pair-{pair.pk}"')[2].partition("</tr>")[0]
    assert "<details open>" in row
    assert "from when can I get breakfast" in row


def test_an_older_test_has_its_own_address(admin: Client, otter: Model):
    first, second = result_of(otter), result_of(otter, better())
    assert "5 of 5" in page(admin)
    assert "1 of 5" in page(admin, f"{PAGE}?test={first.job.number}")
    assert f"?test={second.job.number}" in page(admin)
    for number in ("99", "x", "9" * 30):
        assert admin.get(f"{PAGE}?test={number}").status_code == 404


def test_a_test_is_compared_with_the_live_model_and_the_one_before(admin: Client, assistant: Assistant, otter: Model):
    live, before = make_model(assistant, "live-one"), make_model(assistant, "before-one")
    environment_of(assistant).tag.__class__.objects.filter(environment=environment_of(assistant)).update(model=live)
    result_of(live, better())
    result_of(before)
    result_of(otter)
    shown = page(admin)
    assert "against production" in shown
    assert "against the one before" in shown
    assert "−80.0" in shown  # stories: 1 of 5 against 5 of 5
    assert "±0" in shown
    assert "before-one" in shown


def test_any_two_tested_models_are_compared(admin: Client, assistant: Assistant, otter: Model):
    result_of(make_model(assistant, "heron"), better())
    result_of(make_model(assistant, "crane"), Measured(stories_note="None.", nlu_note="None."))
    result_of(otter)
    shown = page(admin, f"{PAGE}?with=heron")
    assert "<option selected>heron</option>" in shown
    assert "crane" not in shown  # nothing was measured of it
    assert "against heron" in shown
    assert "against heron" not in page(admin, f"{PAGE}?with=nobody")


def test_whoever_may_not_see_nlu_data_or_stories_sees_numbers_alone(client: Client, otter: Model):
    result_of(otter)
    client.force_login(person_with(Permission.MODELS_VIEW))
    shown = page(client)
    assert "90.5 %" in shown
    assert "what time can I get breakfast" not in shown
    assert "tell_joke: do you" not in shown
    assert "do you know a joke" not in shown
    assert "Your roles do not show stories" in shown


def test_whoever_may_not_change_models_gets_no_button(client: Client, otter: Model):
    client.force_login(make_person("annotator"))
    assert "/models/otter/test" not in page(client).replace("/models/otter/tests", "")
    assert client.post("/a/cafe/models/otter/test").status_code == 403


def test_the_models_list_has_a_column_of_tests_where_there_are_any(admin: Client, assistant: Assistant, otter: Model):
    assert "F1 90.5 %" not in page(admin, "/a/cafe/models/")
    result_of(otter)
    shown = page(admin, "/a/cafe/models/")
    assert "1 of 5 stories" in shown
    assert "F1 90.5 %" in shown


def test_the_page_asks_a_constant_number_of_questions(
    admin: Client, assistant: Assistant, otter: Model, django_assert_max_num_queries
):
    result_of(make_model(assistant))
    for _ in range(4):
        result_of(otter)
    page(admin)
    with django_assert_max_num_queries(30):
        page(admin)


def test_a_job_of_a_test_speaks_of_a_test(admin: Client, otter: Model):
    test = result_of(otter)
    shown = page(admin, f"/a/cafe/training/{test.job.number}")
    assert f"{PAGE}?test={test.job.number}" in shown
    assert "Packaging" not in shown
    assert PAGE in page(admin, "/a/cafe/training/")
    training.fail(running_test(otter), "Rasa broke.")
    assert "Nothing was measured" in page(admin, f"/a/cafe/training/{test.job.number + 1}")


@pytest.mark.usefixtures("long_connected")
def test_a_test_whose_worker_went_silent_is_tried_again(otter: Model):
    job = running_test(otter)
    TrainingJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    training.reap()
    job.refresh_from_db()
    assert (job.state, job.message) == ("queued", "The worker of attempt 1 went silent; the test starts again.")
