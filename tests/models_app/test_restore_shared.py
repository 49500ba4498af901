"""Two installations over one artifact store would delete each other's models: `restore` sees it where it can be seen."""

import io
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.db.transaction import atomic

from models_app.backup import restoring
from models_app.backup.errors import BackupRefused
from models_app.backup.manifest import Manifest
from models_app.models import Artifact
from models_app.services.artifacts import STRAY_AFTER
from models_app.storage import Stored
from models_app.storage.local import LocalStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    made = LocalStore(tmp_path / "artifacts")
    monkeypatch.setattr(restoring, "store", lambda: made)
    return made


def age(store: LocalStore, sha256: str) -> None:
    """Older than what a sweep leaves alone."""
    (path,) = store.folder.glob(f"*/{sha256}")
    then = time.time() - STRAY_AFTER.total_seconds() - 60
    os.utime(path, (then, then))


@pytest.fixture
def backup() -> Callable[..., Manifest]:
    """Makes one that names these files."""
    return lambda *files: Manifest("2026-03-01", "1", 18, 18, [], {}, {}, Stored("of its dump", 1), list(files))


def test_an_empty_store_is_nobody_s(store, backup) -> None:
    restoring._refuse_shared(backup())


def test_files_that_a_database_without_any_does_not_know_are_of_somebody_else(store, backup) -> None:
    store.put(io.BytesIO(b"of the original"))
    with pytest.raises(BackupRefused, match=r"holds files that this database does not know.*--same-store"):
        restoring._refuse_shared(backup())


def test_what_this_database_knows_is_its_own(store, backup) -> None:
    kept = store.put(io.BytesIO(b"ours"))
    Artifact.objects.create(sha256=kept.sha256, size=kept.size)
    age(store, kept.sha256)
    restoring._refuse_shared(backup())


def test_a_stray_file_of_a_moment_ago_is_its_own_too_and_an_old_one_is_not(store, backup) -> None:
    """An upload that was killed leaves a file, which a sweep of ours would have removed after a while."""
    ours, stray = store.put(io.BytesIO(b"ours")), store.put(io.BytesIO(b"whose"))
    Artifact.objects.create(sha256=ours.sha256, size=ours.size)
    restoring._refuse_shared(backup())
    age(store, stray.sha256)
    with pytest.raises(BackupRefused, match="holds files that this database does not know"):
        restoring._refuse_shared(backup())


def test_what_a_restore_that_did_not_end_has_brought_is_its_own(store, backup) -> None:
    """The same backup again, onto a database that is empty still."""
    made = backup(store.put(io.BytesIO(b"brought")))
    with pytest.raises(BackupRefused, match="holds files that this database does not know"):
        restoring._refuse_shared(made)  # it may be the original's: nothing says that this database has begun
    restoring._note(made)
    restoring._refuse_shared(made)
    store.put(io.BytesIO(b"of somebody else"))
    with pytest.raises(BackupRefused, match="holds files that this database does not know"):
        restoring._refuse_shared(made)


def test_that_of_another_backup_or_into_another_store_is_none(store, backup, tmp_path, monkeypatch) -> None:
    made = backup(store.put(io.BytesIO(b"brought")))
    restoring._note(replace(made, database=Stored("of Monday", 1)))
    with pytest.raises(BackupRefused):
        restoring._refuse_shared(made)
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "store", lambda: LocalStore(tmp_path / "another"))
        restoring._note(made)
    with pytest.raises(BackupRefused):
        restoring._refuse_shared(made)


def test_what_another_backup_brought_is_said(store, backup) -> None:
    """Of Monday, and nothing has been at work since that would have swept it."""
    both, gone = store.put(io.BytesIO(b"of both")), store.put(io.BytesIO(b"of Monday"))
    Artifact.objects.create(sha256=both.sha256, size=both.size)
    age(store, gone.sha256)
    with pytest.raises(BackupRefused, match="or an older backup was restored before: --same-store"):
        restoring._refuse_shared(backup(both))


def test_a_role_that_may_not_note_it_is_told_what_it_lacks(store, backup) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE a_guest; GRANT a_guest TO CURRENT_USER")
        cursor.execute("SET LOCAL ROLE a_guest")
    with pytest.raises(BackupRefused, match=r"permission denied for database .* owner of the database"), atomic():
        restoring._note(backup())
