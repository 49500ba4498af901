"""What was taken for what, as a picture: a row for each intent of an example, a column for each that was predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models_app.models import Confusion, LabelScore

MOST = 40  # rows and columns; with more the words could not be read
SIDE, GAP, LETTER, LONGEST = 24, 2, 6.6, 26


class Cell(NamedTuple):
    """A square in pixels; `share` of its row, 0 to 1. `pair` is the confusion it leads to, None on the diagonal."""

    x: float
    y: float
    number: int
    share: str
    title: str
    pair: int | None

    @property
    def is_right(self) -> bool:
        return self.pair is None

    @property
    def middle(self) -> float:
        return self.x + (SIDE - GAP) / 2

    @property
    def baseline(self) -> float:
        return self.y + (SIDE - GAP) / 2 + 4


class Word(NamedTuple):
    x: float
    y: float
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """In pixels. `left_out` intents are in the table alone: none of them, or hardly any, was confused."""

    width: float
    height: float
    left: float
    top: float
    cells: Sequence[Cell]
    rows: Sequence[Word]
    columns: Sequence[Word]
    left_out: int
    side: int = SIDE - GAP


def matrix(scores: Sequence[LabelScore], pairs: Sequence[Confusion]) -> Matrix | None:
    """None when there is nothing to draw."""
    names, left_out = _shown(scores, pairs)
    if not names:
        return None
    places = {name: at for at, name in enumerate(names)}
    support = {score.name: score.support for score in scores}
    left = round(LETTER * max(min(len(_word(name)), LONGEST) for name in names) + 10)
    top = round(left * 0.8 + 8)
    cells = [*_right(places, support, pairs, left, top), *_wrong(places, support, pairs, left, top)]
    span = SIDE * len(names)
    return Matrix(
        width=round(left + span + top * 0.8),  # the last column's word leans out to the right
        height=round(top + span),
        left=left,
        top=top,
        cells=cells,
        rows=[_label(left - 6, top + SIDE * at + SIDE / 2 + 3, name) for name, at in places.items()],
        columns=[_label(left + SIDE * at + SIDE / 2, top - 6, name) for name, at in places.items()],
        left_out=left_out,
    )


def _shown(scores: Sequence[LabelScore], pairs: Sequence[Confusion]) -> tuple[list[str], int]:
    """The intents of the picture in order of name: all, or those most confused."""
    weight = {score.name: 0 for score in scores}
    for pair in pairs:
        for name in (pair.expected, pair.predicted):
            weight[name] = weight.get(name, 0) + pair.count
    chosen = sorted(weight, key=lambda name: (-weight[name], name))[:MOST]
    return sorted(chosen), len(weight) - len(chosen)


def _right(
    places: Mapping[str, int], support: Mapping[str, int], pairs: Sequence[Confusion], left: float, top: float
) -> list[Cell]:
    wrong: dict[str, int] = {}
    for pair in pairs:
        wrong[pair.expected] = wrong.get(pair.expected, 0) + pair.count
    found = []
    for name, at in places.items():
        count = support.get(name, 0) - wrong.get(name, 0)
        if count > 0:
            title = f"{name}: {count} of {support[name]} right"
            found.append(_cell(at, at, count, support[name], title, None, left, top))
    return found


def _wrong(
    places: Mapping[str, int], support: Mapping[str, int], pairs: Sequence[Confusion], left: float, top: float
) -> list[Cell]:
    found = []
    for pair in pairs:
        if pair.expected in places and pair.predicted in places:
            title = f"{pair.expected} taken for {_word(pair.predicted)}: {pair.count}"
            row, column = places[pair.expected], places[pair.predicted]
            total = support.get(pair.expected, pair.count)
            found.append(_cell(row, column, pair.count, total, title, pair.pk, left, top))
    return found


def _cell(row: int, column: int, count: int, total: int, title: str, pair: int | None, left: float, top: float) -> Cell:
    """Even one of a hundred can be seen, and the number on it read."""
    share = 0.16 + 0.5 * count / max(total, count, 1)
    return Cell(left + SIDE * column, top + SIDE * row, count, f"{share:.2f}", title, pair)


def _label(x: float, y: float, name: str) -> Word:
    word = _word(name)
    return Word(x, y, word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…", word)


def _word(name: str) -> str:
    return name or "no intent"
