"""Moving an environment's tag: the one way, whoever asks and through whichever door."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.timesince import timesince

from environments.models import Environment, Promotion
from environments.services import pointers, replicas, transitions
from environments.services.environments import lock
from environments.services.transitions import State, last_that_ran, state_of
from models_app.models import Model, Tag
from models_app.services.expected import UNSET, Expected, holds
from models_app.services.tags import move_environment_tag
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import SYSTEM, record
from studio.errors import Conflict, Invalid
from studio.rasa.compatibility import can_load

__all__ = ["adopt", "last_that_ran", "promote", "state_of"]

PULL_LIMIT_SECONDS = 300  # after which Rasa gives up a pull
SPEED_COUNTS_FOR = timedelta(hours=24)
REASON_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class _Request:
    actor: User | None
    actor_label: str
    reason: str
    at: datetime

    @property
    def label(self) -> str:
        return (self.actor_label or (self.actor.username if self.actor else SYSTEM))[:200]


@transaction.atomic
def promote(
    *,
    actor: User | None,
    environment: Environment,
    model: Model | None,
    expected_current: Expected = UNSET,
    reason: str = "",
    actor_label: str = "",
) -> Promotion:
    """Point the environment's tag at `model`; None takes it out of service.

    `expected_current` is what the actor saw live: Conflict when somebody was faster. Raises Invalid for a model that
    the environment's Rasa would not take, PermissionDenied for a person who may not modify the environment.
    """
    request = _Request(actor, actor_label, reason, timezone.now())
    if len(reason) > REASON_LENGTH:
        raise Invalid(f"A reason has at most {REASON_LENGTH} characters.", field="reason")
    locked = lock(actor, environment)
    tag = _tag_of(locked)
    last = locked.promotions.select_related("to_model").first()
    if not holds(expected_current, tag.model):
        raise _somebody_was_faster(locked, tag.model, last)
    model = _lock_model(locked, model)
    _check_news(locked, tag.model, model, last)
    if model is not None:
        _check_loads(locked, model)
    promotion = _switch(locked, tag, tag.model, model, last, request)
    transaction.on_commit(partial(pointers.publish, locked.pk))
    transaction.on_commit(partial(transitions.advance, locked.pk))  # its replicas may run this model already
    return promotion


@transaction.atomic
def adopt(*, actor: User | None, environment: Environment, reason: str) -> Promotion | None:
    """The first entry of an environment's history, when its tag pointed at a model before it was made."""
    locked = lock(actor, environment)
    tag = _tag_of(locked)
    if tag.model is None:
        return None
    return _switch(locked, tag, None, tag.model, None, _Request(actor, "", reason, timezone.now()))


def _tag_of(environment: Environment) -> Tag:
    """Read under the environment's lock, without which nobody moves it."""
    return Tag.objects.select_related("model").get(environment=environment)


def _lock_model(environment: Environment, model: Model | None) -> Model | None:
    if model is None:
        return None
    locked = Model.objects.select_for_update(no_key=True).filter(pk=model.pk).first()
    if locked is None or locked.deleted_at is not None:
        raise Conflict(f"The model {model.name} was deleted meanwhile.", code="model-deleted")
    if locked.assistant_id != environment.assistant_id:
        raise Invalid(f"The model {model.name} belongs to another assistant.", code="other-assistant")
    return locked


def _check_news(environment: Environment, current: Model | None, model: Model | None, last: Promotion | None) -> None:
    """A model that failed may be tried again: what was missing may be there now."""
    if model != current:
        return
    if model is None:
        raise Conflict(f"{environment.name} is out of service already.", code="already-live")
    if last is None or state_of(last) != State.FAILED:
        raise Conflict(f"{model.name} is live in {environment.name} already.", code="already-live")


def _check_loads(environment: Environment, model: Model) -> None:
    minimum = environment.server_minimum_version
    if minimum and model.rasa_version and can_load(model.rasa_version, minimum) is False:
        raise Invalid(
            f"{model.name} was trained with Rasa {model.rasa_version}, and the Rasa {environment.server_version} of "
            f"{environment.name} loads models of {minimum} and later only. Train it again with a newer Rasa.",
            code="too-old",
        )
    seconds = _pull_seconds(environment, model)
    if seconds is not None and seconds > PULL_LIMIT_SECONDS:
        raise Invalid(
            f"{model.name} is too large for {environment.name}: at the speed of its last pull it takes "
            f"{seconds:.0f} s, and Rasa gives up after {PULL_LIMIT_SECONDS} s.",
            code="too-large",
        )


def _pull_seconds(environment: Environment, model: Model) -> float | None:
    """How long the environment's servers take to pull the model; None when no pull was measured lately."""
    if not environment.pull_speed or environment.pull_speed_at is None:
        return None
    if timezone.now() - environment.pull_speed_at > SPEED_COUNTS_FOR:
        return None
    return model.size / environment.pull_speed


def _somebody_was_faster(environment: Environment, current: Model | None, last: Promotion | None) -> Conflict:
    what = f"promoted {current.name} to {environment.name}" if current else f"took {environment.name} out of service"
    who, when = (last.actor_label, f" {timesince(last.requested_at)} ago") if last else ("Somebody", "")
    return Conflict(
        f"{who} {what}{when}, after you opened this. Nothing was changed: look again and decide.",
        code="stale",
        current=current.name if current else None,
        hash=current.artifact_id if current else None,
        actor=who,
    )


def _switch(
    environment: Environment,
    tag: Tag,
    source: Model | None,
    target: Model | None,
    last: Promotion | None,
    request: _Request,
) -> Promotion:
    """The writing itself, under the environment's lock."""
    now = timezone.now()
    environment.generation += 1
    environment.save(update_fields=["generation"])
    promotion = Promotion.objects.create(
        environment=environment,
        number=(last.number if last else 0) + 1,
        generation=environment.generation,
        from_model=source,
        to_model=target,
        actor=request.actor,
        actor_label=request.label,
        reason=request.reason,
        requested_at=request.at,
    )
    structlog.contextvars.bind_contextvars(promotion=promotion.pk)  # what else is logged until the caller is answered
    move_environment_tag(tag=tag, model=target)
    replicas.forget_served(environment)
    if last is not None:
        transitions.supersede(last, now)
    transitions.add(promotion, State.REQUESTED, request.at)
    transitions.add(promotion, State.SWITCHED, now)
    if target is None:  # all that can happen has: a Rasa that is told of no model keeps the one it has
        transitions.add(promotion, State.RUNNING, now, {"replicas": 0})
    record(
        request.actor,
        Action.PROMOTED,
        environment,
        assistant_id=environment.assistant_id,
        before={"model": source.name if source else None},
        after={"model": target.name if target else None, "promotion": promotion.number},
        reason=request.reason,
        actor_label=request.label,
    )
    return promotion
