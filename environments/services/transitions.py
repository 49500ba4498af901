"""How far a promotion is: told by the polls of the environment's replicas, never backwards."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from environments.models import Environment, Promotion, PromotionTransition, Replica
from environments.services.replicas import live_replicas
from models_app.models import Model
from studio.audit.actions import Action
from studio.audit.services import record

if TYPE_CHECKING:
    from django.db.models import QuerySet

log = structlog.get_logger()
State = PromotionTransition.State
ENDED = (State.RUNNING, State.FAILED, State.SUPERSEDED)
FAILED_AFTER_POLLS = 2  # with the old model, after the whole new one was taken
KEPT_FOR_RETURN = 3  # models that ran in an environment last cannot be deleted

_ORDER = [State.REQUESTED, State.SWITCHED, State.FIRST_RUNNING, State.RUNNING, State.FAILED, State.SUPERSEDED]


def state_of(promotion: Promotion) -> str:
    """The furthest state reached. Prefetch `transitions` for lists."""
    return max((transition.state for transition in promotion.transitions.all()), key=_rank, default=State.REQUESTED)


def _rank(state: str) -> int:
    return _ORDER.index(State(state))


def failed_replicas(promotion: Promotion) -> list[str]:
    """The names of those on which its model did not load."""
    failed = (
        one.detail.get("replicas") or ["unnamed"] for one in promotion.transitions.all() if one.state == State.FAILED
    )
    return next(failed, [])


def is_ended(promotion: Promotion) -> bool:
    return state_of(promotion) in ENDED


def add(promotion: Promotion, state: State, at: datetime, detail: dict[str, object] | None = None) -> None:
    """Write a transition down, in the transaction that holds the promotion's lock or has just made its row."""
    PromotionTransition.objects.create(promotion=promotion, state=state, at=at, detail=detail or {})
    facts = {"promotion": promotion.pk, "environment": promotion.environment_id, "state": str(state)}
    transaction.on_commit(partial(log.info, "promotion reached a state", **facts))
    if state in ENDED:
        assistant_id = promotion.environment.assistant_id
        after = {"state": state, **(detail or {})}
        record(None, Action.PROMOTION_ENDED, promotion, assistant_id=assistant_id, after=after)


def supersede(promotion: Promotion, at: datetime) -> None:
    """The tag moves on. What has ended already stays as it ended."""
    locked = Promotion.objects.select_for_update(no_key=True).get(pk=promotion.pk)
    if not is_ended(locked):
        add(locked, State.SUPERSEDED, at)


@transaction.atomic
def advance(environment_id: int) -> None:
    """Bring the environment's last promotion up to what its replicas have shown."""
    promotion = (
        Promotion.objects.select_for_update(no_key=True, of=("self",))
        .select_related("environment", "to_model")
        .filter(environment_id=environment_id)
        .first()
    )
    if promotion is None or promotion.to_model is None or is_ended(promotion):
        return
    known = {transition.state for transition in promotion.transitions.all()}
    for state, detail in _reached(promotion.to_model, live_replicas(environment_id)):
        if state not in known:
            add(promotion, state, timezone.now(), detail)


def _reached(model: Model, live: list[Replica]) -> Iterator[tuple[State, dict[str, object]]]:
    # One that was given another model just now runs this one no longer, as soon as it has loaded it.
    running = [r for r in live if r.runs_etag == model.artifact_id and r.pulling_since is None]
    if running:
        first = min(running, key=lambda replica: replica.runs_since or replica.last_seen_at)
        yield State.FIRST_RUNNING, {"replica": first.key}
    failed = [replica.key for replica in live if has_failed(replica, model)]
    if failed:
        yield State.FAILED, {"replicas": failed}
    elif running and len(running) == len(live):
        yield State.RUNNING, {"replicas": len(running)}


def has_failed(replica: Replica, model: Model) -> bool:
    """It took the whole model and goes on asking for it. An unnamed one may be several behind one address."""
    return (
        replica.named
        and replica.served_etag == model.artifact_id != replica.runs_etag
        and replica.polls_since_served >= FAILED_AFTER_POLLS
    )


def advance_open() -> None:
    """Schedule: a replica that fell silent counts no longer, which no poll tells."""
    ended = PromotionTransition.objects.filter(promotion=OuterRef("pk"), state__in=ENDED)
    moving = Promotion.objects.filter(~Exists(ended), environment__removed_at=None)
    for environment_id in moving.values_list("environment_id", flat=True).distinct().order_by():
        advance(environment_id)


def last_that_ran(environment: Environment, newest: Iterable[Promotion] = ()) -> Model | None:
    """What one returns to: the last model that ran here, other than the one the tag points at.

    `newest` are the last promotions of it, newest first and with their transitions, when the caller has them.
    """
    live = environment.tag.model_id if environment.tag is not None else None
    for one in newest:
        is_there = one.to_model is not None and one.to_model.deleted_at is None and one.to_model_id != live
        if is_there and any(transition.state == State.RUNNING for transition in one.transitions.all()):
            return one.to_model
    ran = Promotion.objects.filter(environment=environment, transitions__state=State.RUNNING)
    there = ran.filter(to_model__isnull=False, to_model__deleted_at=None).select_related("to_model")
    if live is not None:
        there = there.exclude(to_model=live)
    last = there.defer("to_model__domain").order_by("-generation").first()
    return last.to_model if last is not None else None


def reasons_to_keep(models: Sequence[Model]) -> dict[int, str]:
    """A guard of models_app: what one may want to return to is not deleted."""
    assistants = {model.assistant_id for model in models}
    current = Environment.objects.current().filter(assistant_id__in=assistants)
    reasons: dict[int, str] = {}
    for name, model_id in _ran_last(current.values("pk"), KEPT_FOR_RETURN):
        reasons.setdefault(model_id, f"one of the last {KEPT_FOR_RETURN} models that ran in {name}")
    return reasons


def _ran_last(environments: "QuerySet[Environment, Any]", limit: int) -> list[tuple[str, int]]:
    """(environment's name, model's id) of the last `limit` models that ran in each, newest first."""
    runs = (
        Promotion.objects.filter(
            environment__in=environments,
            transitions__state=State.RUNNING,
            to_model__isnull=False,
            to_model__deleted_at=None,
        )
        .values_list("environment_id", "environment__name", "to_model_id")
        .annotate(last=Max("generation"))
        .order_by("-last")
    )
    found: list[tuple[str, int]] = []
    taken: Counter[int] = Counter()
    for environment_id, name, model_id, _generation in runs:
        taken[environment_id] += 1
        if taken[environment_id] <= limit:
            found.append((name, model_id))
    return found
