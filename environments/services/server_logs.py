"""The log of a server that runs here: as it comes, the lines that hold certain words, and all of it.

It can hold people's texts: who calls these asks the permission to read conversations.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from environments.models import Environment
from environments.services.managed import log_path
from studio.rasa.local import read_log
from studio.rasa.process import LogChunk
from studio.text_search import LINES_SHOWN, Found, Line, parts, pattern_of

TAIL = 64 * 1024
SEARCHED = 40 * 1024**2  # bytes, the newest, of each part: a log that nobody sets aside would keep the page waiting


def read_server_log(environment: Environment, offset: int | None = None) -> LogChunk:
    """What the server wrote from byte `offset` on, or its last lines."""
    if offset is None:
        offset = max(0, _size(log_path(environment)) - TAIL)
    return read_log(log_path(environment), offset)


def search_server_log(environment: Environment, words: str) -> Found:
    """Lines that hold `words`, large and small letters alike; the last of them are shown. Their numbers are 0."""
    pattern, total, newest = pattern_of(words), 0, deque[str](maxlen=LINES_SHOWN)
    for text in pieces_of(environment, SEARCHED):
        lines = [line for line in text.split("\n") if pattern.search(line)]
        total += len(lines)
        newest.extend(lines)
    return Found(words, [Line(0, line, parts(pattern, line)) for line in newest], total)


def pieces_of(environment: Environment, newest: int | None = None) -> Iterator[str]:
    """All that is kept of it, in pieces that end with a line: what was set aside when it had grown large, then the log
    itself, or no more than its `newest` bytes. Says so in a last line when it was set aside meanwhile."""
    path = log_path(environment)
    aside = path.with_name(f"{path.name}.1")
    began = _changed_at(aside)
    for part in (aside, path):
        offset = max(0, _size(part) - newest) if newest else 0
        while (chunk := read_log(part, offset, to_its_end=True)).offset > offset:
            offset = chunk.offset
            yield chunk.text
    if _changed_at(aside) != began:
        yield "The log was set aside while it was read, so that lines are missing here: load it once more.\n"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
