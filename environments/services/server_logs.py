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


def read_server_log(environment: Environment, offset: int | None = None) -> LogChunk:
    """What the server wrote from byte `offset` on, or its last lines."""
    if offset is None:
        offset = max(0, _size(environment) - TAIL)
    return read_log(log_path(environment), offset)


def search_server_log(environment: Environment, words: str) -> Found:
    """Lines that hold `words`, large and small letters alike; the last of them are shown. Their numbers are 0."""
    pattern, total, newest = pattern_of(words), 0, deque[str](maxlen=FOUND)
    for text in pieces_of(environment):
        lines = [line for line in text.split("\n") if pattern.search(line)]
        total += len(lines)
        newest.extend(lines)
    return Found(words, [Line(0, line, parts(pattern, line)) for line in newest], total)


def pieces_of(environment: Environment) -> Iterator[str]:
    """All that is kept of it, in pieces that end with a line: what was set aside when it had grown large (at most twice
    20 MB are kept), then the log itself."""
    path = log_path(environment)
    for part in (path.with_name(f"{path.name}.1"), path):
        offset = 0
        while (chunk := read_log(part, offset, to_its_end=True)).offset > offset:
            offset = chunk.offset
            yield chunk.text


def _size(environment: Environment) -> int:
    path = log_path(environment)
    return path.stat().st_size if path.exists() else 0
