"""Whether a training would make a model that exists already: the same data, configuration, Rasa and beginning."""

from dataclasses import dataclass

from django.db.models import Q

from models_app.models import Assistant, Model, Revision, TrainingJob
from models_app.services.training_settings import rasa_of
from studio.errors import Conflict

State = TrainingJob.State


@dataclass(frozen=True, slots=True)
class Finetuning:
    """The model that a training goes on from, and the share of the configuration's epochs that it takes."""

    model: Model
    epoch_fraction: float


class TrainedAlready(Conflict):
    """`job` made the same model, or makes it just now."""

    code = "trained-already"

    def __init__(self, job: TrainingJob) -> None:
        super().__init__(_words(job), job=job.number, model=job.model.name if job.model else None)
        self.job = job


def _words(job: TrainingJob) -> str:
    if job.model is None:
        return f"Training {job.number} makes this model just now."
    return f"This model exists already: {job.model.name} was made of the same data with Rasa {job.rasa_version}."


def same_trainings(assistant: Assistant, revision: Revision, finetuning: Finetuning | None) -> list[TrainingJob]:
    """Trainings under way, and done ones whose model is kept, that make of equal data the same; the newest first.

    The configuration is a file of the revision, so equal data means an equal one.
    """
    rasa = Q(rasa_version=rasa_of(assistant))
    kept = Q(state=State.DONE, model__isnull=False, model__deleted_at=None)
    states = Q(state=State.QUEUED) | rasa & (Q(state__in=TrainingJob.ACTIVE) | kept)
    found = TrainingJob.objects.trainings().filter(
        states,
        assistant=assistant,
        revision__digest=revision.digest,
        finetune_from=finetuning.model if finetuning else None,
        epoch_fraction=finetuning.epoch_fraction if finetuning else None,
    )
    return list(found.named().order_by("-pk")[:20])


def refuse_same(assistant: Assistant, revision: Revision, finetuning: Finetuning | None, known: int | None) -> None:
    """Raise Conflict when the same waits in line, TrainedAlready when it is there and not the job that is `known`.

    Called within the transaction that holds the assistant's row, so of two clicks the second finds the first's job.
    """
    same = same_trainings(assistant, revision, finetuning)
    waiting = next((job for job in same if job.state == State.QUEUED), None)
    if waiting is not None:
        message = f"Training {waiting.number} already waits to train revision {waiting.revision.number}."
        raise Conflict(message, job=waiting.number)
    if same and same[0].number != known:
        raise TrainedAlready(same[0])
