"""One attempt of one job: prepare its folder, do what its kind asks for, write how it ended."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings

from models_app.models import TrainingJob
from models_app.services import revisions, training
from models_app.services.training_settings import limits_of
from models_app.training import folders
from models_app.training.attempt import Attempt, AttemptFailed, Cancelled, HandedBack
from models_app.training.facts import facts_of
from models_app.training.project import NotTrainable, Project, read_project
from models_app.training.testing import test
from models_app.training.train import train
from models_app.training.validate import validate
from studio.errors import DomainError
from studio.jobs import heartbeat
from studio.jobs.heartbeat import process_name
from studio.jobs.patience import insist
from studio.rasa.packages import installed_packages
from studio.rasa.process import StartFailed
from studio.rasa.running import processes_of
from studio.rasa.runtime import Runtime
from studio.rasa.services import find_runtime

log = structlog.get_logger()

# What each kind does with the prepared folder; it ends the job as done itself.
KINDS: dict[str, Callable[[Attempt, Project], None]] = {
    TrainingJob.Kind.TRAINING: train,
    TrainingJob.Kind.VALIDATION: validate,
    TrainingJob.Kind.TEST: test,
}


def run_training(
    _woken_by: int | None = None, *, worker: str = "", is_over: Callable[[], bool] = lambda: False
) -> None:
    """Run the first job in line, whatever id woke this worker; every way it can end is written to its row. When
    `is_over` says that the worker is to end, what has not ended goes back in line.

    The order is that of the rows, with any number of workers and after any loss in Redis.
    """
    folders.sweep()
    if is_over():
        return  # the schedule wakes another worker
    job = training.claim(worker=worker or process_name(), versions=installed_versions())
    runtime = find_runtime(job.rasa_version) if job else None
    if job is None or runtime is None:  # it was removed in this moment: the reaper puts the job back in line
        return
    structlog.contextvars.bind_contextvars(training=job.pk)
    heartbeat.say_busy(f"{job.assistant.slug}: {job.title}", worker=job.worker)
    try:
        _attempt(job, runtime, folders.folder_of(job), is_over)
    except training.Superseded:
        log.warning("training superseded", job=job.pk, attempt=job.attempt)
    finally:
        insist(partial(folders.clear, job))


def _attempt(job: TrainingJob, runtime: Runtime, folder: Path, is_over: Callable[[], bool] = lambda: False) -> None:
    """Do it, and write how it ended, however long the database is away."""
    try:
        _do(job, runtime, folder, is_over)
    except HandedBack:
        insist(partial(training.hand_back, job))
    except (Cancelled, training.CancelRequested):
        insist(partial(training.end_cancelled, job))
    except AttemptFailed as error:
        insist(partial(training.try_again if error.again else training.fail, job, error.message))
    except (NotTrainable, DomainError) as error:
        insist(partial(training.fail, job, error.message))
    except (OSError, StartFailed) as error:
        log.exception("training stopped by the machine", job=job.pk)
        reason = error.message if isinstance(error, StartFailed) else f"{error.strerror or error}."
        insist(partial(training.try_again, job, f"The machine stopped the training: {reason}"))


def _do(job: TrainingJob, runtime: Runtime, folder: Path, is_over: Callable[[], bool]) -> None:
    processes = processes_of(runtime.python, settings.JOBS_DIR / "home", runtime.image)
    limits = insist(partial(limits_of, job.assistant))
    project = insist(partial(_prepare, job, folder, runtime))
    KINDS[job.kind](Attempt(job, processes, folder, limits, runtime.environment, is_over), project)


def installed_versions() -> list[str]:
    """Of the Rasas that jobs in line wait for, those that are here. A job of another holds up nobody behind it."""
    return [name for name in training.wanted_versions() if find_runtime(name) is not None]


def _prepare(job: TrainingJob, folder: Path, runtime: Runtime) -> Project:
    """The revision's files below `folder`, and what to train there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = revisions.files_of(job.revision)
    project = read_project(files)
    packages = f"image=={runtime.image}\n" if runtime.image else installed_packages(runtime.python)
    facts = facts_of(project, files[project.config])
    training.keep_facts(job, packages=packages, rasa_version=runtime.version, **facts)
    if not project.has_assistant_id:
        # Rasa would make up another id at every training, and each model would look like another assistant's.
        line = f"\nassistant_id: {job.assistant.slug}\n".encode()
        files[project.config] = files[project.config].rstrip() + line
    revisions.write_files(files, folder)
    return project


def requeue_forgotten() -> None:
    """Those alone whose Rasa is here: for the others a worker would wake in vain."""
    if versions := installed_versions():
        training.requeue_forgotten(versions)
