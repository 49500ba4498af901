"""The one thing asked of whatever bytes come from."""

from collections.abc import Callable
from typing import Protocol


class Readable(Protocol):
    """Anything bytes can be read from, piece by piece; an empty piece is the end."""

    def read(self, size: int, /) -> bytes: ...


class Counting:
    """Tells how much was read of a source."""

    def __init__(self, source: Readable, tell: Callable[[int], object]) -> None:
        self._source = source
        self._tell = tell

    def read(self, size: int, /) -> bytes:
        piece = self._source.read(size)
        self._tell(len(piece))
        return piece
