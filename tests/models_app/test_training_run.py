"""One attempt of a training, followed from its start to its end. The Rasa here is scripted; the real one is below."""

import shutil
from pathlib import Path

import pytest
from django.test import TestCase
from django.utils import timezone

from models_app.models import Model, TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.services.training_settings import save_settings
from models_app.training import attempt as following
from models_app.training import folders, run, train
from studio.jobs import queues
from studio.rasa.process import Handle, LogChunk, Status
from studio.rasa.runtime import Runtime
from tests.clock import Clock
from tests.models_app.archives import model_archive
from tests.rasa.implementations import eventually

State = TrainingJob.State
FILES = {
    "config.yml": b"pipeline:\n- name: WhitespaceTokenizer\npolicies:\n- name: RulePolicy\n",
    "domain.yml": b"intents: [greet]\n",
    "data/nlu.yml": b"nlu: []\n",
}


class ScriptedRasa:
    """Writes `output`, leaves an archive or not, and ends with `code` after `looks` polls."""

    def __init__(self, output="", code=0, leaves=None, looks=1, on_poll=lambda: None):
        self.output, self.code, self.leaves, self.looks, self.on_poll = output, code, leaves, looks, on_poll
        self.spec, self.stopped, self.waits, self.why = None, False, "", ""

    def start(self, spec):
        self.spec = spec
        if self.leaves:
            (spec.folder / "models").mkdir()
            (spec.folder / "models" / "20261122-calm-heron.tar.gz").write_bytes(self.leaves)
        return Handle(1, "now", str(spec.log))

    def poll(self, handle):
        self.on_poll()
        self.looks -= 1
        if self.looks > 0:
            return Status(running=True, is_waiting=bool(self.waits), why=self.waits)
        return Status(running=False, code=self.code, why=self.why)

    def stop(self, handle, grace=10.0):
        self.stopped = True
        return Status(running=False, code=self.code)

    def read_log(self, handle, offset=0, limit=65536):
        return LogChunk(self.output[offset:], len(self.output))


@pytest.fixture
def job(db, settings, tmp_path, monkeypatch):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.0)
    assistant = add_assistant(actor=None, slug="cafe", title="Café")
    save_revision(actor=None, assistant=assistant, files=FILES, message="", parent_number=None)
    return training.request_training(actor=None, assistant=assistant)


def attempt(job, rasa, monkeypatch, settings):
    monkeypatch.setattr(run, "processes_of", lambda *_: rasa)
    claimed = training.claim(worker="w", versions=["3.6.21"])
    folder = settings.JOBS_DIR / "1-1"
    run._attempt(claimed, Runtime("3.6.21", Path("/rasa"), "3.6.21"), folder)
    job.refresh_from_db()
    return job


def test_a_training_that_ends_well_leaves_a_model_with_revision_and_job(job, monkeypatch, settings):
    rasa = ScriptedRasa("Starting to train component 'RulePolicy'.\n", leaves=model_archive())
    attempt(job, rasa, monkeypatch, settings)
    assert job.state == State.DONE
    assert (job.model.name, job.model.origin) == ("20261122-calm-heron", Model.Origin.TRAINED)
    assert job.model.revision == job.revision
    assert job.log.get().text == "Starting to train component 'RulePolicy'.\n"
    assert rasa.spec.low_priority is True


def test_a_project_without_an_assistant_id_gets_the_slug(job, monkeypatch, settings):
    rasa = ScriptedRasa(code=1)
    attempt(job, rasa, monkeypatch, settings)
    assert (rasa.spec.folder / "config.yml").read_text().endswith("\nassistant_id: cafe\n")


def test_data_that_does_not_train_shows_rasas_message(job, monkeypatch, settings):
    rasa = ScriptedRasa("InvalidDomain: The intent 'x' is used twice.\n", code=1)
    attempt(job, rasa, monkeypatch, settings)
    assert (job.state, job.message) == (State.FAILED, "InvalidDomain: The intent 'x' is used twice.")


def test_a_rasa_that_leaves_no_archive_failed_whatever_its_exit_code(job, monkeypatch, settings):
    attempt(job, ScriptedRasa("No training data given.\n", code=0), monkeypatch, settings)
    assert job.state == State.FAILED
    assert "No training data given." in job.message


def test_cancelling_stops_the_process_and_ends_the_job(job, monkeypatch, settings):
    def cancel():
        TrainingJob.objects.filter(pk=job.pk).update(cancel_requested_at=job.requested_at, message="Cancelled by ana.")

    rasa = ScriptedRasa(looks=100, on_poll=cancel)
    attempt(job, rasa, monkeypatch, settings)
    assert (job.state, job.message, rasa.stopped) == (State.CANCELLED, "Cancelled by ana.", True)


def test_a_cancel_while_the_model_is_kept_still_counts(job, monkeypatch, settings):
    keep = train._keep

    def cancel_and_keep(job, archive):
        TrainingJob.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now(), message="Cancelled by mira.")
        keep(job, archive)

    monkeypatch.setattr(train, "_keep", cancel_and_keep)
    ended = attempt(job, ScriptedRasa(leaves=model_archive()), monkeypatch, settings)
    assert (ended.state, ended.message) == (State.CANCELLED, "Cancelled by mira.")
    assert not Model.objects.exists()
    assert not list(settings.ARTIFACTS_DIR.rglob("*.tar.gz"))


def test_an_attempt_that_was_given_up_stops_its_process_and_leaves_no_model(job, monkeypatch, settings):
    def give_up():
        TrainingJob.objects.filter(pk=job.pk).update(attempt=2)

    rasa = ScriptedRasa(looks=100, on_poll=give_up, leaves=model_archive())
    with pytest.raises(training.Superseded):
        attempt(job, rasa, monkeypatch, settings)
    assert rasa.stopped
    assert not Model.objects.exists()


def test_what_it_waits_for_the_cluster_is_none_of_its_time_and_is_said(job, monkeypatch, settings):
    settings.TRAINING_SECONDS = 10
    steps, clock = [], Clock()
    monkeypatch.setattr(following, "time", clock)

    def wait():
        if rasa.waits:
            steps.append(TrainingJob.objects.get(pk=job.pk).step)
            clock.passed += 5
        rasa.waits = "It waits for a node." if rasa.looks > 3 else ""

    rasa = ScriptedRasa(looks=8, on_poll=wait, leaves=model_archive())
    rasa.waits = "It waits for a node."
    attempt(job, rasa, monkeypatch, settings)
    assert job.state == State.DONE, job.message
    assert steps[-1] == "Waiting for the cluster"


def test_a_process_of_which_nothing_is_heard_any_more_is_tried_once_more(job, monkeypatch, settings):
    rasa = ScriptedRasa(code=None)
    rasa.why = "Nothing was heard of its Pod for 90 seconds."
    attempt(job, rasa, monkeypatch, settings)
    assert (job.state, job.attempt) == (State.QUEUED, 1)
    assert "Nothing was heard of its Pod" in job.message


@pytest.mark.django_db(transaction=True)
def test_it_lives_on_while_the_end_of_its_process_takes_long(job, monkeypatch, settings):
    monkeypatch.setattr("studio.jobs.patience.BEAT_SECONDS", 0.05)
    beats, rasa = [], ScriptedRasa(leaves=model_archive())
    end = rasa.stop

    def beat():
        return TrainingJob.objects.get(pk=job.pk).heartbeat_at

    def takes_long(handle, grace=10.0):
        beats.append(beat())
        eventually(lambda: beat() != beats[0])
        beats.append(beat())
        return end(handle, grace)

    monkeypatch.setattr(rasa, "stop", takes_long)
    attempt(job, rasa, monkeypatch, settings)
    assert beats[0] < beats[1]


def test_a_training_over_its_time_is_ended_with_why(job, monkeypatch, settings):
    settings.TRAINING_SECONDS = -60
    attempt(job, ScriptedRasa(looks=100), monkeypatch, settings)
    assert job.state == State.FAILED
    assert "longer than" in job.message


def test_folders_of_killed_attempts_are_swept(job, settings):
    left, home = settings.JOBS_DIR / "99-1", settings.JOBS_DIR / "home"
    left.mkdir(parents=True)
    home.mkdir()
    folders.sweep()
    assert not left.exists()
    assert home.exists()
    shutil.rmtree(settings.JOBS_DIR)
    folders.sweep()


def test_trainings_wait_outside_the_queue_until_there_is_rasa(job, monkeypatch, redis_client):
    queue = queues.queue(queues.TRAINING)
    queue.empty()
    monkeypatch.setattr(run, "find_runtime", lambda _name: None)
    run.requeue_forgotten()
    assert queue.count == 0
    monkeypatch.setattr(run, "find_runtime", lambda _name: Runtime("3.6.21", Path("/rasa"), "3.6.21"))
    with TestCase.captureOnCommitCallbacks(execute=True):
        run.requeue_forgotten()
    assert [waiting.args[0] for waiting in queue.get_jobs()] == [job.pk]


def test_each_waits_for_the_rasa_of_its_own_assistant(job, monkeypatch, redis_client):
    other = add_assistant(actor=None, slug="inn", title="Inn")
    save_settings(actor=None, assistant=other, values={"rasa_version": "3.6.20"})
    save_revision(actor=None, assistant=other, files=FILES, message="", parent_number=None)
    waits = training.request_training(actor=None, assistant=other)
    queue = queues.queue(queues.TRAINING)
    queue.empty()
    monkeypatch.setattr(run, "find_runtime", {"3.6.21": Runtime("3.6.21", Path("/rasa"), "3.6.21")}.get)
    with TestCase.captureOnCommitCallbacks(execute=True):
        run.requeue_forgotten()
    assert [queued.args[0] for queued in queue.get_jobs()] == [job.pk]
    assert training.claim(worker="w", versions=run.installed_versions()) == job
    assert training.claim(worker="w", versions=run.installed_versions()) is None
    assert TrainingJob.objects.get(pk=waits.pk).state == State.QUEUED
