"""Make a backup while Parley works: the database as it was at one moment, and every artifact that it names.

The moment is a snapshot of PostgreSQL, which pg_dump shares. Artifacts never change, and what nobody needs any more
stays in the store for as long as this holds the lock (services/artifacts.py): so they are copied after the moment, and
are still those of it. A run that was killed is gone on with by the next to the same place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

import structlog
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from models_app.backup import keys
from models_app.backup.errors import BackupRefused
from models_app.backup.manifest import Manifest
from models_app.backup.places import Place
from models_app.backup.programs import Database, Programs, dumped, programs_of
from models_app.backup.progress import Progress, Tell
from models_app.models import Artifact
from models_app.services.artifact_checks import BACKING_UP, MOVING, alone, is_damage
from models_app.services.artifacts import held
from models_app.storage import ArtifactMissing, Stored, StoreFailed, store
from studio import migrating
from studio.audit import ownership
from studio.readable import Counting

log = structlog.get_logger()

LEAST = 15  # of PostgreSQL
BUSY = "A backup is being made already, or models are being moved. Look how far that is, and let it end."
RESTORING = "parley_restoring"  # a schema by which restoring.py notes what it has begun
# What Rasa servers remember of dialogues under way is theirs: we may not read it. Its numbers the audit table's other
# owner keeps to itself; they are counted on when it is restored.
LEFT_OUT = ["--exclude-schema=parley_tracker_*", f"--exclude-schema={RESTORING}"]
LEFT_OUT += [f"--exclude-table-data={ownership.TABLE}_id_seq"]
_COUNTED = """
SELECT schemaname, tablename FROM pg_tables
WHERE schemaname = 'public' OR starts_with(schemaname, 'parley_events_') ORDER BY 1, 2
"""


def make_backup(place: Place, *, tell: Tell) -> Manifest:
    """Conflict when somebody else makes one; BackupRefused where the place is taken or pg_dump fails; StoreFailed."""
    if place.manifest() is not None:
        raise BackupRefused(f"There is a backup at {place.label}, and none is overwritten. Name another place.")
    place.prepare()
    _tidy(place)
    with alone(BACKING_UP, BUSY), alone(MOVING, BUSY):
        with migrating.alone(connection, wait=0, say=log.info):
            migrating.call(connection, "a backup")
            manifest = _dump(place, tell)
        manifest = _copy(place, manifest, tell)
    _tidy(place)
    place.finish(manifest.as_bytes())
    log.info("backup made", place=place.label, artifacts=len(manifest.artifacts), bytes=manifest.size)
    return manifest


def _tidy(place: Place) -> None:
    """What runs that were killed left of files on their way. It harms nobody: no reason to end."""
    try:
        if unfinished := place.parts.sweep():
            log.info("removed what a backup that was killed had begun", files=unfinished)
    except (StoreFailed, OSError) as error:
        log.warning("what a killed backup had begun may lie in its place still", error=str(error))


def _dump(place: Place, tell: Tell) -> Manifest:
    """The database, and what is to be copied, all of one moment."""
    server = server_version()
    programs = programs_of(server, f"Making a backup of PostgreSQL {server}")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
        migrations = [list(row) for row in cursor.fetchall()]
        artifacts = [Stored(row.sha256, row.size) for row in Artifact.objects.filter(freed_at=None).order_by("sha256")]
        database = _dumped(place, programs, snapshot, tell)
        rows = _rows(cursor)
    version = programs.version
    return Manifest(made_at, settings.VERSION, server, version, migrations, keys.proofs(), rows, database, artifacts)


def _dumped(place: Place, programs: Programs, snapshot: str, tell: Tell) -> Stored:
    progress = Progress("database")

    def count(read: int) -> None:
        nonlocal progress
        progress = replace(progress, done_bytes=progress.done_bytes + read)
        tell(progress)

    database = Database.of(connection.settings_dict)
    with dumped(programs, database, snapshot, LEFT_OUT) as dump, place.parts.stage(Counting(dump, count)) as staged:
        return place.parts.keep(staged)


def _copy(place: Place, manifest: Manifest, tell: Tell) -> Manifest:
    """Every artifact; those that an earlier run brought there are not read again. What the store lost is named."""
    total_bytes = sum(one.size for one in manifest.artifacts)
    progress = Progress("models", total=len(manifest.artifacts), total_bytes=total_bytes)
    there, missing = [], []
    for artifact in manifest.artifacts:
        if _is_copied(place, artifact):
            there.append(artifact)
        else:
            log.error("artifact cannot be backed up: the store has lost it", sha256=artifact.sha256)
            missing.append(artifact.sha256)
        done_bytes = progress.done_bytes + artifact.size
        progress = replace(progress, done=progress.done + 1, done_bytes=done_bytes)
        tell(progress)
    return replace(manifest, artifacts=there, missing=missing)


def _is_copied(place: Place, artifact: Stored) -> bool:
    """The second try is under the lock of these bytes: an upload may be just about to put them anew."""
    if place.parts.exists(artifact.sha256) and place.parts.size(artifact.sha256) == artifact.size:
        return True
    if _try(place, artifact):
        return True
    with held(artifact.sha256):
        return _try(place, artifact)


def _try(place: Place, artifact: Stored) -> bool:
    """Only what the store gives out is its loss; what the backup's own place refuses ends the backup."""
    try:
        with _opened(artifact) as source, place.parts.stage(_FromStore(source)) as staged:
            if staged.sha256 != artifact.sha256:
                return False
            place.parts.keep(staged)
            return True
    except _Lost:
        return False


class _Lost(Exception):
    """The store has not these bytes, or cannot give them out whole."""


@dataclass(frozen=True, slots=True)
class _FromStore:
    """What the store gives out. _Lost where that is damaged; a store that is away is no damage."""

    file: BinaryIO

    def read(self, size: int, /) -> bytes:
        with _losses():
            return self.file.read(size)


@contextmanager
def _opened(artifact: Stored) -> Iterator[BinaryIO]:
    with _losses():
        file = store().open(artifact.sha256)
    with file:
        yield file


@contextmanager
def _losses() -> Iterator[None]:
    try:
        yield
    except ArtifactMissing as error:
        raise _Lost from error
    except (StoreFailed, OSError) as error:
        if is_damage(error):
            raise _Lost from error
        raise


def _rows(cursor: Any) -> dict[str, int]:
    cursor.execute(_COUNTED)
    return {f"{schema}.{table}": _count(cursor, schema, table) for schema, table in cursor.fetchall()}


def _count(cursor: Any, schema: str, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    cursor.execute(query.as_string(None))
    (count,) = cursor.fetchone()
    return int(count)


def rows_now() -> dict[str, int]:
    """The rows of each table, as a manifest counts them."""
    with connection.cursor() as cursor:
        return _rows(cursor)


def server_version() -> int:
    """Of PostgreSQL: 18."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        (version,) = cursor.fetchone()
    return int(version)
