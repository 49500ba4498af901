"""Going on from a model (`rasa train --finetune`): which ones may, and the archive of the one that was chosen.

What Rasa 3.6 asks (rasa/graph_components/validators/finetuning_validator.py): the model was trained with a version
not older than the minimum compatible one; of the configuration only epochs differ; of the domain nothing but responses
and the like; and the NLU data has the same labels (intents, entities, roles, groups), with an example of each.
"""

from dataclasses import dataclass
from pathlib import Path

from models_app.models import Assistant, Model, Revision, TrainingJob
from models_app.services.archives import NoArchive, fetch_archive
from models_app.services.revisions import files_of
from models_app.services.same_training import Finetuning
from models_app.training.attempt import AttemptFailed
from models_app.training.facts import core_digest
from models_app.training.project import NotTrainable, read_project
from studio.errors import Invalid

OFFERED = 50  # the newest models are looked at
FOLDER = "finetune"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was trained here; `why_not` says why Rasa would not go on from it."""

    model: Model
    job: TrainingJob
    why_not: str

    @property
    def fits(self) -> bool:
        return not self.why_not


def candidates(assistant: Assistant, revision: Revision, version: str) -> list[Candidate]:
    """The newest models that a training of `revision` with the Rasa `version` could go on from, those that fit first.

    What can be told from rows is told here; of labels and domain Rasa itself judges when the training begins.
    """
    done = TrainingJob.objects.trainings().filter(assistant=assistant, state=TrainingJob.State.DONE)
    kept = done.filter(model__deleted_at=None, model__isnull=False, config_core_digest__isnull=False)
    jobs = list(kept.select_related("model", "revision").defer("model__domain").order_by("-pk")[:OFFERED])
    core = _core_of(revision) if jobs else None
    found = [Candidate(job.model, job, _why_not(job, core, version)) for job in jobs if job.model]
    return sorted(found, key=lambda one: not one.fits)


def finetuning_of(
    assistant: Assistant, revision: Revision, version: str, *, name: str, epoch_fraction: float
) -> Finetuning:
    """Going on from the model called `name`. Raises Invalid with why not."""
    offered = {one.model.name: one for one in candidates(assistant, revision, version)}
    chosen = offered.get(name)
    if chosen is None:
        raise Invalid(f"A training cannot go on from {name}: no model of that name was trained here.", code="finetune")
    if not chosen.fits:
        raise Invalid(f"A training cannot go on from {name}: {chosen.why_not}.", code="finetune")
    return Finetuning(chosen.model, epoch_fraction)


def _core_of(revision: Revision) -> bytes | None:
    try:
        return core_digest(read_project(files_of(revision)).settings)
    except NotTrainable:
        return None


def _why_not(job: TrainingJob, core: bytes | None, version: str) -> str:
    if job.rasa_version != version:
        return f"made with Rasa {job.rasa_version}"
    return "" if core is not None and bytes(job.config_core_digest or b"") == core else "another configuration"


def fetch(model: Model, folder: Path) -> Path:
    """The model's archive below `folder`, whole. Raises AttemptFailed."""
    model.refresh_from_db()
    if model.deleted_at is not None:
        raise AttemptFailed(f"The model to go on from, {model.name}, has been deleted meanwhile.")
    target = folder / FOLDER / model.file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        fetch_archive(model, target)
    except NoArchive as error:
        raise AttemptFailed(f"The model to go on from cannot be had. {error.message}") from None
    return target
