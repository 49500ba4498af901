"""Validation as a job and before a training: what is kept, what it stops, and when it is left out."""

from pathlib import Path

import pytest

from models_app.models import Finding, TrainingJob, Validation
from models_app.services import training
from models_app.services.revisions import save_revision
from models_app.services.training_settings import save_settings
from models_app.services.validation import request_validation
from models_app.training import attempt as following
from models_app.training import run
from studio.errors import Conflict, Invalid
from studio.rasa.runtime import Runtime
from tests.factories import make_assistant
from tests.models_app.archives import model_archive
from tests.models_app.test_training_run import FILES, ScriptedRasa

State = TrainingJob.State
WARNS = "/opt/rasa/site-packages/rasa/shared/utils/io.py:100: UserWarning: "
WARNING = f"{WARNS}The intent 'greet' is listed in the domain file, but is not found in the NLU training data.\n"
ERROR = f"{WARNS}The form slot 'x' in form 'y' is not present in the domain slots.\n"
STORIES = "2026-11-28 14:29:46 INFO     rasa.validator  - No story structure conflicts found.\n"
TRAINS = "2026-11-28 14:29:49 INFO     rasa.engine.training.hooks  - Starting to train component 'RulePolicy'.\n"
ENDED = "Project validation completed with errors.\n"


@pytest.fixture
def assistant(db, settings, tmp_path, monkeypatch):
    settings.JOBS_DIR = tmp_path / "jobs"
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.0)
    assistant = make_assistant(slug="cafe", title="Café")
    save_revision(actor=None, assistant=assistant, files=FILES, message="", parent_number=None)
    return assistant


@pytest.fixture
def do(monkeypatch, settings):
    def do(job, rasa, version="3.6.21"):
        monkeypatch.setattr(run, "processes_of", lambda *_: rasa)
        claimed = training.claim(worker="w", versions=[version])
        assert claimed.pk == job.pk
        run._attempt(claimed, Runtime(version, Path("/rasa"), version), settings.JOBS_DIR / f"{job.pk}-1")
        job.refresh_from_db()
        return job

    return do


def places():
    return list(Finding.objects.values_list("severity", "path", "line"))


def test_a_validation_keeps_what_rasa_found_and_where(assistant, do):
    rasa = ScriptedRasa(WARNING + STORIES)
    job = do(request_validation(actor=None, assistant=assistant), rasa)
    assert (job.state, job.message) == (State.DONE, "1 warning")
    assert places() == [("warning", "domain.yml", 1)]
    assert rasa.spec.arguments[:2] == ("data", "validate")
    assert job.log.get().text == WARNING + STORIES


def test_errors_are_the_result_of_a_validation_and_not_its_failure(assistant, do):
    job = do(request_validation(actor=None, assistant=assistant), ScriptedRasa(ERROR + ENDED, code=1))
    assert (job.state, job.message) == (State.DONE, "1 error")


def test_a_rasa_that_ends_without_a_word_is_an_error_too(assistant, do):
    do(request_validation(actor=None, assistant=assistant), ScriptedRasa("Oh.\n", code=1))
    assert Finding.objects.get().severity == "error"
    assert "Oh." in Finding.objects.get().message


def test_a_validation_that_was_ended_has_no_result(assistant, do):
    job = do(request_validation(actor=None, assistant=assistant), ScriptedRasa(WARNING, code=-15))
    assert job.state == State.FAILED
    assert not Validation.objects.exists()


def test_an_attempt_that_was_given_up_keeps_nothing(assistant, do):
    job = request_validation(actor=None, assistant=assistant)
    late = ScriptedRasa(WARNING, looks=1, on_poll=lambda: TrainingJob.objects.update(attempt=2))
    with pytest.raises(training.Superseded):
        do(job, late)
    assert not Validation.objects.exists()


def test_the_second_attempt_replaces_what_the_first_found(assistant, do):
    job = do(request_validation(actor=None, assistant=assistant), ScriptedRasa(WARNING))
    TrainingJob.objects.update(state=State.QUEUED)
    do(job, ScriptedRasa(""))
    assert (Validation.objects.get().words, Finding.objects.count()) == ("", 0)


def test_a_revision_is_validated_once_at_a_time(assistant):
    first = request_validation(actor=None, assistant=assistant)
    with pytest.raises(Conflict) as refused:
        request_validation(actor=None, assistant=assistant)
    assert refused.value.details["job"] == first.number


def test_without_data_there_is_nothing_to_validate(db):
    with pytest.raises(Invalid):
        request_validation(actor=None, assistant=make_assistant(slug="inn", title="Inn"))


def test_a_training_keeps_the_warnings_of_its_validation_and_goes_on(assistant, do):
    seen = []
    rasa = ScriptedRasa(WARNING + STORIES + TRAINS, leaves=model_archive(), looks=3)
    rasa.on_poll = lambda: seen.append((TrainingJob.objects.get().state, Finding.objects.count()))
    job = do(training.request_training(actor=None, assistant=assistant), rasa)
    assert seen == [("preparing", 0), ("training", 1), ("training", 1)]
    assert (job.state, job.validation.words) == (State.DONE, "1 warning")
    assert "--skip-validation" not in rasa.spec.arguments


def test_errors_end_the_training_with_the_first_of_them(assistant, do):
    job = do(training.request_training(actor=None, assistant=assistant), ScriptedRasa(WARNING + ERROR + ENDED, code=1))
    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert job.message == "The form slot 'x' in form 'y' is not present in the domain slots."
    assert (job.validation.errors, job.validation.warnings) == (1, 1)


def test_what_ends_a_training_before_its_first_component_is_a_finding(assistant, do):
    rasa = ScriptedRasa(
        f"{STORIES}InvalidConfigException: Can't load class for name 'WhitespaceTokenizer'. So.\n", code=1
    )
    job = do(training.request_training(actor=None, assistant=assistant), rasa)
    assert job.state == State.FAILED
    assert job.message.startswith("config.yml, line 2: InvalidConfigException: Can't load class")
    assert places() == [("error", "config.yml", 2)]


def test_data_known_to_be_valid_is_not_validated_again(assistant, do):
    do(request_validation(actor=None, assistant=assistant), ScriptedRasa(WARNING))
    rasa = ScriptedRasa(TRAINS, leaves=model_archive())
    job = do(training.request_training(actor=None, assistant=assistant), rasa)
    assert rasa.spec.arguments[-1] == "--skip-validation"
    assert "validation 1 found 1 warning in the same data" in job.log.first().text


def test_data_with_errors_is_validated_again(assistant, do):
    do(request_validation(actor=None, assistant=assistant), ScriptedRasa(ERROR, code=1))
    rasa = ScriptedRasa("Oh.\n", code=1)
    do(training.request_training(actor=None, assistant=assistant), rasa)
    assert "--skip-validation" not in rasa.spec.arguments


def test_another_version_of_rasa_validates_again(assistant, do):
    do(request_validation(actor=None, assistant=assistant), ScriptedRasa(WARNING))
    save_settings(actor=None, assistant=assistant, values={"rasa_version": "3.6.20"})
    rasa = ScriptedRasa("Oh.\n", code=1)
    do(training.request_training(actor=None, assistant=assistant), rasa, version="3.6.20")
    assert "--skip-validation" not in rasa.spec.arguments


def test_an_assistant_that_does_not_want_it_is_not_validated(assistant, do):
    save_settings(actor=None, assistant=assistant, values={"validate_first": False})
    rasa = ScriptedRasa(TRAINS, leaves=model_archive())
    job = do(training.request_training(actor=None, assistant=assistant), rasa)
    assert rasa.spec.arguments[-1] == "--skip-validation"
    assert not Validation.objects.filter(job=job).exists()
