"""Charts as the template draws them: places in an area 1000 wide and 100 high, whatever its size on the screen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT = 1000.0, 100.0
LABELS = 4  # along the axis of time
_GAP = 0.2  # of a bar's room
_STEPS = (1, 2, 2.5, 5, 10)

Values = Sequence[float | None]


class Spot(NamedTuple):
    """The room of one point in a chart: what it says, and where it leads."""

    x: str
    width: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Label:
    """A word at an axis: its place in percent, and how it stands to it."""

    at: str
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment."""

    at: str  # percent
    title: str
    url: str


class Line(NamedTuple):
    """`kind` chooses how it is drawn: main or second."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """`bars` is a path like those of the lines."""

    bars: str
    lines: Sequence[Line]
    spots: Sequence[Spot] = ()
    rungs: Sequence[Label] = ()
    labels: Sequence[Label] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` to `high`, which are round, in steps that are."""

    low: float
    high: float
    step: float

    def y(self, value: float) -> float:
        """From the top."""
        return HEIGHT - HEIGHT * (value - self.low) / (self.high - self.low)

    @property
    def rungs(self) -> list[float]:
        return [self.low + number * self.step for number in range(round((self.high - self.low) / self.step) + 1)]


def scale(values: Sequence[float], *, floor: float | None = 0.0, least: float = 1.0) -> Scale:
    """Three or four steps that hold all values; from `floor`, or as near to them as is round. `least` is its extent."""
    high = max(values, default=0.0)
    low = min(values, default=0.0) if floor is None else floor
    raw = max(high - low, least) / 3
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * one for one in _STEPS if power * one >= raw * 0.999999)
    low = math.floor(low / step + 1e-9) * step
    return Scale(low, low + max(1, math.ceil((high - low) / step - 1e-9)) * step, step)


def shapes(series: Sequence[Values], on: Scale, *, as_bars: bool) -> Drawing:
    """Bars of the first of `series`, or a line of each."""
    room = WIDTH / max(1, len(series[0]))
    if as_bars:
        return Drawing("".join(_bar(value, at, room, on) for at, value in enumerate(series[0]) if value), [])
    kinds = ("main", "second")
    return Drawing("", [Line(kind, _path(one, room, on)) for one, kind in zip(series, kinds, strict=False)])


def spots(titles: Sequence[str], urls: Sequence[str]) -> list[Spot]:
    room = WIDTH / max(1, len(titles))
    return [Spot(_n(room * at), _n(room), title, url) for at, (title, url) in enumerate(zip(titles, urls, strict=True))]


def rungs(on: Scale, say: Callable[[float], str]) -> list[Label]:
    """The words at the axis of values."""
    return [Label(_n(on.y(value)), say(value)) for value in on.rungs]


def _bar(value: float, at: int, room: float, on: Scale) -> str:
    top, width = on.y(value), _n(room * (1 - _GAP))
    return f"M{_n(room * (at + _GAP / 2))} {_n(top)}h{width}v{_n(HEIGHT - top)}h-{width}z"


def _path(values: Values, room: float, on: Scale) -> str:
    """A line that ends where there is no value; a value alone is a dot."""
    parts = []
    is_open = False
    for at, value in enumerate(values):
        if value is None:
            is_open = False
            continue
        place = f"{_n(room * (at + 0.5))} {_n(on.y(value))}"
        parts.append(f"L{place}" if is_open else f"M{place}h0.01")
        is_open = True
    return "".join(parts)


def labels(words: Sequence[str]) -> list[Label]:
    """Words at the axis of time: as many as there is room for, the last one always."""
    every = max(1, math.ceil(len(words) / LABELS))
    shown = [at for at in range(len(words)) if (len(words) - 1 - at) % every == 0]
    return [Label(_n((at + 0.5) / len(words) * 100), words[at], _anchor(at, len(words))) for at in shown]


def _anchor(at: int, count: int) -> str:
    share = (at + 0.5) / count
    return "start" if share < 0.06 else "end" if share > 0.94 else "middle"


def _n(number: float) -> str:
    """Short, and with a point whatever the language."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
