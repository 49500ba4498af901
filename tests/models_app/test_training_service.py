"""Training jobs: one true state whatever workers, people and the clock do at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import newest_revision, save_revision
from models_app.training.outlook import look_ahead
from studio.access.services.people import create_person
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("long_connected")]
State = TrainingJob.State


@pytest.fixture
def assistant():
    return add_assistant(actor=None, slug="cafe", title="Café")


@pytest.fixture
def person():
    return create_person(actor=None, username="ana", password=None)


def revise(assistant, content=b"1", parent=None):
    return save_revision(actor=None, assistant=assistant, files={"a.yml": content}, message="", parent_number=parent)


@pytest.fixture
def job(assistant, person):
    revise(assistant)
    return training.request_training(actor=person, assistant=assistant)


def claimed(job):
    return training.claim(worker="w", versions=["3.6.21"])


def silence(job):
    TrainingJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))


def test_without_data_there_is_nothing_to_train(assistant, person):
    with pytest.raises(Invalid):
        training.request_training(actor=person, assistant=assistant)


def test_a_request_waits_in_line_with_its_place(job, assistant, person):
    revise(assistant, b"2", 1)
    second = training.request_training(actor=person, assistant=assistant)
    outlook = look_ahead()
    assert [outlook.place(job), outlook.place(second)] == [1, 2]
    assert AuditEvent.objects.filter(action="training-requested").count() == 2


def test_the_same_revision_waits_only_once(job, assistant, person):
    with pytest.raises(Conflict):
        training.request_training(actor=person, assistant=assistant)


def test_only_one_worker_can_claim_a_job(job):
    assert claimed(job).attempt == 1
    assert claimed(job) is None


def test_an_attempt_that_was_given_up_is_refused_everything_it_still_says(job):
    old = claimed(job)
    silence(job)
    assert training.reap() == 1
    new = claimed(job)
    assert new.attempt == 2
    for late in (
        lambda: training.beat(old, step="", done=0, total=0),
        lambda: training.advance(old, State.TRAINING),
        lambda: training.fail(old, "late"),
    ):
        with pytest.raises(training.Superseded):
            late()
    training.advance(new, State.TRAINING)


def test_a_job_whose_workers_die_again_and_again_is_lost_with_why(job):
    for _ in range(job.max_attempts):
        assert claimed(job) is not None
        silence(job)
        training.reap()
    job.refresh_from_db()
    assert job.state == State.LOST
    assert "2 attempts" in job.message


def test_a_worker_that_speaks_is_left_alone(job):
    claimed(job)
    assert training.reap() == 0


def test_cancelling_a_waiting_job_ends_it_at_once(job, person):
    training.cancel_training(actor=person, job=job)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert claimed(job) is None


def test_cancelling_a_running_job_reaches_its_worker(job, person):
    attempt = claimed(job)
    assert training.beat(attempt, step="x", done=1, total=2) is False
    training.cancel_training(actor=person, job=job)
    assert training.beat(attempt, step="x", done=1, total=2) is True
    training.end_cancelled(attempt)
    job.refresh_from_db()
    assert (job.state, job.message) == (State.CANCELLED, "Cancelled by ana.")


def test_a_cancelled_job_whose_worker_died_is_cancelled_not_tried_again(job, person):
    claimed(job)
    training.cancel_training(actor=person, job=job)
    silence(job)
    training.reap()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_an_ended_job_cannot_be_cancelled(job, person):
    training.fail(claimed(job), "no data")
    with pytest.raises(Conflict):
        training.cancel_training(actor=person, job=job)


def test_changes_are_counted_since_the_last_revision_that_trained(job, assistant):
    assert training.changes_since_training(newest_revision(assistant)) == ["a.yml"]
    TrainingJob.objects.filter(pk=job.pk).update(state=State.DONE)
    assert training.changes_since_training(newest_revision(assistant)) == []
    revise(assistant, b"2", 1)
    assert training.changes_since_training(newest_revision(assistant)) == ["a.yml"]


def test_a_log_keeps_what_postgresql_refuses_readable(job):
    attempt = claimed(job)
    training.append_log(attempt, "a\0b")
    assert attempt.log.get().text == "a\ufffdb"
