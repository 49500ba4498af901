"""Bytes on their way into a store: read to their end into a temporary file of this machine, whatever the backend."""

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from models_app.storage.protocol import Readable, Staged, StoreFull, TooLarge

PIECE = 1024 * 1024
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
                yield _receive(source, file, path, limit)
        finally:
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        return remove_unheld(self.folder, SWEEP_AFTER_SECONDS)


def _receive(source: Readable, file: BinaryIO, path: Path, limit: int | None) -> Staged:
    """Hashing has a thread of its own, because it takes as long as writing; it is one piece behind at most."""
    digest, size = hashlib.sha256(), 0
    with ThreadPoolExecutor(1) as hashing:
        hashed: Future[None] | None = None
        while piece := source.read(PIECE):
            size += len(piece)
            if limit is not None and size > limit:
                raise TooLarge(limit)
            if hashed is not None:
                hashed.result()
            hashed = hashing.submit(digest.update, piece)
            _write(file, piece)
        _write(file, b"", sync=True)
    return Staged(path, digest.hexdigest(), size)


def _write(file: BinaryIO, piece: bytes, *, sync: bool = False) -> None:
    try:
        file.write(piece)
        if sync:
            file.flush()
            os.fsync(file.fileno())
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
