"""Charts as the template draws them: places in an area 1000 wide and 100 high, whatever its size on the screen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 1000.0, 100.0
LABELS = 4  # along the axis of time
_GAP = 0.2  # of a bar's room
_STEPS = (1, 2, 2.5, 5, 10)

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Spot:
    """The room of one point in a chart: what it says, where it leads, and the bar that stands in it."""

    x: str
    width: str
    title: str
    url: str
    bar: tuple[str, str, str, str] | None  # x, y, width, height


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


@dataclass(frozen=True, slots=True)
class Line:
    """A path; `kind` chooses how it is drawn: main or second."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Drawing:
    spots: Sequence[Spot]
    lines: Sequence[Line]
    rungs: Sequence[Label]
    labels: Sequence[Label]
    marks: Sequence[Mark] = field(default_factory=list)


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


def draw(
    series: Sequence[Values],
    titles: Sequence[str],
    urls: Sequence[str],
    words: Sequence[str],
    *,
    as_bars: bool,
    on: Scale,
    say: Callable[[float], str],
    marks: Sequence[Mark] = (),
) -> Drawing:
    """Bars of the first of `series`, or a line of each. `words` stand at the axis of time, `say` writes a value."""
    room = WIDTH / max(1, len(titles))
    spots = [
        Spot(_n(room * at), _n(room), title, urls[at], _bar(series[0][at], at, room, on) if as_bars else None)
        for at, title in enumerate(titles)
    ]
    kinds = ("main", "second")
    lines = [] if as_bars else [Line(_path(one, room, on), kind) for one, kind in zip(series, kinds, strict=False)]
    rungs = [Label(_n(on.y(value)), say(value)) for value in on.rungs]
    return Drawing(spots, lines, rungs, _labels(words), marks)


def _bar(value: float | None, at: int, room: float, on: Scale) -> tuple[str, str, str, str] | None:
    if not value:
        return None
    top = on.y(value)
    return _n(room * (at + _GAP / 2)), _n(top), _n(room * (1 - _GAP)), _n(HEIGHT - top)


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


def _labels(words: Sequence[str]) -> list[Label]:
    """As many as there is room for, the last one always."""
    every = max(1, math.ceil(len(words) / LABELS))
    shown = [at for at in range(len(words)) if (len(words) - 1 - at) % every == 0]
    return [Label(_n((at + 0.5) / len(words) * 100), words[at], _anchor(at, len(words))) for at in shown]


def _anchor(at: int, count: int) -> str:
    share = (at + 0.5) / count
    return "start" if share < 0.06 else "end" if share > 0.94 else "middle"


def _n(number: float) -> str:
    """Short, and with a point whatever the language."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
