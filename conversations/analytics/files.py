"""The numbers as CSV: whole numbers and seconds, without rounding, so that they can be reckoned with."""

import csv
from collections.abc import Callable, Mapping
from typing import Protocol

from conversations.analytics.filters import AnalyticsFilter
from conversations.analytics.numbers import Numbers, names, series
from conversations.analytics.parts import named_parts
from conversations.analytics.period import Period
from studio.web.spreadsheets import cell

MOST_NAMES = 10_000  # of intents, and of actions


class Writable(Protocol):
    def write(self, content: str, /) -> object: ...


COLUMNS: Mapping[str, Callable[[Numbers], float | None]] = {
    "conversations": lambda one: one["conversations"],
    "user_messages": lambda one: one["user_messages"],
    "bot_messages": lambda one: one["bot_messages"],
    "sessions": lambda one: one["sessions"],
    "handed_over": lambda one: one["handovers"],
    "rejected_actions": lambda one: one["rejected"],
    "not_understood": lambda one: one["fallbacks"],
    "not_understood_share": lambda one: one.fallback_share,
    "confidence_mean": lambda one: one.confidence,
    "unsure_share": lambda one: one.unsure_share,
    "replies": lambda one: sum(one.replies),
    "reply_mean_seconds": lambda one: one.reply_mean,
    "reply_median_seconds": lambda one: one.reply_median,
    "reply_p95_seconds": lambda one: one.reply_p95,
}


def _cells(numbers: Numbers) -> list[float | None]:
    return [value(numbers) for value in COLUMNS.values()]


def write_points(file: Writable, filters: AnalyticsFilter, period: Period) -> None:
    """A line for each hour, day or week; `begin` in seconds since 1970."""
    found = series(filters.narrowed(), period, filters.chosen_by)
    writer = csv.writer(file)
    writer.writerow(["begin", period.unit, *COLUMNS])
    for point, numbers in zip(period.points, found.points, strict=True):
        writer.writerow([point.begin * 3600, point.title, *_cells(numbers)])


def write_parts(file: Writable, filters: AnalyticsFilter, period: Period) -> None:
    """A line for each environment, model or channel."""
    by = filters.chosen_by
    writer = csv.writer(file)
    writer.writerow([by, *COLUMNS])
    for name, _, numbers in named_parts(filters.assistant, by, series(filters.narrowed(), period, by).parts):
        writer.writerow([cell(name), *_cells(numbers)])


def write_names(file: Writable, filters: AnalyticsFilter, period: Period) -> None:
    writer = csv.writer(file)
    writer.writerow(["kind", "name", "count", "share", "before"])
    for one in names(filters.narrowed(), period, MOST_NAMES):
        writer.writerow([one.kind, cell(one.name), one.count, one.share, one.before])


FILES: Mapping[str, Callable[[Writable, AnalyticsFilter, Period], None]] = {
    "numbers": write_points,
    "parts": write_parts,
    "names": write_names,
}
