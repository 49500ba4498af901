"""Lines of training data that hold certain words: where something is defined, and where it is used."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from models_app.data.yaml_text import decode
from studio.text_search import LINES_SHOWN, Line, parts, pattern_of

LONGEST = 200  # letters that are searched for
SHOWN = 300  # letters of a line
_BEFORE = 80  # of them before the first place
_LINE_END = re.compile(r"\r\n|\r|\n")  # as editors count, and the page of a file
_WHOLE = re.compile(r'"(.+)"')


@dataclass(frozen=True, slots=True)
class FileFound:
    path: str
    lines: list[Line]
    total: int


def search(files: Mapping[str, bytes], words: str) -> list[FileFound]:
    """The files that hold `words` on a line, large and small letters alike; by path, LINES_SHOWN lines of all of them.

    In quotation marks they are a whole name: `"greet"` is neither in `greet_again` nor in `faq/greet`.
    """
    pattern, room = _pattern(words), LINES_SHOWN
    found = []
    for path, content in sorted(files.items()):
        lines = [(at, line) for at, line in enumerate(_LINE_END.split(decode(content)), 1) if pattern.search(line)]
        if lines:
            shown = [_shown(at, line, pattern) for at, line in lines[:room]]
            found.append(FileFound(path, shown, len(lines)))
            room -= len(shown)
    return found


def _pattern(words: str) -> re.Pattern[str]:
    whole = _WHOLE.fullmatch(words)
    return re.compile(rf"(?<![\w/-])({re.escape(whole[1])})(?![\w-])", re.IGNORECASE) if whole else pattern_of(words)


def _shown(at: int, line: str, pattern: re.Pattern[str]) -> Line:
    """A line, or what stands around the first place of one that is too long for a page."""
    if len(line) > SHOWN:
        place = pattern.search(line)
        begin = max(0, place.start() - _BEFORE) if place else 0
        end = begin + SHOWN
        line = f"{'…' if begin else ''}{line[begin:end]}{'…' if end < len(line) else ''}"
    return Line(at, line, parts(pattern, line))
