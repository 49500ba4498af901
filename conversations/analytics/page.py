"""What the template needs: headline numbers, charts with their tables, names, parts and marks, each with its link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from conversations.analytics.charts import Drawing, Mark, labels, rungs, shapes, spots
from conversations.analytics.metrics import METRICS, NO_CHANGE, Column, Metric, percent, relative
from conversations.analytics.numbers import Name, Numbers, Series
from conversations.analytics.period import Period, Point
from conversations.happening import Happening

PARTS_SHOWN = 20
NAMED = {"intent": Happening.SAID, "action": Happening.ACTED}
Parts = Sequence[tuple[str, Mapping[str, str], Numbers]]  # name, what the list is asked, numbers


class Links:
    """Addresses in the conversations list; empty for who may not read conversations."""

    def __init__(self, address: str, query: Mapping[str, str], zone: ZoneInfo) -> None:
        self._address, self._query, self._zone = address, query, zone

    def of_point(self, point: Point, column: Column) -> str:
        """The conversations in which happened then what is counted."""
        return self._between(point.begin, point.end, {"happened": str(column.happened)})

    def of_name(self, period: Period, kind: str, name: str) -> str:
        """The conversations in which people meant this intent then, or this action ran."""
        asks = {kind: name, "happened": str(NAMED[kind])}
        return self._between(period.points[0].begin, period.points[-1].end, asks)

    def _between(self, begin: int, end: int, asks: dict[str, str]) -> str:
        """In hours since 1970."""
        ends = [datetime.fromtimestamp(hour * 3600, self._zone) for hour in (begin, end)]
        if any(_is_twice(end) for end in ends):
            ends, asks["tz"] = [end.astimezone(UTC) for end in ends], ""
        first, last = (f"{end:%Y-%m-%dT%H:%M}" for end in ends)
        return self._to(asks | {"happened_from": first, "happened_until": last})

    def of_period(self, period: Period, asks: Mapping[str, str]) -> str:
        first, last = period.points[0].first_day, period.points[-1].last_day
        return self._to({"since": first.isoformat(), "until": last.isoformat(), **asks})

    def _to(self, asks: Mapping[str, str]) -> str:
        asked = {name: value for name, value in {**self._query, **asks}.items() if value}
        return f"{self._address}?{urlencode(asked)}" if self._address else ""


def _is_twice(moment: datetime) -> bool:
    """Whether the clock shows this time twice, because it is put back."""
    return moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    url: str = ""
    is_minor: bool = False


@dataclass(frozen=True, slots=True)
class Stat:
    """A headline: `tone` is good, bad or nothing."""

    key: str
    title: str
    text: str
    change: str
    tone: str
    spark: Drawing


@dataclass(frozen=True, slots=True)
class Chart:
    metric: Metric
    drawing: Drawing
    total: str
    summary: str  # of the whole in a sentence
    rows: Sequence[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A name with its share of all."""

    name: Name
    share: str
    width: str
    url: str
    change: str


def stats(series: Series) -> list[Stat]:
    return [_stat(metric, series) for metric in METRICS]


def _stat(metric: Metric, series: Series) -> Stat:
    now, before = metric.main.value(series.total), metric.main.value(series.before)
    change, tone = "", ""
    if now is not None and before is not None and not series.before.is_nothing:
        change = metric.change(before, now)
        if metric.good and change != NO_CHANGE:
            tone = "good" if (now > before) == (metric.good > 0) else "bad"
    elif not series.total.is_nothing:
        change = "none before"
    values = [metric.main.value(one) for one in series.points]
    on = metric.scale([one for one in values if one is not None])
    spark = shapes([values], on, as_bars=not metric.lines)
    return Stat(metric.key, metric.title, metric.main.text(series.total), change, tone, spark)


def charts(series: Series, period: Period, links: Links, marks: Sequence[Mark]) -> list[Chart]:
    return [_chart(metric, series, period, links, marks) for metric in METRICS]


def _chart(metric: Metric, series: Series, period: Period, links: Links, marks: Sequence[Mark]) -> Chart:
    drawn = metric.columns[: metric.lines or 1]
    values = [[column.value(one) for one in series.points] for column in drawn]
    on = metric.scale([one for line in values for one in line if one is not None])
    points = list(zip(period.points, series.points, strict=True))
    drawing = replace(
        shapes(values, on, as_bars=not metric.lines),
        spots=spots(
            [_title(point, numbers, drawn) for point, numbers in points],
            [links.of_point(point, metric.main) for point, _ in points],
        ),
        rungs=rungs(on, metric.main.write),
        labels=labels([point.label for point in period.points]),
        marks=marks,
    )
    rows = [(point.title, _cells(metric.columns, point, numbers, links)) for point, numbers in points]
    summary = f"{metric.title} by {period.unit}: {metric.main.text(series.total)} in all."
    return Chart(metric, drawing, metric.main.text(series.total), summary, rows)


def _title(point: Point, numbers: Numbers, columns: Sequence[Column]) -> str:
    said = ", ".join(f"{column.title.lower()} {column.text(numbers)}" for column in columns)
    return f"{point.title}: {said}"


def _cells(columns: Sequence[Column], point: Point, numbers: Numbers, links: Links) -> list[Cell]:
    return [
        Cell(
            column.text(numbers),
            links.of_point(point, column) if column.value(numbers) else "",
        )
        for column in columns
    ]


def bars(names: Sequence[Name], kind: str, period: Period, links: Links) -> list[Bar]:
    """Intents or actions, the most frequent one as long as there is room."""
    chosen = [one for one in names if one.kind == kind]
    longest = max((one.count for one in chosen), default=1)
    return [
        Bar(
            one,
            percent(one.share),
            f"{one.count / longest:.4f}",
            links.of_name(period, kind, one.name),
            relative(one.before, one.count) if one.before else "new",
        )
        for one in chosen
    ]


def parts(found: Parts, period: Period, links: Links) -> list[tuple[Cell, list[Cell]]]:
    """A row for each value of a dimension: its name, and the number of every metric."""
    return [
        (
            Cell(name, links.of_period(period, asks) if asks else ""),
            [Cell(metric.main.text(numbers), is_minor=metric.is_minor) for metric in METRICS],
        )
        for name, asks, numbers in found[:PARTS_SHOWN]
    ]
