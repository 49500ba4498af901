"""The starter assistant's way into production: its data, its first training, its first promotion.

It has no state of its own. How far it is follows from the rows, so it goes on after any interruption, and it leaves
off for good as soon as somebody took another way: another revision, another training, another promotion.
"""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from environments.models import Environment, ManagedServer, Promotion
from environments.services.managed import run_here
from environments.services.promotion import promote
from models_app.data.project import read_folder
from models_app.models import Assistant, Revision, TrainingJob
from models_app.services.assistants import DEFAULT_SLUG
from models_app.services.revisions import save_revision
from models_app.services.training import request_training
from studio.errors import DomainError
from studio.rasa.models import RasaRuntime
from studio.rasa.services import current_runtime

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


@dataclass(frozen=True)
class Step:
    """For a timeline: `state` is done, now, failed or todo."""

    title: str
    state: str
    note: str = ""


def progress() -> list[Step] | None:
    """How far the starter is, for the home page; None when it is not under way, or is done."""
    production = _production()
    server = ManagedServer.objects.filter(environment=production).first() if production else None
    if production is None or server is None or server.ready_at is not None or not server.wanted:
        return None
    promoted = Promotion.objects.filter(environment=production).order_by("pk").first()
    if promoted is not None and promoted.reason != REASON:
        return None
    revision = _starter_revision(production.assistant)
    if revision is None:
        return None
    job = revision.jobs.order_by("pk").first()
    return _in_order([_rasa_step(), _training_step(job), _server_step(server, promoted is not None)])


def _under_way() -> tuple[Environment, Revision, TrainingJob | None] | None:
    """(production, the starter's revision, its training); None once people went on from it, or never had it."""
    production = _production()
    if production is None or Promotion.objects.filter(environment=production).exists():
        return None
    revision = _starter_revision(production.assistant)
    if revision is None:
        return None
    return production, revision, revision.jobs.select_related("model").order_by("pk").first()


def _production() -> Environment | None:
    rows = Environment.objects.current().select_related("assistant")
    return rows.filter(assistant__slug=DEFAULT_SLUG, name=PRODUCTION).first()


def _starter_revision(assistant: Assistant) -> Revision | None:
    """The starter's data, as long as it is all the data there is."""
    newest = assistant.revisions.order_by("-number").first()
    is_starter = newest is not None and newest.number == 1 and newest.author_id is None and newest.message == MESSAGE
    return newest if is_starter else None


def _rasa_step() -> Step:
    runtime = current_runtime()
    if runtime.state == RasaRuntime.State.READY:
        return Step("Rasa installed", "done")
    if runtime.state == RasaRuntime.State.FAILED:
        return Step("Installing Rasa", "failed", runtime.message.partition("\n")[0])
    return Step("Installing Rasa", "now", runtime.step)


def _training_step(job: TrainingJob | None) -> Step:
    if job is None or job.state == TrainingJob.State.QUEUED:
        return Step("Training the starter assistant", "now", "in line")
    if job.state == TrainingJob.State.DONE:
        return Step("Starter assistant trained", "done")
    if job.is_ended:
        return Step("Training the starter assistant", "failed", job.message)
    return Step("Training the starter assistant", "now", job.step)


def _server_step(server: ManagedServer, promoted: bool) -> Step:
    note = server.message if promoted else ""
    return Step("Starting its server", "now", note or server.get_state_display())


def _in_order(steps: list[Step]) -> list[Step]:
    """Only the first that is not done is under way; what follows waits for it."""
    shown: list[Step] = []
    for step in steps:
        waits = any(before.state != "done" for before in shown)
        shown.append(Step(step.title, "todo") if waits and step.state == "now" else step)
    return shown
