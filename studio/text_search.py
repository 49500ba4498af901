"""Lines of a text that hold certain words, as pages show them: in a log, in training data."""

import re
from dataclasses import dataclass

LINES_SHOWN = 500  # of one search


@dataclass(frozen=True, slots=True)
class Line:
    number: int  # 0: it has none, or stands for lines that were left out
    text: str
    found: tuple[tuple[str, bool], ...] = ()  # its parts, and which of them was searched for


@dataclass(frozen=True, slots=True)
class Found:
    """`lines` are those that are shown, `total` is how many there are."""

    words: str
    lines: list[Line]
    total: int


def pattern_of(words: str) -> re.Pattern[str]:
    """These words, in large and small letters alike."""
    return re.compile(f"({re.escape(words)})", re.IGNORECASE)


def parts(pattern: re.Pattern[str], text: str) -> tuple[tuple[str, bool], ...]:
    """By the one group of `pattern` every second part is what was searched for."""
    return tuple((part, at % 2 == 1) for at, part in enumerate(pattern.split(text)) if part)
