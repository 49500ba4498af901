"""A job of kind training: `rasa train`, and the model that comes of it."""

from pathlib import Path

from models_app.models import Model, TrainingJob
from models_app.services import training
from models_app.services.models import add_model, delete_model
from models_app.training.attempt import Attempt, AttemptFailed
from models_app.training.output import Progress, failure_message
from models_app.training.project import Project
from studio.rasa.commands import train_arguments


def train(attempt: Attempt, project: Project) -> None:
    """Make the model and end the job as done. Raises what Attempt.run and the services raise."""
    training.advance(attempt.job, TrainingJob.State.TRAINING)
    archive = _archive(attempt, project)
    training.advance(attempt.job, TrainingJob.State.PACKAGING)
    model = _keep(attempt.job, archive)
    try:
        training.finish(attempt.job, model)
    except (training.Superseded, training.CancelRequested):
        delete_model(actor=None, model=model)  # a later attempt makes its own
        raise


def _archive(attempt: Attempt, project: Project) -> Path:
    arguments = train_arguments(config=project.config, domain=project.domain, data=project.data, out="models")
    status = attempt.run(arguments, Progress(project.components))
    attempt.close()
    archives = sorted((attempt.folder / "models").glob("*.tar.gz"))
    if status.code != 0 or not archives:
        raise AttemptFailed(failure_message(attempt.tail, status.explain()))
    return archives[-1]


def _keep(job: TrainingJob, archive: Path) -> Model:
    with archive.open("rb") as source:
        added = add_model(
            actor=job.requested_by,
            actor_label=job.requested_by_label,
            assistant=job.assistant,
            source=source,
            file_name=archive.name,
            origin=Model.Origin.TRAINED,
            revision=job.revision,
        )
    return added.model
