"""Rows and bytes of artifacts, kept in step.

Bytes are kept before a row names them and deleted after no row needs them. Whoever deletes bytes, or writes a row that
names them, holds the lock of that SHA-256. Sending them takes long and holds nothing: under the lock an upload only
asks whether they are still there, and sends them again when a deletion of the same content came between.
What a crash leaves between the two steps, `sweep` mends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice

import structlog
from django.db import connection, transaction
from django.utils import timezone

from models_app.models import Artifact, Model
from models_app.services.artifact_checks import BACKING_UP
from models_app.storage import Staged, StoreFailed, store
from studio.jobs.schedule import is_held
from studio.web.streaming import let_go_of_database

log = structlog.get_logger()

# An upload inside a longer transaction has kept its bytes before others can see their row.
STRAY_AFTER = timedelta(hours=1)
LOOKED_UP = 500  # at once


@contextmanager
def held(sha256: str) -> Iterator[None]:
    """Hold the lock of these bytes on this connection, whatever transactions come and go meanwhile."""
    key = int.from_bytes(bytes.fromhex(sha256[:16]), signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


@contextmanager
def kept(staged: Staged) -> Iterator[None]:
    """Keep the staged bytes while the caller writes the rows that need them; an error takes them away again."""
    let_go_of_database()
    store().keep(staged)
    with held(staged.sha256):
        if not store().exists(staged.sha256):
            store().keep(staged)
        try:
            yield
        except BaseException:
            _discard(staged.sha256)
            raise


def restore(staged: Staged) -> None:
    """Put bytes back that the store has lost or damaged: somebody uploaded the same file again."""
    row = Artifact.objects.filter(sha256=staged.sha256).first()
    is_damaged = row is not None and row.problem == Artifact.Problem.DAMAGED
    if store().exists(staged.sha256) and not is_damaged:
        return
    with held(staged.sha256):
        if is_damaged:
            store().delete(staged.sha256)  # or their size would make them look kept
        store().keep(staged)
        Artifact.objects.filter(sha256=staged.sha256, freed_at=None).update(checked_at=None, problem="")
    log.warning("artifact restored by an upload", sha256=staged.sha256)


def ensure_artifact(staged: Staged) -> Artifact:
    """The row of these bytes, locked until the transaction ends; one that had been freed is in use again."""
    Artifact.objects.get_or_create(sha256=staged.sha256, defaults={"size": staged.size})
    artifact = Artifact.objects.select_for_update().get(sha256=staged.sha256)
    if artifact.freed_at is not None:
        artifact.freed_at, artifact.stored_at = None, timezone.now()
        artifact.checked_at, artifact.problem = None, ""
        artifact.save(update_fields=["freed_at", "stored_at", "checked_at", "problem"])
    return artifact


def free_unused(sha256: str) -> bool:
    """Delete the bytes when no model uses them any more; True when they went. The row stays for history."""
    with held(sha256):
        with transaction.atomic():
            artifact = Artifact.objects.select_for_update().filter(sha256=sha256, freed_at=None).first()
            if artifact is None or Model.objects.current().filter(artifact=artifact).exists():
                return False
            artifact.freed_at = timezone.now()
            artifact.save(update_fields=["freed_at"])
        _delete(sha256)
    return True


def sweep() -> None:
    """Mend what crashes left: temporary files, bytes without a row, rows whose last model went without their bytes."""
    if unfinished := store().sweep():
        log.info("removed temporary files of uploads that never ended", files=unfinished)
    for sha256 in strays():
        with held(sha256):
            _discard(sha256)
    for artifact in Artifact.objects.filter(freed_at=None).exclude(model__deleted_at=None):
        free_unused(artifact.sha256)


def strays() -> Iterator[str]:
    """SHA-256 of stored bytes without a row that needs them, put so long ago that no upload is about to write one."""
    old = iter(store().older_than(timezone.now() - STRAY_AFTER))
    while some := set(islice(old, LOOKED_UP)):
        yield from some - set(Artifact.objects.filter(sha256__in=some, freed_at=None).values_list("sha256", flat=True))


def _discard(sha256: str) -> None:
    """Delete bytes that no row says are in the store. The caller holds their lock."""
    if not Artifact.objects.filter(sha256=sha256, freed_at=None).exists():
        _delete(sha256)


def _delete(sha256: str) -> None:
    """The rows are right already. A store that is away keeps the bytes till a later sweep finds them.

    So it does while a backup is made: its dump may be of a moment when a model still needed them. Whoever freed them
    before that moment committed the row first, so that the dump does not name them.
    """
    if is_held(BACKING_UP):
        log.info("bytes that nobody needs stay until the backup is made", sha256=sha256)
        return
    try:
        store().delete(sha256)
    except StoreFailed as error:
        log.warning("bytes that nobody needs stay for now", sha256=sha256, error=error.message)
