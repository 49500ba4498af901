"""The pages of trainings: the button, the line, the live job, what Rasa said."""

from typing import Any

import pytest
from django.test import Client

from models_app.models import Assistant, Model, TrainingJob
from models_app.services import training
from models_app.services.revisions import newest_revision, save_revision
from models_app.training import journal
from studio.access.models import Role
from studio.access.permissions import Permission
from studio.access.services.grants import grant
from studio.jobs import heartbeat
from tests.factories import make_model, make_person

TRAINING = "/a/cafe/training/"
State = TrainingJob.State


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


def revise(assistant: Assistant, content: bytes = b"a: b") -> None:
    newest = newest_revision(assistant)
    parent = newest.number if newest else None
    save_revision(actor=None, assistant=assistant, files={"a.yml": content}, message="Menu", parent_number=parent)


@pytest.fixture
def job(assistant: Assistant) -> TrainingJob:
    revise(assistant)
    return training.request_training(actor=None, assistant=assistant)


def claimed(job: TrainingJob) -> TrainingJob:
    found = training.claim(worker="w", versions=["3.6.21"])
    assert found is not None
    return found


def page(client: Client, address: str) -> str:
    return client.get(TRAINING + address).content.decode()


def test_without_data_the_list_leads_to_the_data(admin: Client):
    assert "No training data yet" in page(admin, "")


def test_the_button_makes_a_job_and_leads_to_it(admin: Client, assistant: Assistant):
    revise(assistant)
    assert admin.post("/a/cafe/train")["Location"] == f"{TRAINING}1"
    assert TrainingJob.objects.get().requested_by_label == "ana"


def test_an_older_revision_can_be_trained(admin: Client, assistant: Assistant):
    revise(assistant)
    revise(assistant, b"a: c")
    admin.post("/a/cafe/train", {"revision": "1"})
    assert TrainingJob.objects.get().revision.number == 1


def test_pressing_the_button_twice_leads_to_the_job_that_waits(admin: Client, job: TrainingJob):
    assert admin.post("/a/cafe/train")["Location"] == f"{TRAINING}1"
    assert "already waits" in page(admin, "1")
    assert TrainingJob.objects.count() == 1


def test_a_button_pressed_without_data_says_what_is_missing(admin: Client):
    assert admin.post("/a/cafe/train")["Location"] == TRAINING
    assert "Upload a project on the Data page first" in page(admin, "")


def test_waiting_jobs_show_their_place_and_that_nobody_takes_them(
    admin: Client, assistant: Assistant, job: TrainingJob
):
    revise(assistant, b"a: c")
    training.request_training(actor=None, assistant=assistant)
    shown = page(admin, "")
    assert "Next in line" in shown
    assert "Waits, place 2 in line" in shown
    assert "No training worker is running" in shown
    heartbeat.beat("training-worker")
    assert "No training worker is running" not in page(admin, "")


def test_redis_being_away_is_said(admin: Client, job: TrainingJob, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal, "_redis_answers", lambda: False)
    assert "Redis cannot be reached" in page(admin, "1")


def test_the_list_asks_again_and_often_while_something_is_under_way(admin: Client, job: TrainingJob):
    assert 'hx-trigger="every 2s"' in page(admin, "")
    training.fail(claimed(job), "no data")
    assert 'hx-trigger="every 15s"' in page(admin, "")


def test_the_list_costs_the_same_however_long_it_is(
    admin: Client, assistant: Assistant, django_assert_max_num_queries: Any
):
    for number in range(20):
        revise(assistant, b"a: %d" % number)
        training.request_training(actor=None, assistant=assistant)
    with django_assert_max_num_queries(25):
        admin.get(TRAINING)


def test_a_running_job_shows_how_far_it_is(admin: Client, job: TrainingJob):
    attempt = claimed(job)
    training.advance(attempt, State.TRAINING)
    training.beat(attempt, step="Training RulePolicy", done=3, total=4)
    shown = page(admin, "1")
    assert 'value="75"' in shown
    assert "Training RulePolicy" in shown
    assert "Cancel…" in shown


def test_the_log_comes_piece_by_piece(admin: Client, job: TrainingJob):
    attempt = claimed(job)
    training.append_log(attempt, "first\n")
    assert "first" in page(admin, "1")
    last = attempt.log.get().pk
    training.append_log(attempt, "\x1b[32msecond <b>\x1b[0m\n")
    shown = page(admin, f"1/live?after={last}&line=2")
    assert "first" not in shown
    assert '<div hx-swap-oob="beforeend:#log"><span class="line" id="L2">' in shown
    assert "second &lt;b&gt;\n</span></div>" in shown
    assert "line=3" in shown  # of the next poll
    assert 'hx-swap-oob="beforeend:#log"' not in page(admin, "1/live")
    assert page(admin, "1/log") == "first\nsecond <b>\n"


def test_what_rasa_said_stands_in_plain_sight(admin: Client, job: TrainingJob):
    training.fail(claimed(job), "InvalidConfig: Component 'NoSuch' is unknown")
    shown = page(admin, "1")
    assert "No model was made" in shown
    assert "Component &#x27;NoSuch&#x27; is unknown" in shown
    assert "Train revision 1 again" in shown
    assert "every 1s" not in shown


def test_a_done_job_leads_to_its_model(admin: Client, assistant: Assistant, job: TrainingJob):
    attempt = claimed(job)
    training.finish(attempt, make_model(assistant, "otter"))
    assert "/a/cafe/models/otter" in page(admin, "1")
    assert "/a/cafe/models/otter" in page(admin, "")


TRY, PROMOTE = 'href="/a/cafe/try/otter/"', "/a/cafe/models/otter/promote"


def test_a_model_that_was_made_is_to_be_tried_and_promoted(admin: Client, assistant: Assistant, job: TrainingJob):
    training.finish(claimed(job), make_model(assistant, "otter"))
    shown = page(admin, "1")
    assert TRY in shown and PROMOTE in shown


@pytest.mark.parametrize(("address", "times"), [("training/1", 1), ("models/", 1), ("models/otter", 2)])
def test_what_was_written_of_a_change_stands_with_the_model_that_has_it(
    admin: Client, assistant: Assistant, job: TrainingJob, address: str, times: int
):
    training.finish(claimed(job), make_model(assistant, "otter"))
    Model.objects.update(revision=job.revision)
    shown = admin.get(f"/a/cafe/{address}").content.decode()
    assert shown.count("“Menu”") == times


def test_who_may_not_talk_is_not_offered_to_try_a_model(client: Client, assistant: Assistant, job: TrainingJob):
    training.finish(claimed(job), make_model(assistant, "otter"))
    person = make_person()
    role = Role.objects.create(name="viewer", permissions=[Permission.MODELS_VIEW])
    grant(actor=None, person=person, role=role)
    client.force_login(person)
    shown = page(client, "1")
    assert TRY not in shown and PROMOTE not in shown


def test_a_done_job_says_when_its_model_was_there(job: TrainingJob, assistant: Assistant):
    training.finish(claimed(job), make_model(assistant, "otter"))
    done = TrainingJob.objects.get()
    assert done.finished_at is not None
    assert journal.steps_of(done)[-1].note == f"{done.finished_at:%H:%M:%S} UTC"


def test_a_job_is_cancelled_after_a_confirmation(admin: Client, job: TrainingJob):
    assert "makes no model" in page(admin, "1/cancel")
    admin.post(f"{TRAINING}1/cancel")
    assert TrainingJob.objects.get().state == State.CANCELLED
    assert admin.post(f"{TRAINING}1/cancel").status_code == 422


def test_a_cancelled_job_stopped_and_did_not_fail(admin: Client, job: TrainingJob):
    training.cancel_training(actor=make_person("admin"), job=job)
    assert journal.steps_of(TrainingJob.objects.get())[0].state == "stopped"
    assert 'class="step step-stopped"' in page(admin, "1")


def test_cancelling_a_running_job_is_seen_at_once(admin: Client, job: TrainingJob):
    claimed(job)
    admin.post(f"{TRAINING}1/cancel")
    assert "Cancelling" in page(admin, "1")


def test_other_pages_are_told_what_changed_since(admin: Client, assistant: Assistant, job: TrainingJob):
    assert "1 change since the last training" in admin.get("/a/cafe/changes").content.decode()
    TrainingJob.objects.update(state=State.DONE)
    assert admin.get("/a/cafe/changes").content.strip() == b""


def test_an_annotator_watches_but_does_not_train(client: Client, job: TrainingJob):
    client.force_login(make_person("annotator"))
    assert "Cancel…" not in page(client, "1")
    assert client.get(f"{TRAINING}1/live").status_code == 200
    assert client.post("/a/cafe/train").status_code == 403
    assert client.post(f"{TRAINING}1/cancel").status_code == 403


def test_a_tester_sees_no_trainings(client: Client, job: TrainingJob):
    client.force_login(make_person("tester"))
    assert client.get(TRAINING).status_code == 403
    assert client.get("/a/cafe/changes").status_code == 403
    for address in ("1", "1/live", "1/log", "1/cancel"):
        assert client.get(TRAINING + address).status_code == 404
