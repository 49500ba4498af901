"""The numbers of a period, read from the sums of hours and the entries that are still to be added to them.

Each is one statement, so it sees either an entry or the sum that it became, and is exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from django.db import connection

from conversations.analytics.period import Period
from conversations.ingest.tally import CONFIDENCE_BOUNDS, CONFIDENCES, COUNTS, REPLIES, REPLY_BOUNDS
from conversations.presentation.items import UNSURE_BELOW

_FIRST_POINT = 3  # of Period.bounds
_DAY = 24
_UNSURE = CONFIDENCES[: CONFIDENCE_BOUNDS.index(UNSURE_BELOW) + 1]
DIMENSIONS = {"environment": "environment_id", "model": "model_id", "channel": "channel"}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Whose numbers: of one assistant, and of these values alone where some are given."""

    assistant_id: int
    environments: Sequence[int | None] | None = None  # None among them is the unknown one
    model_ids: Sequence[str] | None = None
    channel: str = ""
    origin: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """Condition on a row of tallies, and its parameters."""
        parts, values = ["assistant_id = %s"], [self.assistant_id]
        if self.environments is not None:
            known = [one for one in self.environments if one is not None]
            unknown = " OR environment_id IS NULL" if None in self.environments else ""
            parts.append(f"(environment_id = ANY(%s::bigint[]){unknown})")
            values.append(known)  # type: ignore[arg-type]
        for column, chosen in (("channel", self.channel), ("origin", self.origin)):
            if chosen:
                parts.append(f"{column} = %s")
                values.append(chosen)  # type: ignore[arg-type]
        if self.model_ids is not None:
            parts.append("model_id = ANY(%s::varchar[])")
            values.append(list(self.model_ids))  # type: ignore[arg-type]
        return " AND ".join(parts), values


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts of some stretch of time, and what follows from them; None where there is nothing to divide by."""

    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    def __getitem__(self, name: str) -> int:
        return self.counts[name]

    @property
    def is_nothing(self) -> bool:
        return not any(self.counts.values())

    @property
    def fallback_share(self) -> float | None:
        return _share(self["fallbacks"], self["user_messages"])

    @property
    def confidences(self) -> list[int]:
        """User messages by tenths of their intent's confidence."""
        return [self[name] for name in CONFIDENCES]

    @property
    def confidence(self) -> float | None:
        """The mean."""
        return _share(self["confidence_sum"] / 1e6, sum(self.confidences))

    @property
    def unsure_share(self) -> float | None:
        return _share(sum(self[name] for name in _UNSURE), sum(self.confidences))

    @property
    def replies(self) -> list[int]:
        """User messages that were replied to, by how long that took (tally.REPLY_BOUNDS)."""
        return [self[name] for name in REPLIES]

    @property
    def reply_mean(self) -> float | None:
        """Seconds."""
        return _share(self["reply_ms"] / 1000, sum(self.replies))

    @property
    def reply_median(self) -> float | None:
        return self._reply_quantile(0.5)

    @property
    def reply_p95(self) -> float | None:
        return self._reply_quantile(0.95)

    def _reply_quantile(self, share: float) -> float | None:
        """Seconds, as if replies were spread evenly between two bounds. Beyond the last one it is that."""
        wanted = share * sum(self.replies)
        if not wanted:
            return None
        bounds = [0.0, *(bound / 1000 for bound in REPLY_BOUNDS)]
        reached = [0, *accumulate(self.replies)]
        for (low, high), (under, upto) in zip(pairwise(bounds), pairwise(reached), strict=False):
            if upto >= wanted:
                return low + (high - low) * (wanted - under) / (upto - under)
        return bounds[-1]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Series:
    """`points` are as many as the period has."""

    points: Sequence[Numbers]
    total: Numbers
    before: Numbers
    parts: Mapping[Any, Numbers]  # of the total, by the values of a dimension; most messages first


_COUNTS = ", ".join(COUNTS)
_SUMS = ", ".join(f"sum({name})::bigint" for name in COUNTS)


def series(narrowed: Narrowed, period: Period, by: str) -> Series:
    """One query; `by` is one of DIMENSIONS."""
    where, narrowing = narrowed.where()
    lines = [
        f"""SELECT width_bucket(hour, %s::integer[]) AS point, hour >= %s AS is_now, {DIMENSIONS[by]} AS part, {_COUNTS}
        FROM {table} WHERE {where} AND hour >= %s AND hour < %s"""  # noqa: S608 - names of our own, here and below
        for table in ("conversations_tally", "conversations_tallyentry")
    ]
    query = f"""SELECT grouping(point), point, is_now, part, {_SUMS} FROM ({" UNION ALL ".join(lines)}) AS line
        GROUP BY GROUPING SETS ((point), (is_now, part))"""  # noqa: S608
    values = [period.bounds, period.begin, *narrowing, period.before[0], period.end]
    with connection.cursor() as cursor:
        cursor.execute(query, values * len(lines))
        rows = cursor.fetchall()
    numbers = [(row[:4], Numbers(dict(zip(COUNTS, row[4:], strict=True)))) for row in rows]
    by_point = {point: found for (is_part, point, _, _), found in numbers if not is_part}
    parts = {part: found for (is_part, _, is_now, part), found in numbers if is_part and is_now}
    points = [by_point.get(_FIRST_POINT + number, Numbers()) for number in range(len(period.points))]
    ranked = dict(sorted(parts.items(), key=lambda one: (-one[1]["user_messages"], str(one[0]))))
    return Series(points, _sum(points), by_point.get(1, Numbers()), ranked)


def _sum(numbers: Iterable[Numbers]) -> Numbers:
    rows = [one.counts for one in numbers]
    return Numbers({name: sum(row[name] for row in rows) for name in COUNTS})


@dataclass(frozen=True, slots=True)
class Name:
    """An intent or action, and how often it was in the period and before. `of` all of its kind."""

    kind: str
    name: str
    count: int
    before: int
    of: int

    @property
    def share(self) -> float:
        return self.count / self.of if self.of else 0.0


def names(narrowed: Narrowed, period: Period, most: int) -> list[Name]:
    """The most frequent intents and actions, `most` of each. One query, which reads days rather than hours."""
    where, narrowing = narrowed.where()
    lines: list[str] = []
    values: list[Any] = []
    for is_now, (begin, end) in ((True, (period.begin, period.end)), (False, period.before)):
        for table, first, after in _stretches(begin, end):
            of = f"{table} {where} AND hour >= %s AND hour < %s"
            lines.append(f"SELECT kind, name, {is_now} AS is_now, count FROM {of}")  # noqa: S608
            values += [*narrowing, first, after]
    query = f"""
        SELECT kind, name, now, before, of FROM (
            SELECT kind, name, now, before, sum(now) OVER (PARTITION BY kind) AS of,
                   row_number() OVER (PARTITION BY kind ORDER BY now DESC, name COLLATE "C") AS place
            FROM (
                SELECT kind, name, coalesce(sum(count) FILTER (WHERE is_now), 0) AS now,
                       coalesce(sum(count) FILTER (WHERE NOT is_now), 0) AS before
                FROM ({" UNION ALL ".join(lines)}) AS line GROUP BY kind, name
            ) AS summed WHERE now > 0
        ) AS ranked WHERE place <= %s ORDER BY kind, place"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, [*values, most])
        return [Name(kind, name, int(now), int(before), int(of)) for kind, name, now, before, of in cursor.fetchall()]


def _stretches(begin: int, end: int) -> list[tuple[str, int, int]]:
    """Which rows, from which hour, until which: whole days of UTC, the hours around them, and entries."""
    first, last = -(-begin // _DAY) * _DAY, end // _DAY * _DAY
    hours = [(begin, first), (last, end)] if first < last else [(begin, end)]
    spans = [(1, *one) for one in hours if one[0] < one[1]] + ([(_DAY, first, last)] if first < last else [])
    sums = [(f"conversations_nametally WHERE span = {span} AND", low, high) for span, low, high in spans]
    return [*sums, ("conversations_nameentry WHERE", begin, end)]
