"""What differs between two sets of files, for people to read."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from models_app.data.yaml_text import decode

CONTEXT = 3
# Comparing takes time quadratic in the lines; beyond this a page would wait, and nobody reads it.
COMPARED_BYTES = 512 * 1024
LINE = re.compile(r"[^\n]*\n|[^\n]+")  # not splitlines(), which also breaks at a dozen other characters


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class LineKind(StrEnum):
    HUNK = "hunk"  # lines were left out here
    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Line:
    kind: LineKind
    text: str
    old_number: int | None = None
    new_number: int | None = None


@dataclass(frozen=True)
class FileDifference:
    path: str
    change: Change
    lines: tuple[Line, ...]
    too_large: bool = False  # then without lines

    @property
    def only_encoding(self) -> bool:
        """The text is the same: a byte order mark or the encoding changed."""
        return self.change is Change.CHANGED and not self.lines and not self.too_large

    @property
    def added(self) -> int:
        return sum(line.kind is LineKind.ADDED for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind is LineKind.REMOVED for line in self.lines)


def compare(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[FileDifference]:
    """The files that differ, by path. Both are whole projects: a file that only one has was added or removed."""
    paths = sorted(old.keys() | new.keys())
    return [_compare_file(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]


def _compare_file(path: str, old: bytes | None, new: bytes | None) -> FileDifference:
    change = Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED
    if max(len(old or b""), len(new or b"")) > COMPARED_BYTES:
        return FileDifference(path, change, (), too_large=True)
    return FileDifference(path, change, tuple(_lines(_split(old), _split(new))))


def _split(data: bytes | None) -> list[str]:
    """Lines with their ends, so that a file that differs in these alone is seen to differ."""
    return LINE.findall(decode(data or b""))


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    for group in difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        span = f"@@ -{first[1] + 1},{last[2] - first[1]} +{first[3] + 1},{last[4] - first[3]} @@"
        yield Line(LineKind.HUNK, span)
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                for offset in range(old_end - old_start):
                    text = _shown(old[old_start + offset])
                    yield Line(LineKind.SAME, text, old_start + offset + 1, new_start + offset + 1)
                continue
            for number in range(old_start, old_end):
                yield Line(LineKind.REMOVED, _shown(old[number]), old_number=number + 1)
            for number in range(new_start, new_end):
                yield Line(LineKind.ADDED, _shown(new[number]), new_number=number + 1)


def _shown(line: str) -> str:
    """Without its end, except for the carriage return of Windows, which is made visible."""
    return line.rstrip("\n").replace("\r", "␍")
