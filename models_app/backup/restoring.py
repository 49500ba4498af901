"""Bring a backup back: every part checked first, then the models, then the database in one transaction.

Models lie under the SHA-256 of their bytes and come before the rows that name them: a run that was killed leaves
nothing that matters, and the next one begins where it was. Nothing of Parley may run meanwhile.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from django.db import ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from models_app.backup import keys
from models_app.backup.errors import BackupRefused
from models_app.backup.making import LEAST, RESTORING, rows_now, server_version
from models_app.backup.manifest import Manifest, read_manifest
from models_app.backup.places import Place
from models_app.backup.programs import Around, Database, Programs, load, programs_of
from models_app.backup.progress import Progress, Tell
from models_app.models import Artifact
from models_app.services.artifact_checks import problem_of
from models_app.services.artifacts import STRAY_AFTER
from models_app.storage import Staged, Stored, store
from studio import schema
from studio.audit import ownership

log = structlog.get_logger()

# Of sessions of roles that we do not belong to PostgreSQL tells no type; its own processes have no role.
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
  AND coalesce(backend_type, 'client backend') = 'client backend'
"""
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^parley_(events|tracker)_' ORDER BY 1"
# Somebody who came meanwhile is not waited for for ever. A dump's own beginning takes the timeout back.
_IMPATIENTLY = "SET client_min_messages = warning;\nSET LOCAL lock_timeout = '10s';"
_NOTE_GONE = f"DROP SCHEMA IF EXISTS {RESTORING};"
_PUBLIC_AGAIN = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
ALTER SCHEMA public OWNER TO pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
_NUMBERED_ON = f"""
SET LOCAL search_path = public;
SELECT setval(pg_get_serial_sequence('{ownership.TABLE}', 'id'), coalesce(max(id), 0) + 1, false)
FROM {ownership.TABLE};
"""  # noqa: S608 - a name of ours
_USED = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' OR schemaname ~ '^parley_(events|tracker)_'"


def restore(place: Place, *, replaces: bool, other_keys: bool, same_store: bool = False, tell: Tell) -> Manifest:
    """Everything that `place` has. BackupRefused before anything was touched, and when the database takes it not.

    `same_store`: what the artifact store holds is of no other installation.
    """
    address = Database.of(connection.settings_dict)
    manifest = read_manifest(place.manifest(), place.label)
    if not other_keys:
        _refuse_other_keys(manifest)
    _refuse_newer(manifest)
    _refuse_old_server()
    programs = programs_of(manifest.made_by, "Restoring this backup")
    _refuse_others("Nothing was changed.")
    _refuse_used(replaces)
    if not same_store:
        _refuse_shared(manifest)
    _check(place, manifest, tell)
    _note(manifest)
    _bring_models(place, manifest, tell)
    _bring_database(place, manifest, programs, address, replaces=replaces, tell=tell)
    return manifest


# --- What is asked before anything is touched -------------------------------------------------------------------------


def _refuse_other_keys(manifest: Manifest) -> None:
    if misfits := keys.misfits(manifest.keys):
        raise BackupRefused(
            "\n".join(
                [
                    "The keys of this installation do not fit the backup.",
                    *misfits,
                    "Set both to those of the installation that was backed up (a backup never holds them), or go on "
                    "without with --other-keys. Nothing was changed.",
                ]
            )
        )


def _refuse_newer(manifest: Manifest) -> None:
    loader = MigrationLoader(None)
    newer = list(schema.newer_than_files(loader, {(app, name) for app, name in manifest.migrations}))
    if newer:
        raise BackupRefused(
            f"The backup is of a newer Parley ({manifest.version}): this one does not know {', '.join(newer[:3])}. "
            "Restore it with that version. Nothing was changed."
        )


def _refuse_old_server() -> None:
    if (server := server_version()) < LEAST:
        raise BackupRefused(
            f"This PostgreSQL is of version {server}; Parley needs {LEAST} or newer. Nothing was changed."
        )


def _refuse_others(unchanged: str) -> None:
    """Whatever else is connected may write, or hold what is to be dropped."""
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        (others,) = cursor.fetchone()
    if others:
        raise BackupRefused(
            f"{others} other connections use the database {connection.settings_dict['NAME']}. Stop every process of "
            f"Parley first (with the embedded PostgreSQL: `make restore FROM=…` instead of this command). {unchanged}"
        )


def _refuse_used(replaces: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user")
        name, user = cursor.fetchone()
        cursor.execute(_USED)
        (tables,) = cursor.fetchone()
    if tables and not replaces:
        raise BackupRefused(
            f"The database {name} is not empty: it has {tables} tables. Name an empty one of {user}'s in DATABASE_URL, "
            "or give --replace, which deletes all that is in it. Nothing was changed."
        )


def _refuse_shared(manifest: Manifest) -> None:
    """Two databases over one store delete each other's models: a sweep keeps what its own rows need.

    What this database does not know, and would have swept if it had been at work here, somebody else put there. One
    that knows no artifact at all has never been at work. What a restore of this very backup brought that did not end is
    its own: there is a note of it.
    """
    tables = connection.introspection.table_names()
    known = set(Artifact.objects.values_list("sha256", flat=True)) if Artifact._meta.db_table in tables else set()
    moment = datetime.now(UTC) - STRAY_AFTER if known else datetime.now(UTC) + timedelta(minutes=5)
    if set(store().older_than(moment)) - known - _brought(manifest):
        raise BackupRefused(
            f"The artifact store ({store().label}) holds files that this database does not know. If "
            "another installation uses it, each would delete the other's models: give this one a store of its own "
            "(PARLEY_S3_PREFIX, PARLEY_S3_BUCKET or PARLEY_ARTIFACTS). If all of them are this installation's, because "
            "its database was lost or made anew, or an older backup was restored before: --same-store. Nothing was "
            "changed."
        )


def _brought(manifest: Manifest) -> set[str]:
    """What a run before this one, which did not end, may have brought into this store for this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", [RESTORING])
        row = cursor.fetchone()
    return {one.sha256 for one in manifest.artifacts} if row == (_name_of(manifest),) else set()


def _name_of(manifest: Manifest) -> str:
    return f"{manifest.database.sha256} with {store().label}"


def _check(place: Place, manifest: Manifest, tell: Tell) -> None:
    """Hash every part."""
    parts = [manifest.database, *manifest.artifacts]
    progress = Progress("checking", 0, len(parts), 0, manifest.size)
    for part in parts:
        if problem := problem_of(place.parts, part.sha256, part.size, lambda _read: None):
            raise BackupRefused(
                f"The part {part.sha256} of the backup is {problem}: this cannot be restored. Nothing was changed."
            )
        progress = replace(progress, done=progress.done + 1, done_bytes=progress.done_bytes + part.size)
        tell(progress)


# --- Bringing it ------------------------------------------------------------------------------------------------------


def _note(manifest: Manifest) -> None:
    """Of what is brought from now on, for a run after this one; an empty schema, which goes when the rows come."""
    about = sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(RESTORING), sql.Literal(_name_of(manifest)))
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {RESTORING}")
            cursor.execute(about)
    except ProgrammingError as error:
        raise BackupRefused(
            f"{error} Make the role of DATABASE_URL the owner of the database. Nothing was changed."
        ) from error


def _bring_models(place: Place, manifest: Manifest, tell: Tell) -> None:
    """Into the store of this installation; what is whole there already stays."""
    total_bytes = sum(one.size for one in manifest.artifacts)
    progress = Progress("models", 0, len(manifest.artifacts), 0, total_bytes)
    for artifact in manifest.artifacts:
        if _is_lacking(artifact):
            with place.parts.open(artifact.sha256) as source, store().stage(source) as staged:
                _refuse_changed(staged, artifact)
                store().keep(staged)
        progress = replace(progress, done=progress.done + 1, done_bytes=progress.done_bytes + artifact.size)
        tell(progress)


def _is_lacking(artifact: Stored) -> bool:
    """Damaged bytes are deleted: a store keeps what it has, whatever that has become."""
    problem = problem_of(store(), artifact.sha256, artifact.size, lambda _read: None)
    if problem == Artifact.Problem.DAMAGED:
        log.warning("a damaged artifact is replaced", sha256=artifact.sha256)
        store().delete(artifact.sha256)
    return bool(problem)


def _refuse_changed(staged: Staged, part: Stored) -> None:
    if staged.sha256 != part.sha256:
        raise BackupRefused(f"The part {part.sha256} of the backup changed while it was read. Look at its disk.")


def _bring_database(
    place: Place, manifest: Manifest, programs: Programs, address: Database, *, replaces: bool, tell: Tell
) -> None:
    server = server_version()
    before = [_IMPATIENTLY, _NOTE_GONE, *(_emptied() if replaces else [])]
    around = Around("\n".join(before), _audit_log_closed())
    progress = Progress("database")

    def count(read: int) -> None:
        nonlocal progress
        progress = replace(progress, done_bytes=progress.done_bytes + read)
        tell(progress)

    with place.parts.open(manifest.database.sha256) as source, store().stage(source) as staged:
        _refuse_changed(staged, manifest.database)
        _refuse_others("Nothing was changed in the database.")
        connection.close()  # it would hold locks that the other session waits for
        load(programs, address, staged.path, around, server=server, tell=count)
    _refuse_other_rows(manifest)


def _emptied() -> list[str]:
    """SQL that leaves a database as empty as a new one, within the transaction that fills it again."""
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMAS)
        names = [name for (name,) in cursor.fetchall()]
    drops = [sql.SQL("DROP SCHEMA {} CASCADE;").format(sql.Identifier(name)).as_string(None) for name in names]
    return [*drops, _PUBLIC_AGAIN]


def _audit_log_closed() -> str:
    """SQL by which its numbers go on where they were, and its table belongs to the role that nobody signs in with.

    A dump leaves the session without a search_path.
    """
    with connection.cursor() as cursor:
        handing_over = [line.as_string(None) for line in ownership.handing_over(cursor)]
    return "\n".join([_NUMBERED_ON, *(f"{line};" for line in handing_over)])


def _refuse_other_rows(manifest: Manifest) -> None:
    found = rows_now()
    wrong = [table for table, count in manifest.rows.items() if found.get(table) != count]
    if wrong:
        raise BackupRefused(
            f"{len(wrong)} tables have not as many rows as the backup says: {', '.join(wrong[:5])}. Did something of "
            "Parley run? Stop it, and restore again with --replace --same-store (whose the store is was looked at)."
        )
