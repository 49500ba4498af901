"""Artifacts in a folder: `<folder>/<first two digits>/<sha256>`, temporary files in `<folder>/incoming`."""

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from models_app.storage.protocol import ArtifactMissing, Readable, Staged, Stored, StoreFull, TooLarge

PIECE = 1024 * 1024
# A file is locked right after it is made; younger ones may be between the two.
SWEEP_AFTER_SECONDS = 60


class LocalStore:
    """The ArtifactStore of one machine, or of several that share a folder whose `flock` works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"

    @contextmanager
    def stage(self, source: Readable, *, limit: int | None = None) -> Iterator[Staged]:
        self.incoming.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.incoming)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # Held while this process lives, however it ends: that is how sweep() tells what is stray.
                fcntl.flock(file, fcntl.LOCK_EX)
                yield _receive(source, file, path, limit)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, staged: Staged) -> Stored:
        target = self._path(staged.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.touch()  # young again for older_than
        else:
            staged.path.rename(target)
            target.chmod(0o640)
            _sync_folder(target.parent)
        return Stored(staged.sha256, staged.size)

    def put(self, source: Readable, *, limit: int | None = None) -> Stored:
        with self.stage(source, limit=limit) as staged:
            return self.keep(staged)

    def open(self, sha256: str, start: int = 0) -> BinaryIO:
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError:
            raise ArtifactMissing(sha256) from None
        file.seek(start)
        return file

    def size(self, sha256: str) -> int:
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError:
            raise ArtifactMissing(sha256) from None

    def exists(self, sha256: str) -> bool:
        return self._path(sha256).exists()

    def delete(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)

    def older_than(self, moment: datetime) -> Iterator[str]:
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            if path.stat().st_mtime < moment.timestamp():
                yield path.name

    def sweep(self) -> int:
        return sum(_remove_if_stray(path) for path in self.incoming.glob("*"))

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def _receive(source: Readable, file: BinaryIO, path: Path, limit: int | None) -> Staged:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(PIECE):
        size += len(piece)
        if limit is not None and size > limit:
            raise TooLarge(limit)
        digest.update(piece)
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


def _sync_folder(folder: Path) -> None:
    """Without it a power cut may forget the rename, though the row that names the file is committed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_stray(path: Path) -> bool:
    try:
        if time.time() - path.stat().st_mtime < SWEEP_AFTER_SECONDS:
            return False
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
