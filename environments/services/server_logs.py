"""The log of a server that runs here: as it comes, the lines that hold certain words, and all of it.

It can hold people's texts: who calls these asks the permission to read conversations.
"""

from collections import deque
from collections.abc import Iterator

from environments.models import Environment
from environments.services.managed import log_path
from models_app.training.reading_log import FOUND, Found, Line, parts, pattern_of
from studio.rasa.local import read_log
from studio.rasa.process import LogChunk

TAIL = 64 * 1024
SEARCHED = 20 * 1024**2  # bytes, the newest: of a server that has run for months more would keep the page waiting


def read_server_log(environment: Environment, offset: int | None = None) -> LogChunk:
    """What the server wrote from byte `offset` on, or its last lines."""
    if offset is None:
        offset = max(0, _size(environment) - TAIL)
    return read_log(log_path(environment), offset)


def search_server_log(environment: Environment, words: str) -> Found:
    """Lines that hold `words`, large and small letters alike; the last of them are shown. Their numbers are 0."""
    pattern, total, newest = pattern_of(words), 0, deque[str](maxlen=FOUND)
    for text in pieces_of(environment, max(0, _size(environment) - SEARCHED)):
        lines = [line for line in text.split("\n") if pattern.search(line)]
        total += len(lines)
        newest.extend(lines)
    return Found(words, [Line(0, line, parts(pattern, line)) for line in newest], total)


def pieces_of(environment: Environment, offset: int = 0) -> Iterator[str]:
    """All that it wrote from byte `offset` on, in pieces that end with a line."""
    path = log_path(environment)
    while (chunk := read_log(path, offset, to_its_end=True)).offset > offset:
        offset = chunk.offset
        yield chunk.text


def _size(environment: Environment) -> int:
    path = log_path(environment)
    return path.stat().st_size if path.exists() else 0
