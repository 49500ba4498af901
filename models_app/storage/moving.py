"""Two stores while artifacts move from the old one to the new one: all that comes is kept in the new one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, TypeVar

from models_app.storage.protocol import ArtifactMissing, ArtifactStore, Staged, Stored
from studio.readable import Readable

T = TypeVar("T")


@dataclass(frozen=True)
class MovingStore:
    """What is not in the new store yet is read from the old one. `move_artifacts` brings it over."""

    new: ArtifactStore
    old: ArtifactStore

    @property
    def label(self) -> str:
        return self.new.label

    def stage(self, source: Readable, *, limit: int | None = None) -> AbstractContextManager[Staged]:
        return self.new.stage(source, limit=limit)

    def keep(self, staged: Staged) -> Stored:
        return self.new.keep(staged)

    def put(self, source: Readable, *, limit: int | None = None) -> Stored:
        return self.new.put(source, limit=limit)

    def open(self, sha256: str, start: int = 0) -> BinaryIO:
        return self._first(lambda store: store.open(sha256, start))

    def size(self, sha256: str) -> int:
        return self._first(lambda store: store.size(sha256))

    def exists(self, sha256: str) -> bool:
        return self.new.exists(sha256) or self.old.exists(sha256)

    def delete(self, sha256: str) -> None:
        self.old.delete(sha256)
        self.new.delete(sha256)

    def older_than(self, moment: datetime) -> Iterator[str]:
        """What is old in either; asking for each of the old store whether it is young in the new one took too long."""
        yield from self.new.older_than(moment)
        yield from self.old.older_than(moment)

    def sweep(self) -> int:
        return self.new.sweep() + self.old.sweep()

    def check(self) -> None:
        self.new.check()
        self.old.check()

    def _first(self, ask: Callable[[ArtifactStore], T]) -> T:
        """Of the new store, else of the old one. What is in neither may have moved between the two questions."""
        for store in (self.new, self.old):
            try:
                return ask(store)
            except ArtifactMissing:
                continue
        return ask(self.new)
