"""Artifacts in a folder: `<folder>/<first two digits>/<sha256>`, temporary files in `<folder>/incoming`."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from models_app.storage.protocol import ArtifactMissing, Staged, Stored, StoreFailed
from models_app.storage.staging import Incoming
from studio.readable import Readable

CLOSED = "The folder of the artifact store cannot be read and written: check PARLEY_ARTIFACTS."


class LocalStore:
    """The ArtifactStore of one machine, or of several that share a folder whose `flock` works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = Incoming(folder / "incoming")

    @property
    def label(self) -> str:
        return f"folder {self.folder}"

    def stage(self, source: Readable, *, limit: int | None = None) -> AbstractContextManager[Staged]:
        return self.incoming.stage(source, limit)

    def keep(self, staged: Staged) -> Stored:
        target = self._path(staged.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.touch()  # young again for older_than
        else:
            self._place(staged, target)
            target.chmod(0o640)
            sync_folder(target.parent)
        return Stored(staged.sha256, staged.size)

    def _place(self, staged: Staged, target: Path) -> None:
        """The staged file stays for a caller who finds that somebody deleted what it has just kept."""
        try:
            os.link(staged.path, target)
        except FileExistsError:
            target.touch()
        except OSError:  # a file system without hard links
            with staged.path.open("rb") as source, self.stage(source) as copy:
                copy.path.rename(target)

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
        return self.incoming.sweep()

    def check(self) -> None:
        """A folder that is not there yet is made by the first upload."""
        try:
            there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        except OSError as error:  # one of them may not be entered
            raise StoreFailed(CLOSED) from error
        if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            raise StoreFailed(CLOSED)

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def sync_folder(folder: Path) -> None:
    """Without it a power cut may forget the rename, though the row that names the file is committed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
