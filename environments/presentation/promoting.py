"""What the promotion dialog offers: every environment the person sees, with what is live there and what forbids it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from environments.models import Promotion, PromotionTransition
from environments.rights import may_modify, modify_permission
from environments.services.overview import Overview
from models_app.models import Model, ModelTest
from models_app.testing.figures import is_worse, short_words
from models_app.testing.rivals import newest_tests
from studio.access.models import User
from studio.rasa.compatibility import can_load

State = PromotionTransition.State


@dataclass(frozen=True, slots=True)
class Target:
    """One checkbox. `why_not` is empty when the person may change it; `warning` is to know before it is ticked."""

    overview: Overview
    is_live: bool  # the tag points at the model of the dialog
    why_not: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """Where `model` may go, whether no environment has run it yet, and how it was tested: words or nothing."""

    targets: list[Target]
    never_ran: bool
    tested: str


def offer(overviews: Iterable[Overview], model: Model, user: User) -> Offer:
    """Checkboxes for promoting `model`, and what to know before one is ticked."""
    rows = list(overviews)
    moves = Promotion.objects.filter(to_model=model)
    reached = set(moves.values_list("environment_id", "transitions__state").distinct().order_by())
    failed = {environment_id for environment_id, state in reached if state == State.FAILED}
    tests = newest_tests([model.pk, *(row.model.pk for row in rows if row.model is not None)])
    found = [
        Target(
            row,
            row.model == model,
            _why_not(row, model, user),
            "It did not load here before." if row.environment.pk in failed else _worse(tests, model, row.model),
        )
        for row in rows
    ]
    ran = any(state in (State.FIRST_RUNNING, State.RUNNING) for _, state in reached)
    return Offer(found, never_ran=not ran, tested=_words(tests.get(model.pk)))


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that an environment may be promoted to; `tested` and `warning` are sentences or empty."""

    model: Model
    tested: str
    warning: str


def choices(models: Iterable[Model], live: Model | None) -> list[Choice]:
    """Models beside the one that is live now."""
    rows = list(models)
    tests = newest_tests([*(model.pk for model in rows), *([live.pk] if live else [])])
    return [Choice(model, _words(tests.get(model.pk)), _worse(tests, model, live)) for model in rows]


def _words(test: ModelTest | None) -> str:
    """`12 of 13 stories, F1 91.4 %`; empty for a model that was never tested."""
    return ", ".join(short_words(test)) if test is not None else ""


def _worse(tests: Mapping[int, ModelTest], model: Model, live: Model | None) -> str:
    """How the model's tests stand below those of the one that is live."""
    if live is None or live == model or model.pk not in tests or live.pk not in tests:
        return ""
    worse = is_worse(tests[model.pk], tests[live.pk])
    return f"Its tests are worse than those of {live.name}: {', '.join(worse)}." if worse else ""


def _why_not(row: Overview, model: Model, user: User) -> str:
    if not may_modify(user, row.environment):
        return f"Your roles do not include “{modify_permission(row.environment).label}” here."
    if row.model != model and too_old(row, model):
        return f"Too old for its Rasa {row.environment.server_version}: trained with {model.rasa_version}."
    return ""


def too_old(row: Overview, model: Model) -> bool:
    """The environment's Rasa, as far as it is known, does not load models of that age."""
    minimum = row.environment.server_minimum_version
    return bool(minimum and model.rasa_version and can_load(model.rasa_version, minimum) is False)
