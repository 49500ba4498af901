"""Lines of training data that hold certain words: where something is defined, and where it is used."""

from collections.abc import Mapping
from dataclasses import dataclass

from models_app.data.yaml_text import decode
from models_app.training.reading_log import FOUND, Line, parts, pattern_of


@dataclass(frozen=True, slots=True)
class FileFound:
    """`lines` are those that are shown, `total` is how many there are."""

    path: str
    lines: list[Line]
    total: int


def search(files: Mapping[str, bytes], words: str) -> list[FileFound]:
    """The files that hold `words` on a line, large and small letters alike; by path, FOUND lines of all of them."""
    pattern, room = pattern_of(words), FOUND
    found = []
    for path, content in sorted(files.items()):
        lines = [(at, line) for at, line in enumerate(decode(content).splitlines(), 1) if pattern.search(line)]
        if lines:
            shown = [Line(at, line, parts(pattern, line)) for at, line in lines[:room]]
            found.append(FileFound(path, shown, len(lines)))
            room -= len(shown)
    return found
