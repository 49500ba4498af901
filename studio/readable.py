"""The one thing asked of whatever bytes come from."""

from typing import Protocol


class Readable(Protocol):
    """Anything bytes can be read from, piece by piece; an empty piece is the end."""

    def read(self, size: int, /) -> bytes: ...
