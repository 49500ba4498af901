"""Points of a period, in zones that change their clocks, and what they are compared with."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from conversations.analytics.period import days, hour_of, last_days, last_hours

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)


def at(*parts: int, zone: ZoneInfo = BERLIN) -> int:
    return hour_of(datetime(*parts, tzinfo=zone))


def test_the_last_hours_end_with_the_one_that_runs():
    period = last_hours(24, now=NOW, zone=BERLIN)
    assert (period.begin, period.end) == (at(2026, 11, 23, 15), at(2026, 11, 24, 15))
    assert (len(period.points), period.points[-1].label, period.unit) == (24, "14:00", "hour")
    assert period.before == (period.begin - 24, period.begin)


def test_the_last_days_are_compared_with_as_much_as_has_passed_of_them():
    period = last_days(7, now=NOW, zone=BERLIN)
    assert (period.begin, period.end) == (at(2026, 11, 18), at(2026, 11, 25))
    assert period.before == (at(2026, 11, 11), at(2026, 11, 17, 15))
    assert (period.points[0].title, period.unit) == ("Wed 18 Nov 2026", "day")
    assert period.points[0].first_day == period.points[0].last_day == date(2026, 11, 18)


def test_a_day_on_which_clocks_change_is_as_long_as_it_is():
    period = days(date(2026, 10, 20), date(2026, 10, 26), now=NOW, zone=BERLIN)
    assert [point.end - point.begin for point in period.points] == [24, 24, 24, 24, 24, 25, 24]
    assert period.before == (at(2026, 10, 13), at(2026, 10, 20))


def test_a_few_days_are_shown_by_hour_and_a_year_by_week():
    assert days(date(2026, 10, 24), date(2026, 10, 25), now=NOW, zone=BERLIN).unit == "hour"
    year = days(date(2026, 1, 1), date(2026, 11, 24), now=NOW, zone=BERLIN)
    assert (year.unit, len(year.points)) == ("week", 48)
    assert (year.points[0].first_day, year.points[0].last_day) == (date(2026, 1, 1), date(2026, 1, 4))
    assert (year.points[-1].first_day, year.points[-1].last_day) == (date(2026, 11, 23), date(2026, 11, 24))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia"])
@pytest.mark.parametrize("length", [1, 7, 30, 90, 400])
def test_points_follow_each_other_without_gaps(zone: str, length: int):
    period = last_days(length, now=NOW, zone=ZoneInfo(zone))
    assert all(one.end == following.begin for one, following in zip(period.points, period.points[1:], strict=False))
    assert all(one.begin < one.end for one in period.points)
    assert period.bounds == sorted(period.bounds)
    assert period.begin <= hour_of(NOW) < period.end
    assert period.has_odd_hours == (zone in ("Asia/Kolkata", "America/St_Johns"))


def test_a_period_to_come_has_nothing_to_compare_with_but_is_one():
    period = days(date(2027, 1, 1), date(2027, 1, 10), now=NOW, zone=BERLIN)
    assert period.before[0] == period.before[1]
