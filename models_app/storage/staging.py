"""Bytes on their way into a store: read to their end into a temporary file of this machine, whatever the backend."""

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from models_app.storage.protocol import Staged, StoreFull, TooLarge
from studio.readable import Readable

PIECE = 1024 * 1024
SYNCED_EVERY = 64 * PIECE
# A file is locked right after it is made; younger ones may be between the two.
SWEEP_AFTER_SECONDS = 60


class Incoming:
    """The folder of temporary files. A file system of its own, or one whose `flock` works between machines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def stage(self, source: Readable, limit: int | None) -> Iterator[Staged]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.folder)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # Held while this process lives, however it ends: that is how sweep() tells what is stray.
                fcntl.flock(file, fcntl.LOCK_EX)
                yield _measure(source, file, path, limit, write=file.write)
        finally:
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        return remove_unheld(self.folder, SWEEP_AFTER_SECONDS)


def in_place(source: Readable, path: Path) -> Staged:
    """What lies in a file of its own already, which `source` reads: measured where it is, and durable."""
    with path.open("rb") as file:
        return _measure(source, file, path, None, write=lambda _piece: None)


def _measure(
    source: Readable, file: BinaryIO, path: Path, limit: int | None, write: Callable[[bytes], object]
) -> Staged:
    """Hashing has a thread of its own, because it takes as long as writing; it is one piece behind at most.

    So has bringing the file to the disk, which otherwise begins when the last byte has come.
    """
    digest, size, synced_to = hashlib.sha256(), 0, 0
    hashed = synced = _done()
    with no_room_said(), ThreadPoolExecutor(2) as beside:
        while piece := source.read(PIECE):
            size += len(piece)
            if limit is not None and size > limit:
                raise TooLarge(limit)
            hashed.result()
            hashed = beside.submit(digest.update, piece)
            write(piece)
            if size - synced_to >= SYNCED_EVERY and synced.done():
                synced_to, synced = size, beside.submit(os.fdatasync, file.fileno())
        hashed.result()
        synced.result()
        file.flush()
        os.fsync(file.fileno())
    return Staged(path, digest.hexdigest(), size)


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


@contextmanager
def no_room_said() -> Iterator[None]:
    """StoreFull for a disk or a quota that is full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull from error
        raise


def remove_unheld(folder: Path, seconds: float) -> int:
    """Remove the files that nobody holds and nobody has written to for so long; how many."""
    return sum(_remove_unheld(path, seconds) for path in folder.glob("*"))


def _remove_unheld(path: Path, seconds: float) -> bool:
    try:
        if time.time() - path.stat().st_mtime < seconds:
            return False
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
