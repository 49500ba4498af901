"""How far a new assistant is on its way to its first conversation, told from the rows; nothing is remembered."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from conversations.models import Conversation
from environments.services.overview import Overview
from models_app.models import Assistant, Model, Revision, TrainingJob
from studio.rasa.models import RasaRuntime
from studio.rasa.services import runtime_named

RUNTIME_WORDS = {
    RasaRuntime.State.MISSING: "not installed",
    RasaRuntime.State.WANTED: "waiting",
    RasaRuntime.State.INSTALLING: "installing",
    RasaRuntime.State.FAILED: "failed",
    RasaRuntime.State.REMOVING: "being removed",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step as components/steps.html shows it; `state` is done, now, failed or todo."""

    title: str
    state: str
    note: str = ""


def setup_steps(assistant: Assistant, environments: list[Overview], rasa: str) -> list[Step]:
    """Rasa, data, model, live, first talk; empty once somebody has talked to the assistant. `rasa` is the version that
    it is trained with, empty for the installation's own."""
    talked_to, has_model = _reached(assistant)
    if talked_to:
        return []
    facts = [_runtime(rasa), _data(assistant), _model(assistant, has_model=has_model), _live(environments)]
    facts.append(("First conversation", False, False, ""))
    return _in_order(facts)


def _reached(assistant: Assistant) -> tuple[bool, bool]:
    """Whether somebody has talked to it, and whether it has a model."""
    talks = Conversation.objects.filter(assistant=OuterRef("pk"), user_count__gt=0)
    models = Model.objects.current().filter(assistant=OuterRef("pk"))
    found: tuple[bool, bool] = Assistant.objects.values_list(Exists(talks), Exists(models)).get(pk=assistant.pk)
    return found


def _runtime(rasa: str) -> tuple[str, bool, bool, str]:
    row = runtime_named(rasa)
    state = RasaRuntime.State(row.state)
    note = row.version if row.is_usable else row.step or RUNTIME_WORDS[state]
    return "Rasa", row.is_usable, state == RasaRuntime.State.FAILED, note


def _data(assistant: Assistant) -> tuple[str, bool, bool, str]:
    newest = Revision.objects.filter(assistant=assistant).order_by("-number").first()
    return "Training data", newest is not None, False, f"revision {newest.number}" if newest else ""


def _model(assistant: Assistant, *, has_model: bool) -> tuple[str, bool, bool, str]:
    if has_model:
        return "Model", True, False, "trained"
    job = TrainingJob.objects.trainings().filter(assistant=assistant).order_by("-pk").first()
    failed = job is not None and job.state in (TrainingJob.State.FAILED, TrainingJob.State.LOST)
    return "Model", False, failed, (job.step or job.get_state_display().lower()) if job else ""


def _live(environments: list[Overview]) -> tuple[str, bool, bool, str]:
    live = next((row for row in environments if row.status == "running"), None)
    if live is not None:
        return "Live", True, False, live.environment.name
    moving = next((row for row in environments if row.model is not None), None)
    failed = moving is not None and moving.status == "failed"
    return "Live", False, failed, moving.text.lower() if moving else ""


def _in_order(facts: list[tuple[str, bool, bool, str]]) -> list[Step]:
    """The first step that is not done is the one under way."""
    steps, waiting = [], False
    for title, done, failed, note in facts:
        state = "done" if done else "failed" if failed else "todo" if waiting else "now"
        waiting = waiting or not done
        steps.append(Step(title, state, note))
    return steps
