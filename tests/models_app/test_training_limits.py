"""An assistant's limits, each passed by a real process; and what is tried again, what never."""

import errno
import os
import re
import subprocess
from pathlib import Path

import pytest

from models_app.models import Assistant, Model, TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.services.training_settings import save_settings
from models_app.training import folders, run, train
from studio.rasa.proc import marked
from studio.rasa.process import MARK
from tests import stand_in
from tests.factories import make_person

pytestmark = pytest.mark.django_db
State = TrainingJob.State
MB = 1024 * 1024


@pytest.fixture
def assistant(settings, tmp_path) -> Assistant:
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = tmp_path / "rasa"
    stand_in.install(settings.RASA_DIR)
    return add_assistant(actor=None, slug="cafe", title="Café")


def request(assistant: Assistant, what: str, **limits: int) -> TrainingJob:
    save_settings(actor=None, assistant=assistant, values=dict(limits))
    save_revision(actor=None, assistant=assistant, files=stand_in.files(what), message="", parent_number=None)
    return training.request_training(actor=None, assistant=assistant)


def attempt(job: TrainingJob) -> TrainingJob:
    """One attempt; whatever comes of it leaves no process and no folder."""
    run.run_training(job.pk)
    job = TrainingJob.objects.get(pk=job.pk)
    folder = folders.folder_of(job)
    assert marked(MARK, f"@{folder}") == []
    assert not folder.exists()
    return job


WAIT = "import time; time.sleep(60)\n"
EXCEEDED = {
    "memory": (f"hog = b'x' * {150 * MB}\n" + WAIT, {"memory_mb": 100}, r"It used 1\d\d(\.\d)? MB of memory; it may use 100 MB\."),
    "disk": (f"open('large', 'wb').write(b'x' * {30 * MB})\n" + WAIT, {"disk_mb": 20}, r"It took [\d.]+ MB of the disk|a little more than 20 MB"),
    "a file that nobody sees": (
        f"import tempfile; tempfile.TemporaryFile().write(b'x' * {30 * MB})\n" + WAIT,
        {"disk_mb": 20},
        "a file larger than the 20 MB it may take of the disk",
    ),
    "processes": (
        "import subprocess\nfor _ in range(10): subprocess.Popen(['sleep', '60'], start_new_session=True)\n" + WAIT,
        {"processes": 5},
        r"It ran \d+ processes at once; it may run 5\.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("what", "limits", "said"), EXCEEDED.values(), ids=EXCEEDED)
def test_a_limit_that_is_passed_ends_the_training_for_good_and_says_how_to_raise_it(assistant, what, limits, said):
    job = attempt(request(assistant, what, **limits))
    assert job.state == State.FAILED
    assert re.search(said, job.message), job.message
    assert "training settings" in job.message
    assert not Model.objects.exists()


def test_time_is_a_limit_too(assistant, settings):
    settings.TRAINING_SECONDS = 1
    job = attempt(request(assistant, WAIT))
    assert job.state == State.FAILED
    assert "longer than the 1 s it may take" in job.message


def test_within_its_limits_it_makes_a_model(assistant):
    job = attempt(request(assistant, "", memory_mb=500, disk_mb=50, processes=2))
    assert (job.state, job.message) == (State.DONE, "")
    assert not (folders.settings.JOBS_DIR / "kept" / str(job.pk)).exists()


# --- What is tried again -----------------------------------------------------------------------------------------------


def test_data_that_does_not_train_is_never_tried_again(assistant):
    job = attempt(request(assistant, "raise SystemExit('InvalidDomain: twice')"))
    assert (job.state, job.attempt) == (State.FAILED, 1)


def test_a_killed_one_is_tried_again_and_given_up_after_the_last_attempt(assistant):
    job = attempt(request(assistant, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert (job.state, job.attempt) == (State.QUEUED, 1)
    assert "SIGKILL" in job.message
    assert "tried again" in job.message
    job = attempt(job)
    assert (job.state, job.attempt) == (State.FAILED, 2)
    assert "SIGKILL" in job.message
    log = "".join(job.log.values_list("text", flat=True))
    assert "SIGKILL" in log  # why the first attempt ended stays to be read


def test_a_second_attempt_may_come_through(assistant, tmp_path):
    first = tmp_path / "was here"
    what = f"import os, pathlib, signal\np = pathlib.Path({str(first)!r})\nif not p.exists():\n p.touch(); os.kill(os.getpid(), 9)"
    job = attempt(attempt(request(assistant, what)))
    assert (job.state, job.attempt, job.message) == (State.DONE, 2, "")


def test_one_that_was_cancelled_meanwhile_is_not(assistant):
    job = request(assistant, "")
    claimed = training.claim(worker="w", versions=["3.6.21"])
    training.cancel_training(actor=make_person(username="mara"), job=job)
    training.try_again(claimed, "The disk is full.")
    job.refresh_from_db()
    assert (job.state, job.message) == (State.CANCELLED, "Cancelled by mara.")  # who did it stays to be read


# --- A disk that is full -----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"only root can mount a small disk: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


FILL = "open('large', 'wb').write(b'x' * 2**30)\n"


def test_a_disk_that_fills_up_while_rasa_trains(assistant, settings, small_disk):
    settings.JOBS_DIR = small_disk / "jobs"
    job = attempt(request(assistant, FILL))
    assert (job.state, job.attempt) == (State.QUEUED, 1)
    assert "disk of the training worker is full" in job.message
    job = attempt(job)
    assert job.state == State.FAILED
    assert "disk of the training worker is full" in job.message
    assert [path.name for path in settings.JOBS_DIR.iterdir()] == ["home"]


def test_a_disk_that_is_full_before_it_begins(assistant, settings, small_disk):
    settings.JOBS_DIR = small_disk / "jobs"
    job = request(assistant, "")
    fill(small_disk)
    job = attempt(job)
    assert (job.state, job.attempt) == (State.QUEUED, 1)
    assert "No space left" in job.message
    (small_disk / "full").unlink()
    assert attempt(job).state == State.DONE


def test_a_full_store_keeps_the_model_waiting_until_there_is_room(assistant, settings, small_disk, monkeypatch):
    settings.ARTIFACTS_DIR = small_disk / "artifacts"
    fill(small_disk)
    trained = tried(monkeypatch, lambda: (small_disk / "full").unlink())
    job = attempt(request(assistant, ""))
    assert (job.state, job.attempt) == (State.DONE, 1)
    assert "no room left" in trained[0]
    assert list((settings.ARTIFACTS_DIR / "incoming").iterdir()) == []


def test_the_same_where_no_disk_can_be_mounted(assistant, monkeypatch):
    """A stand-in for a full disk: the error that a system call gives on one."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(run.revisions, "write_files", full)
        job = attempt(request(assistant, ""))
    assert (job.state, job.attempt) == (State.QUEUED, 1)
    assert "No space left" in job.message
    assert attempt(job).state == State.DONE


def fill(place: Path) -> None:
    with (place / "full").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 65536)


# --- A store that is gone ----------------------------------------------------------------------------------------------


def tried(monkeypatch: pytest.MonkeyPatch, mend) -> list[str]:
    """What people are told while the model waits; `mend` is called at the second try."""
    told: list[str] = []

    def wait(attempt, seconds, step):
        told.append(step)
        if len(told) == 2:
            mend()

    monkeypatch.setattr(train.Attempt, "wait", wait)
    return told


def test_a_store_that_is_gone_keeps_the_model_waiting_and_nothing_is_trained_twice(assistant, settings, monkeypatch):
    settings.ARTIFACTS_DIR.write_text("not a folder")
    told = tried(monkeypatch, settings.ARTIFACTS_DIR.unlink)
    job = attempt(request(assistant, ""))
    assert (job.state, job.attempt) == (State.DONE, 1)
    assert told[0].startswith("Waiting to store the model: ")


def test_a_model_that_a_killed_worker_could_not_store_is_not_trained_anew(assistant, settings, monkeypatch, tmp_path):
    count = tmp_path / "trainings"
    what = f"open({str(count)!r}, 'a').write('.')"

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train, "_keep", die)
        job = request(assistant, what)
        with pytest.raises(Killed):
            run.run_training(job.pk)
    TrainingJob.objects.filter(pk=job.pk).update(state=State.QUEUED)
    job = attempt(job)
    assert (job.state, job.attempt) == (State.DONE, 2)
    assert count.read_text() == "."
    assert list((settings.JOBS_DIR / "kept").iterdir()) == []


def test_an_archive_that_was_cut_off_is_trained_anew(assistant, settings):
    job = request(assistant, "")
    kept = settings.JOBS_DIR / "kept" / str(job.pk)
    kept.mkdir(parents=True)
    (kept / "model.tar.gz").write_bytes(b"\x1f\x8b")
    TrainingJob.objects.filter(pk=job.pk).update(attempt=1)
    job = attempt(job)
    assert (job.state, job.attempt) == (State.DONE, 2)
    assert job.model.name.startswith("model-")
