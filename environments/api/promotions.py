"""Promotions: which model goes live where, how far that is, and back."""

from typing import Annotated

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from environments.api.environments import ENVIRONMENT
from environments.api.facts import PromotionOut, ReplicaFacts, promotion_facts, promotion_url, replica_facts
from environments.api.moves import Move
from environments.loaders import load_environment, load_modifiable
from environments.models import Environment, Promotion, PromotionTransition
from environments.presentation import replicas, timeline
from environments.services.overview import overview_among, replicas_of
from environments.services.promotion import promote
from environments.services.transitions import is_ended, last_that_ran
from models_app.loaders import load_assistant
from models_app.models import Model
from models_app.services.expected import UNSET
from studio.access.loaders import signed_in
from studio.access.permissions import MissingPermission, Permission
from studio.errors import Conflict, Invalid
from studio.web.api.paging import Paging, page
from studio.web.waiting import LONGEST, wait_until

router = Router(tags=["promotions"])
PROMOTIONS = f"{ENVIRONMENT}/promotions"
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewPromotion(Move):
    """`model` is a name, or null to take the environment out of service."""

    model: str | None = Field(max_length=200)


class TransitionOut(Schema):
    """`detail` has what belongs to it, such as the `replicas` that did not load the model."""

    state: str
    at: float
    detail: dict[str, object]


class PromotionDetail(PromotionOut):
    """`current` until the tag moves on. `message` says in words how it stands; of the `live` servers that poll now
    `running` run the model, so that a promotion to nobody is `switched` with `live` 0."""

    current: bool
    message: str
    live: int
    running: int
    transitions: list[TransitionOut]
    replicas: list[ReplicaFacts]


class Patience(Schema):
    wait: float = Field(0, ge=0, le=LONGEST, description="Seconds to wait for another state before answering.")


@router.post(PROMOTIONS, summary="Promote a model", url_name="promotions", response={201: PromotionOut})
def add(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], body: NewPromotion
) -> Status[dict[str, object]]:
    """The tag moves at once; servers take the model with their next polls, which the promotion's `url` tells.

    With `expected_current` it is safe to send again: 409 says in `details` what is live by now.
    """
    environment = load_modifiable(request, slug, name)
    made = promote(
        actor=signed_in(request),
        environment=environment,
        model=_model(request, environment, body.model),
        expected_current=body.expected,
        reason=body.reason,
    )
    return _made(response, made)


def _model(request: HttpRequest, environment: Environment, name: str | None) -> Model | None:
    if name is None:
        return None
    seen = Model.objects.visible_to(signed_in(request)).filter(assistant=environment.assistant_id, name=name)
    model = seen.defer("domain").first()
    if model is None:
        raise Invalid(f"There is no model {name}, or you may not see it.", code="no-model", field="model")
    return model


def _made(response: HttpResponse, row: Promotion) -> Status[dict[str, object]]:
    response["Location"] = promotion_url(row)
    return Status(201, promotion_facts(row))


@router.post(
    f"{ENVIRONMENT}/rollback",
    summary="Return to the last model that ran",
    url_name="rollback",
    response={201: PromotionOut},
)
def rollback(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], body: Move | None = None
) -> Status[dict[str, object]]:
    """A promotion to the last other model that ran there. 409 when there is none."""
    environment, move = load_modifiable(request, slug, name), body or Move()
    back_to = last_that_ran(environment)
    if back_to is None:
        raise Conflict(
            f"No other model has run in {environment.name} yet, or those that did are deleted.", code="nothing-ran"
        )
    seen = environment.tag.model if environment.tag else None  # what `back_to` was chosen by
    made = promote(
        actor=signed_in(request),
        environment=environment,
        model=back_to,
        expected_current=seen if move.expected is UNSET else move.expected,
        reason=move.reason,
    )
    return _made(response, made)


@router.get(PROMOTIONS, summary="Promotions of an environment", url_name="promotions", response=list[PromotionOut])
def promotions(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """Newest first."""
    environment = load_environment(request, slug, name)
    return _page(request, response, Promotion.objects.filter(environment=environment), paging)


@router.get(
    "/projects/{slug}/promotions",
    summary="Promotions of an assistant",
    url_name="all-promotions",
    response=list[PromotionOut],
)
def all_promotions(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """To any environment that one sees, newest first."""
    assistant, user = load_assistant(request, slug), signed_in(request)
    if not user.may_somewhere(Permission.ENVIRONMENTS_VIEW, assistant.pk):
        raise MissingPermission(Permission.ENVIRONMENTS_VIEW)
    seen = Environment.objects.visible_to(user).filter(assistant=assistant)
    return _page(request, response, Promotion.objects.filter(environment__in=seen), paging)


def _page(
    request: HttpRequest, response: HttpResponse, rows: QuerySet[Promotion], paging: Paging
) -> list[dict[str, object]]:
    whole = rows.select_related("environment__assistant", "from_model", "to_model").prefetch_related("transitions")
    whole = whole.defer("from_model__domain", "to_model__domain")
    return [promotion_facts(row) for row in page(request, response, whole, paging)]


@router.get(
    f"{PROMOTIONS}/{{number}}", summary="How far a promotion is", url_name="promotion", response=PromotionDetail
)
def promotion(
    request: HttpRequest,
    response: HttpResponse,
    slug: Path[str],
    name: Path[str],
    number: Path[Number],
    patience: Query[Patience],
) -> dict[str, object]:
    """`?wait=` answers when it reaches another state, at the latest after so many seconds; an ended one at once.

    While too many wait it answers earlier, so leave a second between two requests.
    """
    environment = load_environment(request, slug, name)
    row = _load(environment, number)
    if patience.wait and not is_ended(row):
        known = len(row.transitions.all())
        if wait_until(lambda: PromotionTransition.objects.filter(promotion=row).count() != known, patience.wait):
            environment.refresh_from_db()
            row = _load(environment, number)
    return _detail(environment, row)


def _load(environment: Environment, number: int) -> Promotion:
    rows = Promotion.objects.filter(environment=environment, number=number)
    row = timeline.for_history(rows).select_related("environment__assistant").first()
    if row is None:
        raise Http404(f"{environment.name} has no promotion {number}.")
    return row


def _detail(environment: Environment, row: Promotion) -> dict[str, object]:
    found = replicas_of(environment)
    now = overview_among(environment, found)
    is_current = now.promotion is not None and now.promotion.pk == row.pk
    return {
        **promotion_facts(row),
        "current": is_current,
        "message": timeline.entries([row], [now])[0].text,
        "live": now.live if is_current else 0,
        "running": now.running if is_current else 0,
        "transitions": [
            {"state": one.state, "at": one.at.timestamp(), "detail": one.detail} for one in row.transitions.all()
        ],
        "replicas": [replica_facts(one) for one in replicas.rows(found, now.model)] if is_current else [],
    }
