"""Looks into a model's archive while its bytes pass on their way somewhere else."""

from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue
from typing import Self

from studio.rasa.archive import ArchiveFacts, inspect
from studio.readable import Readable

AHEAD = 4  # pieces that may have passed before they are looked into


class Passing:
    """What `source` gives, unchanged; a thread of its own unpacks it, and `facts` waits for what it found.

    >>> with Passing(source) as passing, store().stage(passing) as staged:
    ...     facts = passing.facts()
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._pieces: Queue[bytes] = Queue(AHEAD)
        self._ended = False

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, "inspecting")
        self._found: Future[ArchiveFacts] = self._thread.submit(self._inspect)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end()
        self._thread.shutdown()

    def read(self, size: int, /) -> bytes:
        piece = self._source.read(size)
        if piece:
            self._pieces.put(piece)
        else:
            self._end()
        return piece

    def facts(self) -> ArchiveFacts:
        """Of a source that was read to its end. Raises ArchiveError."""
        return self._found.result()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._pieces.put(b"")

    def _inspect(self) -> ArchiveFacts:
        passed = _Passed(self._pieces)
        try:
            return inspect(passed)
        finally:
            passed.drain()  # a bad archive passes all the same: whoever sends it can be answered then


class _Passed:
    """The other end of the queue."""

    def __init__(self, pieces: "Queue[bytes]") -> None:
        self._pieces = pieces
        self._piece = b""
        self._ended = False

    def read(self, size: int, /) -> bytes:
        if not self._piece and not self._ended:
            self._piece = self._pieces.get()
            self._ended = not self._piece
        taken, self._piece = self._piece[:size], self._piece[size:]
        return taken

    def drain(self) -> None:
        while self.read(1):
            self._piece = b""
