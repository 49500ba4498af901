"""What models do now, for the models list: where each runs, or when it last did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from environments.models import Promotion, PromotionTransition
from environments.presentation.promoting import too_old
from environments.presentation.timeline import for_history
from environments.services.overview import Overview
from models_app.models import Model


@dataclass(frozen=True, slots=True)
class Cell:
    """`live` are the environments whose tag points at the model; `last_live_at` counts when there are none."""

    model: Model
    live: list[Overview]
    last_live_at: datetime | None
    too_old_for: Overview | None


def cells(models: Iterable[Model], overviews: Iterable[Overview]) -> list[Cell]:
    rows, found = list(overviews), list(models)
    last = _last_live(found, rows)
    return [
        Cell(
            model,
            [row for row in rows if row.model == model],
            last.get(model.pk),
            next((row for row in rows if too_old(row, model)), None),
        )
        for model in found
    ]


def _last_live(models: list[Model], overviews: list[Overview]) -> Mapping[int, datetime]:
    """When the last environment moved on from each model that ran somewhere."""
    ran = for_history(
        Promotion.objects.filter(
            to_model__in=models,
            environment__in=[row.environment.pk for row in overviews],
            transitions__state=PromotionTransition.State.RUNNING,
        )
    )
    return dict(
        ran.order_by()
        .values("to_model_id")
        .annotate(last=Max("left_at"))
        .exclude(last=None)
        .values_list("to_model_id", "last")
    )
