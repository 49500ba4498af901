"""Rows and bytes of artifacts, kept in step.

Bytes are kept before a row names them and deleted after no row needs them. Whoever does either holds the lock of
that SHA-256, so that an upload never relies on bytes that a deletion of the same content is about to take away.
What a crash leaves between the two steps, `sweep` mends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.utils import timezone

from models_app.models import Artifact, Model
from models_app.storage import Staged, StoreFailed, store

log = structlog.get_logger()

# An upload inside a longer transaction has kept its bytes before others can see their row.
STRAY_AFTER = timedelta(hours=1)


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
    with held(staged.sha256):
        store().keep(staged)
        try:
            yield
        except BaseException:
            _discard(staged.sha256)
            raise


def restore(staged: Staged) -> None:
    """Put bytes back that the store has lost: somebody uploaded the same file again."""
    with held(staged.sha256):
        if not store().exists(staged.sha256):
            store().keep(staged)
            log.warning("artifact restored by an upload", sha256=staged.sha256)


def ensure_artifact(staged: Staged) -> Artifact:
    """The row of these bytes, locked until the transaction ends; one that had been freed is in use again."""
    Artifact.objects.get_or_create(sha256=staged.sha256, defaults={"size": staged.size})
    artifact = Artifact.objects.select_for_update().get(sha256=staged.sha256)
    if artifact.freed_at is not None:
        artifact.freed_at, artifact.stored_at = None, timezone.now()
        artifact.save(update_fields=["freed_at", "stored_at"])
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
    if strays := store().sweep():
        log.info("removed temporary files of uploads that never ended", files=strays)
    for sha256 in store().older_than(timezone.now() - STRAY_AFTER):
        with held(sha256):
            _discard(sha256)
    for artifact in Artifact.objects.filter(freed_at=None).exclude(model__deleted_at=None):
        free_unused(artifact.sha256)


def _discard(sha256: str) -> None:
    """Delete bytes that no row says are in the store. The caller holds their lock."""
    if not Artifact.objects.filter(sha256=sha256, freed_at=None).exists():
        _delete(sha256)


def _delete(sha256: str) -> None:
    """The rows are right already. A store that is away keeps the bytes till a later sweep finds them."""
    try:
        store().delete(sha256)
    except StoreFailed as error:
        log.warning("bytes that nobody needs stay for now", sha256=sha256, error=error.message)
