"""Asking for a test, and keeping what it measured."""

import pytest
from django.test import TestCase

from models_app.models import Assistant, Confusion, LabelScore, Model, ModelTest, StoryFault, TrainingJob
from models_app.services import testing, training
from models_app.services.models import delete_model
from models_app.services.revisions import save_revision
from models_app.services.testing import Measured, finish_test, request_test
from models_app.services.training_settings import save_settings
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from studio.jobs import queues
from tests.factories import make_model, make_person
from tests.models_app.measured import measured

State = TrainingJob.State


@pytest.fixture
def model(assistant: Assistant) -> Model:
    """Trained from revision 1; revision 2 is newer."""
    revisions = [revise(assistant, b"a: 1"), revise(assistant, b"a: 2", 1)]
    model = make_model(assistant, "otter")
    model.revision = revisions[0]
    model.save()
    return model


def revise(assistant: Assistant, content: bytes, parent: int | None = None):
    return save_revision(actor=None, assistant=assistant, files={"a.yml": content}, message="", parent_number=parent)


def claimed(job: TrainingJob) -> TrainingJob:
    found = training.claim(worker="w", versions=["3.6.21"])
    assert found == job
    return found


def test_a_test_takes_the_revision_that_the_model_learned(model: Model, redis_client):
    queues.queue(queues.TRAINING).empty()
    with TestCase.captureOnCommitCallbacks(execute=True):
        job = request_test(actor=make_person("admin", username="ana"), model=model)
    assert (job.kind, job.tested, job.revision.number) == ("test", model, 1)
    assert [waiting.args[0] for waiting in queues.queue(queues.TRAINING).get_jobs()] == [job.pk]
    event = AuditEvent.objects.get(action="test-requested")
    assert event.after == {"model": "otter", "revision": 1}


def test_an_uploaded_model_is_tested_with_the_newest_data(assistant: Assistant):
    revise(assistant, b"a: 1")
    assert request_test(actor=None, model=make_model(assistant)).revision.number == 1


def test_without_any_data_there_is_nothing_to_test_with(assistant: Assistant):
    with pytest.raises(Invalid, match="no training data"):
        request_test(actor=None, model=make_model(assistant))


def test_the_same_test_is_not_asked_for_twice_while_it_waits_or_runs(model: Model):
    job = request_test(actor=None, model=model)
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            request_test(actor=None, model=model)
        assert refused.value.details["job"] == job.number
        training.claim(worker="w", versions=["3.6.21"])


def test_a_deleted_model_is_not_tested(model: Model):
    delete_model(actor=None, model=model)
    with pytest.raises(Conflict):
        request_test(actor=None, model=model)


def test_what_was_measured_is_kept_with_the_model(model: Model):
    test = finish_test(claimed(request_test(actor=None, model=model)), measured())
    assert (test.model, test.stories, test.stories_correct, test.stories_share) == (model, 5, 1, 0.2)
    assert round(test.accuracy, 4) == 0.9135
    assert (test.held_out, test.learned, test.only_learned) == (266, 1000, ["rare"])
    assert StoryFault.objects.filter(test=test).count() == 4
    assert LabelScore.objects.filter(test=test, kind="intent").exists()
    assert sum(Confusion.objects.filter(test=test).values_list("count", flat=True)) == 23
    assert TrainingJob.objects.get(pk=test.pk).state == State.DONE


def test_what_was_not_measured_has_its_note_and_no_numbers(model: Model):
    test = finish_test(claimed(request_test(actor=None, model=model)), Measured(stories_note="None.", nlu_note="Few."))
    assert (test.stories_note, test.nlu_note) == ("None.", "Few.")
    assert {test.stories, test.accuracy, test.macro_f1, test.stories_share} == {None}


def test_a_late_result_of_an_old_attempt_keeps_nothing(model: Model):
    job = claimed(request_test(actor=None, model=model))
    TrainingJob.objects.filter(pk=job.pk).update(attempt=2)
    with pytest.raises(training.Superseded):
        finish_test(job, measured())
    assert not ModelTest.objects.exists()


def test_a_cancelled_test_keeps_nothing(model: Model):
    job = claimed(request_test(actor=None, model=model))
    training.cancel_training(actor=make_person("admin"), job=job)
    with pytest.raises(training.CancelRequested):
        finish_test(job, measured())
    assert not ModelTest.objects.exists()


@pytest.mark.parametrize(("by_settings", "by_wish"), [(True, False), (False, True)])
def test_a_training_with_tests_asks_for_one_as_soon_as_its_model_is_kept(
    model: Model, by_settings: bool, by_wish: bool
):
    save_settings(actor=None, assistant=model.assistant, values={"test_after": by_settings})
    job = training.request_training(actor=None, assistant=model.assistant, test_after=by_wish)
    testing.finish_training(claimed(job), model)
    test = TrainingJob.objects.get(kind="test")
    assert (test.tested, test.revision.number, test.state) == (model, 2, State.QUEUED)


def test_a_training_without_tests_asks_for_none(model: Model):
    job = training.request_training(actor=None, assistant=model.assistant)
    testing.finish_training(claimed(job), model)
    assert not TrainingJob.objects.filter(kind="test").exists()
