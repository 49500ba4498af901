"""Bring artifacts from the old store to the new one, while everything else works on.

Nothing counts as moved before it was read back from the new store and hashed. The rows say what has been, so a move
that was killed goes on where it was. Deleting from the old store is asked for, and takes only what was read back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
from django.utils import timezone

from models_app.models import Artifact
from models_app.services.artifact_checks import MOVING, alone, is_damage, note, problem_of
from models_app.services.artifacts import held
from models_app.storage import ArtifactMissing, ArtifactStore, MovingStore, StoreFailed
from studio.readable import Counting

log = structlog.get_logger()

BUSY = "Artifacts are being moved already, or a backup is being made. Look how far that is, and let it end."
READ_BACK_LATELY = timedelta(days=1)  # before the only other copy is deleted


@dataclass(slots=True)
class Outcome:
    """What a move did, or of a dry run what it would do."""

    total: int = 0
    total_bytes: int = 0
    moved: int = 0  # now
    moved_bytes: int = 0
    there: int = 0  # and read back by an earlier run
    deleted: int = 0  # from the old store
    deleted_bytes: int = 0
    missing: list[str] = field(default_factory=list)  # in neither store
    damaged: list[str] = field(default_factory=list)  # in the old store, and not whole in the new one


@dataclass(frozen=True, slots=True)
class Progress:
    """Of so many artifacts and bytes: half an artifact is done when it is copied, all of it when it is read back."""

    total: int
    total_bytes: int
    done: int = 0
    done_bytes: float = 0
    known_bytes: int = 0  # of done_bytes: an earlier run moved them
    step: str = ""  # copying, sending, reading back


Tell = Callable[[Progress], None]


def move_artifacts(stores: MovingStore, *, delete_source: bool, tell: Tell) -> Outcome:
    """Move everything; Conflict when somebody else does. StoreFailed where a store stops working: run it again then."""
    with alone(MOVING, BUSY):
        move = _Move(stores, delete_source, tell)
        # What came while it ran is in the new store already, and is read back like everything else.
        while rows := [row for row in _in_use() if row.sha256 not in move.seen]:
            move.run(rows)
        return move.outcome


def look_ahead(stores: MovingStore) -> Outcome:
    """What a move would do, by asking and without reading."""
    found = Outcome()
    for row in _in_use():
        found.total += 1
        found.total_bytes += row.size
        if _was_read_back(stores.new, row):
            found.there += 1
        elif stores.exists(row.sha256):
            found.moved += 1
            found.moved_bytes += row.size
        else:
            found.missing.append(row.sha256)
        if row.sha256 not in found.missing and stores.old.exists(row.sha256):
            found.deleted += 1
            found.deleted_bytes += row.size
    return found


def _in_use() -> list[Artifact]:
    return list(Artifact.objects.filter(freed_at=None).order_by("sha256"))


def _was_read_back(new: ArtifactStore, row: Artifact) -> bool:
    if row.checked_at is None or row.checked_in != new.label or row.problem:
        return False
    try:
        return new.size(row.sha256) == row.size
    except ArtifactMissing:
        return False


class _Move:
    def __init__(self, stores: MovingStore, delete_source: bool, tell: Tell) -> None:
        self.new, self.old = stores.new, stores.old
        self.delete_source = delete_source
        self.outcome = Outcome()
        self.seen: set[str] = set()
        self._tell = tell
        self._progress = Progress(0, 0)

    def run(self, rows: list[Artifact]) -> None:
        self.outcome.total += len(rows)
        self.outcome.total_bytes += sum(row.size for row in rows)
        before = self._progress
        self._progress = replace(before, total=self.outcome.total, total_bytes=self.outcome.total_bytes)
        for row in rows:
            self.seen.add(row.sha256)
            begun = self._progress
            had = self.outcome.there
            if self._is_in_new(row):
                self._finish(row)
            known = begun.known_bytes + (row.size if self.outcome.there > had else 0)
            done_bytes = begun.done_bytes + row.size
            self._say(begun, done=begun.done + 1, done_bytes=done_bytes, known_bytes=known, step="")

    def _is_in_new(self, row: Artifact) -> bool:
        """Copy it when it has to be, and whether it is whole there."""
        if _was_read_back(self.new, row) and not self._is_to_be_read_again(row):
            self.outcome.there += 1
            return True
        if (problem := self._read_back(row)) and (problem := self._copied(row, problem)):
            return self._refused(row, problem)
        note(row.sha256, self.new, "")
        self.outcome.moved += 1
        self.outcome.moved_bytes += row.size
        return True

    def _is_to_be_read_again(self, row: Artifact) -> bool:
        return self.delete_source and (row.checked_at is None or row.checked_at < timezone.now() - READ_BACK_LATELY)

    def _copied(self, row: Artifact, problem: str) -> str:
        """The problem of the copy; that of the original when there is no copy."""
        begun = self._progress
        try:
            with self.old.open(row.sha256) as source, self.new.stage(Counting(source, self._count)) as staged:
                if staged.sha256 != row.sha256:
                    return Artifact.Problem.DAMAGED
                self._say(self._progress, step="sending")
                if problem == Artifact.Problem.DAMAGED:
                    self.new.delete(row.sha256)  # else its size would make it look kept
                self.new.keep(staged)
        except ArtifactMissing:
            return problem
        except (StoreFailed, OSError) as error:
            if not is_damage(error):
                raise
            return Artifact.Problem.DAMAGED
        finally:
            self._progress = begun
        self._progress = replace(begun, done_bytes=begun.done_bytes + row.size / 2)
        return self._read_back(row)

    def _read_back(self, row: Artifact) -> str:
        begun = self._progress
        try:
            return problem_of(self.new, row.sha256, row.size, lambda count: self._count(count, "reading back"))
        finally:
            self._progress = begun

    def _refused(self, row: Artifact, problem: str) -> bool:
        with held(row.sha256):
            if Artifact.objects.filter(sha256=row.sha256, freed_at=None).exists():
                log.error("artifact cannot be moved", sha256=row.sha256, problem=problem)
                names = self.outcome.missing if problem == Artifact.Problem.MISSING else self.outcome.damaged
                names.append(row.sha256)
        return False

    def _finish(self, row: Artifact) -> None:
        """Under the lock of these bytes: they may have been freed while they were on their way."""
        with held(row.sha256):
            is_free = not Artifact.objects.filter(sha256=row.sha256, freed_at=None).exists()
            if is_free:
                self.new.delete(row.sha256)
            if (self.delete_source or is_free) and self.old.exists(row.sha256):
                self.old.delete(row.sha256)
                self.outcome.deleted += 1
                self.outcome.deleted_bytes += row.size

    def _count(self, count: int, step: str = "copying") -> None:
        self._say(self._progress, done_bytes=self._progress.done_bytes + count / 2, step=step)

    def _say(self, progress: Progress, **changes: object) -> None:
        self._progress = replace(progress, **changes)  # type: ignore[arg-type]
        self._tell(self._progress)
