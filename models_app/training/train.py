"""A job of kind training: `rasa train`, and the model that comes of it."""

import errno
import time
from functools import partial
from pathlib import Path

from models_app.models import Model, TrainingJob
from models_app.services import training
from models_app.services.models import add_model
from models_app.services.testing import finish_training
from models_app.storage import StoreFailed, StoreFull
from models_app.training import folders
from models_app.training.attempt import Attempt, AttemptFailed
from models_app.training.finetune import fetch
from models_app.training.output import failure_message
from models_app.training.project import Project
from models_app.training.validate import ValidationFirst
from studio.errors import Invalid
from studio.jobs.patience import insist, pulse
from studio.rasa.commands import train_arguments

STORE_SECONDS = 3600.0  # how long a model waits for a store that is away or full
STORE_PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds between two tries; the last one again and again


def train(attempt: Attempt, project: Project) -> None:
    """Make the model and end the job as done. Raises what Attempt.run and the services raise."""
    if not _of_earlier_attempt(attempt):
        _package(attempt, folders.set_aside(attempt.job, _archive(attempt, project)))


def _of_earlier_attempt(attempt: Attempt) -> bool:
    """Whether there was a model that an attempt before this one had trained when its worker ended."""
    archive = folders.set_aside_by_earlier(attempt.job)
    if archive is None:
        return False
    try:
        _package(attempt, archive)
    except Invalid:  # cut off when the machine went down
        archive.unlink()
        return False
    return True


def _archive(attempt: Attempt, project: Project) -> Path:
    validation = insist(partial(ValidationFirst, attempt, project.components))
    begun_from = attempt.job.finetune_from
    arguments = train_arguments(
        config=project.config,
        domain=project.domain,
        data=project.data,
        out="models",
        skip_validation=validation.is_left_out,
        finetune=insist(partial(fetch, begun_from, attempt.folder)) if begun_from else None,
        epoch_fraction=attempt.job.epoch_fraction,
    )
    try:
        status = attempt.run(arguments, validation.progress, validation.look)
    finally:
        insist(attempt.close)
    insist(partial(validation.conclude, status))
    archives = sorted((attempt.folder / "models").glob("*.tar.gz"))
    if status.code != 0 or not archives:
        raise AttemptFailed(failure_message(attempt.tail, status.explain()))
    return archives[-1]


def _package(attempt: Attempt, archive: Path) -> None:
    """Keep the archive, for as long as it takes. A store that is away is no reason to train anew."""
    insist(partial(training.advance, attempt.job, TrainingJob.State.PACKAGING, "Storing the model"))
    until = time.monotonic() + STORE_SECONDS
    pauses = iter(STORE_PAUSES)
    while True:
        try:
            with pulse(partial(training.still_there, attempt.job)):
                return insist(partial(_keep, attempt.job, archive))
        except (StoreFailed, OSError) as error:
            reason = _reason(error)
            if time.monotonic() > until:
                raise AttemptFailed(f"The model was trained and could not be stored: {reason}") from error
            attempt.wait(next(pauses, STORE_PAUSES[-1]), f"Waiting to store the model: {reason}")


def _reason(error: StoreFailed | OSError) -> str:
    if isinstance(error, StoreFailed):
        return error.message
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull().message
    return f"{error.strerror or error}."


def _keep(job: TrainingJob, archive: Path) -> None:
    """Add the model and end the job in one transaction: a worker that dies in between leaves neither."""

    def finish(model: Model) -> None:
        finish_training(job, model)

    with archive.open("rb") as source:
        added = add_model(
            actor=job.requested_by,
            actor_label=job.requested_by_label,
            assistant=job.assistant,
            source=source,
            file_name=archive.name,
            origin=Model.Origin.TRAINED,
            revision=job.revision,
            also=finish,
        )
    if added.existed:
        finish(added.model)
