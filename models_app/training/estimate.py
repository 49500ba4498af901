"""How long trainings take and when they start, told from how long those before took.

Pure functions of seconds. Nothing is guessed: where there is no history there is no estimate.
"""

import heapq
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

DRAWS = 200  # of what may happen before a job starts
FURTHEST = 100  # places in line; who stands behind them is told no time
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds. Half of all cases lie below `middle`, four of five between `low` and `high`."""

    low: float
    middle: float
    high: float


def spread_of(seconds: Sequence[float]) -> Spread | None:
    if not seconds:
        return None
    if len(seconds) == 1:
        return Spread(seconds[0], seconds[0], seconds[0])
    deciles = statistics.quantiles(seconds, n=10, method="inclusive")
    return Spread(deciles[0], deciles[4], deciles[8])


def remaining(history: Sequence[float], elapsed: float) -> Spread | None:
    """Of a job that has run for `elapsed`; None when none before took as long."""
    return spread_of(_left(history, elapsed))


def _left(history: Sequence[float], elapsed: float) -> list[float]:
    return [seconds - elapsed for seconds in history if seconds > elapsed]


@dataclass(frozen=True, slots=True)
class Running:
    history: Sequence[float]
    elapsed: float


def starts(running: Sequence[Running], waiting: Sequence[Sequence[float]], workers: int) -> list[Spread | None]:
    """When each waiting job starts, given the histories of those that run and wait, in order of the line.

    What may come is drawn many times from the histories. A job without one blocks its worker for ever, so that a start
    that depends on it is not known, and one that does not is.
    """
    chance = random.Random(len(waiting))  # noqa: S311  the same line gives the same answer
    left = [_left(job.history, job.elapsed) for job in running]
    drawn: list[list[float]] = [[] for _ in waiting[:FURTHEST]]
    for _ in range(DRAWS if workers else 0):
        free_at = [_draw(one, chance) for one in left] + [0.0] * (workers - len(left))
        heapq.heapify(free_at)
        for history, found in zip(waiting, drawn, strict=False):
            found.append(free_at[0])
            heapq.heapreplace(free_at, free_at[0] + _draw(history, chance))
    spreads = [spread_of(found) if found and math.isfinite(max(found)) else None for found in drawn]
    return spreads + [None] * (len(waiting) - len(spreads))


def _draw(seconds: Sequence[float], chance: random.Random) -> float:
    return chance.choice(seconds) if seconds else math.inf


def words(spread: Spread) -> str:
    """`about 4 min (3–6)`, `about 40 s`: in the unit of the middle, without a spread that rounds to nothing.

    Number and unit stay on one line.
    """
    unit, size = ("s", 1) if spread.middle < 90 else ("min", _MINUTE) if spread.middle < 90 * _MINUTE else ("h", _HOUR)
    low, middle, high = (_rounded(value / size, unit) for value in (spread.low, spread.middle, spread.high))
    between = "" if low == high else f" ({low}–{high})"
    return f"about {middle}\u00a0{unit}{between}"


def _rounded(value: float, unit: str) -> str:
    if unit == "h":
        return f"{value:.1f}".removesuffix(".0")
    if unit == "s" and value >= 10:
        return str(5 * round(value / 5))
    return str(max(1, round(value)))
