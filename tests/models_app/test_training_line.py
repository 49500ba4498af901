"""The line: who comes first, with any number of workers, real transactions at once, and after every loss in Redis."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import TestCase
from django.utils import timezone

from models_app.models import TrainingJob, TrainingSettings
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import newest_revision, save_revision
from models_app.training import run
from models_app.training.outlook import look_ahead
from studio.access.services.people import create_person
from studio.access.services.service_accounts import make_service
from studio.errors import Conflict, DomainError
from studio.jobs import queues

pytestmark = pytest.mark.usefixtures("long_connected")
State, Priority = TrainingJob.State, TrainingJob.Priority
HERE = ["3.6.21"]


@pytest.fixture
def assistant(db):
    return add_assistant(actor=None, slug="cafe", title="Café")


@pytest.fixture
def person(db):
    return create_person(actor=None, username="ana", password=None)


def request(assistant, actor=None):
    """A training of data that nobody trained before."""
    newest = newest_revision(assistant)
    number = newest.number if newest else None
    content = b"n: %d" % (number or 0)
    save_revision(actor=None, assistant=assistant, files={"a.yml": content}, message="", parent_number=number)
    return training.request_training(actor=actor, assistant=assistant)


def claim(worker="w"):
    return training.claim(worker=worker, versions=HERE)


def test_a_persons_click_comes_before_automation_and_each_in_order(assistant, person):
    jobs = [request(assistant, actor) for actor in (None, person, None, person)]
    outlook = look_ahead()
    assert [outlook.place(job) for job in jobs] == [3, 1, 4, 2]
    assert [claim().pk for _ in jobs] == [jobs[at].pk for at in (1, 3, 0, 2)]
    assert claim() is None


def test_what_a_service_account_asks_for_is_automation(assistant):
    robot = make_service(actor=None, username="ci", description="")
    assert request(assistant, robot).priority == Priority.AUTOMATION


def test_a_job_that_is_tried_again_keeps_its_place(assistant, person):
    first, second = request(assistant, person), request(assistant, person)
    assert claim().pk == first.pk
    TrainingJob.objects.filter(pk=first.pk).update(heartbeat_at=timezone.now() - training.SILENT_AFTER * 2)
    training.reap()
    assert [claim().pk, claim().pk] == [first.pk, second.pk]


def test_a_job_whose_rasa_is_missing_holds_up_nobody_and_says_for_what_it_waits(assistant, person):
    stuck = request(assistant, person)
    other = add_assistant(actor=None, slug="bar", title="Bar")
    TrainingSettings.objects.create(assistant=assistant, rasa_version="3.5.0")
    behind = request(other, person)
    assert look_ahead().missing == {stuck.pk: "3.5.0"}
    assert [look_ahead().place(job) for job in (stuck, behind)] == [0, 1]
    assert claim().pk == behind.pk
    assert claim() is None
    assert training.claim(worker="w", versions=["3.6.21", "3.5.0"]).rasa_version == "3.5.0"


def test_redis_gets_as_many_ids_as_jobs_can_run_whatever_ids(assistant, person, redis_client):
    queue = queues.queue(queues.TRAINING)
    with TestCase.captureOnCommitCallbacks(execute=True):
        jobs = [request(assistant, person) for _ in range(3)]
    assert training.requeue_forgotten(HERE) == 0
    queue.empty()
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert training.requeue_forgotten(HERE) == 3
        assert training.requeue_forgotten(["3.5.0"]) == 0
    training.cancel_training(actor=person, job=jobs[0])
    assert training.requeue_forgotten(HERE) == 0


def test_waking_more_often_than_there_are_jobs_does_no_harm(assistant, monkeypatch):
    monkeypatch.setattr(run, "installed_versions", lambda: HERE)
    job = request(assistant)
    assert claim().pk == job.pk
    run.run_training(job.pk)
    job.refresh_from_db()
    assert job.attempt == 1


# --- Real transactions at once ------------------------------------------------------------------------------------


def at_once(*calls):
    """Run the calls in threads that begin together; their results in order, an error as itself."""
    gate = threading.Barrier(len(calls))

    def one(call):
        gate.wait(10)
        try:
            return call()
        except (DomainError, training.Superseded) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


@pytest.mark.django_db(transaction=True)
def test_many_workers_with_one_id_take_each_job_once(assistant, person):
    jobs = [request(assistant, person) for _ in range(5)]
    taken = at_once(*[lambda: claim()] * 8)
    counted = Counter(job.pk for job in taken if job)
    # What another worker holds is passed over, never waited for; the schedule wakes a worker for what is left.
    assert set(counted.values()) == {1}
    while (job := claim()) is not None:
        counted[job.pk] += 1
    assert counted == {job.pk: 1 for job in jobs}


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_one_trains_and_the_other_is_told_so(assistant, person):
    save_revision(actor=None, assistant=assistant, files={"a.yml": b"a"}, message="", parent_number=None)
    found = at_once(*[lambda: training.request_training(actor=person, assistant=assistant)] * 4)
    assert sum(isinstance(one, TrainingJob) for one in found) == 1
    assert sum(isinstance(one, Conflict) for one in found) == 3
    assert TrainingJob.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(6))
def test_cancel_and_claim_at_once_end_in_one_truth(assistant, person, turn):
    job = request(assistant, person)
    _cancelled, taken = at_once(lambda: training.cancel_training(actor=person, job=job), lambda: claim())
    job.refresh_from_db()
    assert job.cancel_requested_at is not None
    if taken is None:
        assert (job.state, job.attempt) == (State.CANCELLED, 0)
    else:
        assert job.state == State.PREPARING
        assert training.beat(taken, step="", done=0, total=0) is True


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(6))
def test_cancel_and_reap_at_once_never_put_a_cancelled_job_back(assistant, person, turn):
    job = request(assistant, person)
    claim()
    TrainingJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - training.SILENT_AFTER * 2)
    cancelled, _reaped = at_once(lambda: training.cancel_training(actor=person, job=job), training.reap)
    assert cancelled is None
    training.reap()
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert claim() is None


@pytest.mark.django_db(transaction=True)
def test_a_claim_waits_for_nobody(assistant, person):
    first, second = request(assistant, person), request(assistant, person)
    with transaction.atomic():
        TrainingJob.objects.select_for_update().get(pk=first.pk)
        (taken,) = at_once(lambda: claim())
    assert taken.pk == second.pk


@pytest.mark.django_db(transaction=True)
def test_a_finish_that_meets_a_reap_leaves_one_result(assistant, person):
    from tests.factories import make_model

    job = request(assistant, person)
    attempt = claim()
    model = make_model(assistant)
    TrainingJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - training.SILENT_AFTER * 2)
    finished, _reaped = at_once(lambda: training.finish(attempt, model), training.reap)
    job.refresh_from_db()
    if finished is None:
        assert (job.state, job.model) == (State.DONE, model)
    else:
        assert isinstance(finished, training.Superseded)
        assert (job.state, job.model) == (State.QUEUED, None)
