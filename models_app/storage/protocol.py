"""What a store of artifacts must do. tests/models_app/test_storage.py holds every backend to it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from studio.errors import DomainError, Invalid
from studio.readable import Readable
from studio.web import formats


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes in the store: their SHA-256 in hexadecimal and their number."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that arrived whole and lie in a temporary file, to be looked at before they are kept."""

    path: Path
    sha256: str
    size: int


class ArtifactMissing(Exception):
    """The store has no bytes of this SHA-256; the same error for every backend."""


class TooLarge(Invalid):
    """More bytes arrived than the limit allows."""

    code = "too-large"
    status = 413  # of HTTP, as the API says it

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is larger than the limit of {formats.size(limit)}.", limit=limit)


class StoreFailed(DomainError):
    """The store cannot do what it was asked for. The message names no host, bucket or folder: /readyz shows it to all.

    `code` says which kind it is; storage/s3_client.py lists them.
    """

    code = "store-failed"
    status = 503


class StoreFull(StoreFailed):
    """There is no room for more bytes."""

    code = "store-full"

    def __init__(self, store: str = "artifact store", unneeded: str = "models") -> None:
        super().__init__(f"The {store} has no room left. Delete {unneeded} nobody needs, or give it a larger disk.")


class ArtifactStore(Protocol):
    """Content-addressed bytes. Memory stays flat whatever the size. Each method may raise StoreFailed."""

    @property
    def label(self) -> str:
        """Which store it is, for rows that say where bytes were found whole. For operators: it names the bucket."""
        ...

    def stage(self, source: Readable, *, limit: int | None = None) -> AbstractContextManager[Staged]:
        """Read `source` to its end into a temporary file that is gone when the context ends, kept or not.

        TooLarge as soon as more than `limit` bytes came.
        """
        ...

    def keep(self, staged: Staged) -> Stored:
        """Make staged bytes durable. Bytes the store has already are kept once, and are young again for older_than.

        The staged file stays, and can be kept again after somebody deleted the bytes.
        """
        ...

    def put(self, source: Readable, *, limit: int | None = None) -> Stored:
        """Stage and keep in one go."""
        ...

    def open(self, sha256: str, start: int = 0) -> BinaryIO:
        """The bytes from `start` on, to be read in order and closed; ArtifactMissing when there are none.

        Reading may raise StoreFailed: what was read till then is not all.
        """
        ...

    def size(self, sha256: str) -> int: ...

    def exists(self, sha256: str) -> bool: ...

    def delete(self, sha256: str) -> None:
        """Forget the bytes; deleting what is not there is no error."""
        ...

    def older_than(self, moment: datetime) -> Iterator[str]:
        """SHA-256 of everything that was last put before `moment`."""
        ...

    def sweep(self) -> int:
        """Remove what uploads left that never ended; how many there were."""
        ...

    def check(self) -> None:
        """Raise StoreFailed, within seconds, when the store cannot be used."""
        ...
