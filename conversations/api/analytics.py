"""The numbers of the analytics page."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Router, Schema

from conversations.analytics.files import COLUMNS
from conversations.analytics.filters import AnalyticsFilter
from conversations.analytics.numbers import Name, Numbers, names, series
from conversations.analytics.parts import named_parts
from conversations.api.forms import checked, described
from conversations.loaders import load_analytics
from studio.access.loaders import signed_in

router = Router(tags=["analytics"])

MOST_NAMES = 100  # of intents, and of actions


class NumbersOut(Schema):
    """Shares are 0 to 1; they, the mean confidence and reply times (seconds) are null where there is nothing to divide
    by."""

    conversations: int
    user_messages: int
    bot_messages: int
    sessions: int
    handed_over: int
    rejected_actions: int
    not_understood: int
    not_understood_share: float | None
    confidence_mean: float | None
    unsure_share: float | None
    replies: int
    reply_mean_seconds: float | None
    reply_median_seconds: float | None
    reply_p95_seconds: float | None


class PointOut(Schema):
    """An hour, day or week, up to the moment before `end`."""

    begin: float
    end: float
    title: str
    numbers: NumbersOut


class PartOut(Schema):
    name: str
    numbers: NumbersOut


class NameOut(Schema):
    """How often in the period, in the one before, and of all of its kind (0 to 1)."""

    name: str
    count: int
    before: int
    share: float


class AnalyticsOut(Schema):
    """`before` is the period that one compares with; `parts` are told apart by `by`: environment, model or channel."""

    begin: float
    end: float
    unit: str
    by: str
    total: NumbersOut
    before: NumbersOut
    points: list[PointOut]
    parts: list[PartOut]
    intents: list[NameOut]
    actions: list[NameOut]


@router.get(
    "/projects/{slug}/analytics",
    summary="Numbers about conversations",
    url_name="analytics",
    response=AnalyticsOut,
    openapi_extra=described(AnalyticsFilter.base_fields),
)
def analytics(request: HttpRequest, slug: Path[str]) -> dict[str, Any]:
    """Of a period (`range`, or `range=own` with `since` and `until`), narrowed as the page narrows them."""
    assistant = load_analytics(request, slug)
    filters = AnalyticsFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    checked(filters)
    narrowed, period = filters.narrowed(), filters.period(timezone.now())
    found = series(narrowed, period, filters.chosen_by)
    most = names(narrowed, period, MOST_NAMES)
    return {
        "begin": period.begin * 3600.0,
        "end": period.end * 3600.0,
        "unit": period.unit,
        "by": filters.chosen_by,
        "total": _facts(found.total),
        "before": _facts(found.before),
        "points": [
            {"begin": one.begin * 3600.0, "end": one.end * 3600.0, "title": one.title, "numbers": _facts(numbers)}
            for one, numbers in zip(period.points, found.points, strict=True)
        ],
        "parts": [
            {"name": name, "numbers": _facts(numbers)}
            for name, _query, numbers in named_parts(assistant, filters.chosen_by, found.parts)
        ],
        "intents": _named(most, "intent"),
        "actions": _named(most, "action"),
    }


def _facts(numbers: Numbers) -> dict[str, float | None]:
    return {name: value(numbers) for name, value in COLUMNS.items()}


def _named(found: list[Name], kind: str) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "count": one.count, "before": one.before, "share": one.share}
        for one in found
        if one.kind == kind
    ]
