"""How far a new assistant is on its way to its first conversation, told from the rows; nothing is remembered."""

from dataclasses import dataclass

from conversations.models import Conversation
from environments.services.overview import Overview
from models_app.models import Assistant, Model, Revision, TrainingJob
from models_app.services.training_settings import settings_of
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


def setup_steps(assistant: Assistant, environments: list[Overview]) -> list[Step]:
    """Rasa, data, model, live, first talk; empty once somebody has talked to the assistant."""
    if Conversation.objects.filter(assistant=assistant, user_count__gt=0).exists():
        return []
    facts = [_runtime(assistant), _data(assistant), _model(assistant), _live(environments)]
    facts.append(("First conversation", False, False, ""))
    return _in_order(facts)


def _runtime(assistant: Assistant) -> tuple[str, bool, bool, str]:
    row = runtime_named(settings_of(assistant).rasa_version)
    state = RasaRuntime.State(row.state)
    note = row.version if row.is_usable else row.step or RUNTIME_WORDS[state]
    return "Rasa", row.is_usable, state == RasaRuntime.State.FAILED, note


def _data(assistant: Assistant) -> tuple[str, bool, bool, str]:
    newest = Revision.objects.filter(assistant=assistant).order_by("-number").first()
    return "Training data", newest is not None, False, f"revision {newest.number}" if newest else ""


def _model(assistant: Assistant) -> tuple[str, bool, bool, str]:
    if Model.objects.current().filter(assistant=assistant).exists():
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
