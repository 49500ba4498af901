"""Promotions on the axis of time."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime

from django.urls import reverse

from conversations.analytics.charts import Mark
from conversations.analytics.period import Period
from environments.models import Environment, Promotion
from models_app.models import Assistant

MOST = 50


def promotions(assistant: Assistant, environments: Sequence[Environment], period: Period) -> list[Mark]:
    """The latest ones to these environments, oldest first. One query."""
    begin, end = (datetime.fromtimestamp(hour * 3600, UTC) for hour in (period.begin, period.end))
    rows = Promotion.objects.filter(environment__in=environments, requested_at__gte=begin, requested_at__lt=end)
    found = rows.select_related("environment", "to_model").defer("to_model__domain").order_by("-requested_at")[:MOST]
    return [_mark(assistant, one, period) for one in reversed(found)]


def _mark(assistant: Assistant, one: Promotion, period: Period) -> Mark:
    what = f"{one.to_model.name} promoted to" if one.to_model else "model taken out of"
    at = one.requested_at.astimezone(period.zone)
    title = f"{what} {one.environment.name} by {one.actor_label}, {at.day} {at:%b %Y, %H:%M}"
    place = _place(one.requested_at.timestamp() / 3600, period)
    page = reverse("environments:detail", args=[assistant.slug, one.environment.name])
    # Its history from this promotion on.
    return Mark(f"{place:.2f}", title, f"{page}?after={one.pk + 1}#history-title")


def _place(hour: float, period: Period) -> float:
    """Percent of the axis, on which all points are equally wide."""
    number = max(0, bisect_right([point.begin for point in period.points], hour) - 1)
    point = period.points[number]
    return 100 * (number + (hour - point.begin) / (point.end - point.begin)) / len(period.points)
