"""A stretch of time in somebody's zone, its points (hours, days or weeks), and the stretch before it to compare with.

Everything is kept by whole hours of UTC. In a zone that is half an hour off, a day begins with the hour that its
midnight falls into.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOURLY_DAYS = 3  # up to so many days are shown by hour
DAILY_DAYS = 92
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Point:
    """One hour, day or week. Hours count since 1970; `end` is the first that is no longer in it."""

    begin: int
    end: int
    first_day: date
    last_day: date
    label: str  # for an axis
    title: str


@dataclass(frozen=True, slots=True)
class Period:
    """`before` are the first hour of the stretch to compare with, and the one after its last."""

    points: Sequence[Point]
    before: tuple[int, int]
    unit: str  # hour, day or week
    compared: str  # what `before` is, in words
    zone: ZoneInfo

    @property
    def begin(self) -> int:
        return self.points[0].begin

    @property
    def end(self) -> int:
        return self.points[-1].end

    @property
    def title(self) -> str:
        if self.unit == "hour":
            return f"{self.points[0].title} to {self.points[-1].title}"
        first, last = self.points[0].first_day, self.points[-1].last_day
        return _words(first) if first == last else f"{_words(first)} to {_words(last)}"

    @property
    def bounds(self) -> list[int]:
        """For PostgreSQL's width_bucket: 1 is the stretch before, 2 what lies between, 3 the first point."""
        return [*self.before, *(point.begin for point in self.points), self.end]

    @property
    def has_odd_hours(self) -> bool:
        """Whether days of this zone begin within an hour."""
        offset = datetime.fromtimestamp(self.begin * 3600, self.zone).utcoffset() or timedelta()
        return offset.total_seconds() % 3600 != 0


def hour_of(moment: datetime) -> int:
    return math.floor(moment.timestamp() / 3600)


def last_hours(count: int, *, now: datetime, zone: ZoneInfo) -> Period:
    """The hour of `now` and those before it."""
    end = hour_of(now) + 1
    points = [_hour(begin, zone) for begin in range(end - count, end)]
    return Period(points, (end - 2 * count, end - count), "hour", f"the {count} hours before", zone)


def last_days(count: int, *, now: datetime, zone: ZoneInfo) -> Period:
    """Today and the days before it."""
    today = now.astimezone(zone).date()
    return days(today - timedelta(days=count - 1), today, now=now, zone=zone)


def days(first: date, last: date, *, now: datetime, zone: ZoneInfo) -> Period:
    """Both days included. What is compared with is as long as what has passed of the period."""
    count = (last - first).days + 1
    if count <= HOURLY_DAYS:
        unit, points = "hour", [_hour(begin, zone) for begin in range(_begin(first, zone), _begin(last + _DAY, zone))]
    elif count <= DAILY_DAYS:
        unit, points = "day", [_days(day, day, zone) for day in _every(first, last, _DAY)]
    else:
        mondays = _every(first - timedelta(days=first.weekday()), last, _WEEK)
        unit, points = "week", [_days(max(first, day), min(last, day + _WEEK - _DAY), zone) for day in mondays]
    shift = timedelta(days=count)
    passed = min(points[-1].end, max(hour_of(now) + 1, points[0].begin))
    until = hour_of(datetime.fromtimestamp(passed * 3600, zone) - shift)
    before = _begin(first - shift, zone), min(until, points[0].begin)
    return Period(points, before, unit, "the day before" if count == 1 else f"the {count} days before", zone)


def _every(first: date, last: date, step: timedelta) -> list[date]:
    return [first + number * step for number in range((last - first) // step + 1)]


def _begin(day: date, zone: ZoneInfo) -> int:
    return hour_of(datetime.combine(day, time(), zone))


def _hour(begin: int, zone: ZoneInfo) -> Point:
    at = datetime.fromtimestamp(begin * 3600, zone)
    return Point(begin, begin + 1, at.date(), at.date(), f"{at:%H:%M}", f"{_words(at.date())}, {at:%H:%M}")


def _days(first: date, last: date, zone: ZoneInfo) -> Point:
    title = _words(first) if first == last else f"{_words(first)} to {_words(last)}"
    return Point(_begin(first, zone), _begin(last + _DAY, zone), first, last, f"{first.day} {first:%b}", title)


def _words(day: date) -> str:
    """`Tue 24 Nov 2026`."""
    return f"{day:%a} {day.day} {day:%b %Y}"
