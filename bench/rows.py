"""What a benchmark found: rows of one table, each with the aim it is held against."""

from dataclasses import astuple, dataclass

HEADS = ("what", "Parley", "compared with", "result", "aim", "holds")


class NotRun(Exception):
    """This benchmark cannot run on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Row:
    """`holds` is None where nothing is aimed at."""

    what: str
    parley: str
    compared_with: str = ""
    result: str = ""
    aim: str = ""
    holds: bool | None = None


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table that is also aligned for a terminal."""
    cells = [HEADS, *((*astuple(row)[:-1], _word(row.holds)) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths)
    return "\n".join(f"{line} |" for line in (lines[0], *lines[1:])).replace("\n", f"\n{rule}|\n", 1)


def _word(holds: bool | None) -> str:
    return "" if holds is None else "yes" if holds else "NO"
