"""Whether stored bytes are what their name says: read to their end and hashed, with what was found kept in the row."""

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

from models_app.models import Artifact
from models_app.storage import ArtifactMissing, ArtifactStore, StoreFailed
from studio.errors import Conflict
from studio.jobs.schedule import hold_lock

PIECE = 1024 * 1024
MOVING, VERIFYING, BACKING_UP = 7_270_553_911, 7_270_553_912, 7_270_553_913  # advisory locks: any of our own

Tell = Callable[[int], None]  # so many bytes were read


@contextmanager
def alone(lock: int, refusal: str) -> Iterator[None]:
    """Hold an advisory lock on this connection; Conflict with `refusal` when somebody else does."""
    if not hold_lock(lock):
        raise Conflict(refusal)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


def problem_of(place: ArtifactStore, sha256: str, size: int, tell: Tell) -> str:
    """Artifact.Problem, or nothing when `place` gives out exactly these bytes.

    Damage counts when it was read twice: the first time it may have been the way here.
    """
    try:
        whole = _is_whole(place, sha256, size, tell) or _is_whole(place, sha256, size, lambda _read: None)
    except ArtifactMissing:
        return Artifact.Problem.MISSING
    return "" if whole else Artifact.Problem.DAMAGED


def note(sha256: str, place: ArtifactStore, problem: str) -> None:
    """Keep what was found, unless the bytes were freed meanwhile."""
    found = {"checked_at": timezone.now(), "checked_in": place.label, "problem": problem}
    Artifact.objects.filter(sha256=sha256, freed_at=None).update(**found)


def _is_whole(place: ArtifactStore, sha256: str, size: int, tell: Tell) -> bool:
    digest, taken = hashlib.sha256(), 0
    try:
        with place.open(sha256) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                taken += len(piece)
                tell(len(piece))
    except (StoreFailed, OSError) as error:
        if not is_damage(error):
            raise
        return False
    return taken == size and digest.hexdigest() == sha256


def is_damage(error: StoreFailed | OSError) -> bool:
    """Whether the bytes are to blame, and not the store: other ones can be read."""
    return error.errno == errno.EIO if isinstance(error, OSError) else error.code == "store-damaged"
