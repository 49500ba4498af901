"""The starter assistant's way into production: its data, its first training, its first promotion.

It has no state of its own. How far it is follows from the rows, so it goes on after any interruption, and it leaves
off for good as soon as somebody took another way: another revision, another training, another promotion.
"""

from pathlib import Path

from django.conf import settings
from django.db import transaction

from environments.models import Environment, Promotion
from environments.services.managed import run_here
from environments.services.promotion import promote
from models_app.data.project import read_folder
from models_app.models import Assistant, Revision, TrainingJob
from models_app.services.assistants import DEFAULT_SLUG
from models_app.services.revisions import save_revision
from models_app.services.training import request_training
from studio.errors import DomainError

FOLDER = Path(settings.BASE_DIR) / "starter"
MESSAGE = "The starter assistant"
REASON = "First model of the starter assistant"
PRODUCTION = "production"


@transaction.atomic
def bring(assistant: Assistant) -> None:
    """Give a new assistant the starter's data and a managed production. Called once, at its birth."""
    run_here(actor=None, environment=Environment.objects.current().get(assistant=assistant, name=PRODUCTION))
    files = dict(read_folder(FOLDER).files)
    save_revision(actor=None, assistant=assistant, files=files, message=MESSAGE, parent_number=None)
    advance()


def advance() -> None:
    """Take the next step if it is time for it. Safe to call at any time and as often as one likes."""
    way = _under_way()
    if way is None:
        return
    environment, revision, job = way
    if job is None:
        request_training(actor=None, assistant=environment.assistant, revision=revision)
    elif job.state == TrainingJob.State.DONE and job.model is not None and job.model.deleted_at is None:
        try:
            promote(actor=None, environment=environment, model=job.model, expected_current=None, reason=REASON)
        except DomainError:  # somebody promoted in this moment: theirs stands
            return


def is_coming(environment: Environment) -> bool:
    """Whether its first model is being made: then its server can start beside the training, and both wait less."""
    way = _under_way()
    if way is None or way[0].pk != environment.pk:
        return False
    job = way[2]
    return job is not None and (job.state == TrainingJob.State.DONE or not job.is_ended)


def _under_way() -> tuple[Environment, Revision, TrainingJob | None] | None:
    """(production, the starter's revision, its training); None once people went on from it, or never had it."""
    production = _production()
    if production is None or Promotion.objects.filter(environment=production).exists():
        return None
    revision = _starter_revision(production.assistant)
    if revision is None:
        return None
    return production, revision, revision.jobs.trainings().select_related("model").order_by("pk").first()


def _production() -> Environment | None:
    rows = Environment.objects.current().select_related("assistant")
    return rows.filter(assistant__slug=DEFAULT_SLUG, name=PRODUCTION).first()


def _starter_revision(assistant: Assistant) -> Revision | None:
    """The starter's data, as long as it is all the data there is."""
    newest = assistant.revisions.order_by("-number").first()
    is_starter = newest is not None and newest.number == 1 and newest.author_id is None and newest.message == MESSAGE
    return newest if is_starter else None
