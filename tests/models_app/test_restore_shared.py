"""Two installations over one artifact store would delete each other's models: `restore` sees it where it can be seen."""

import io
import os
import time
from pathlib import Path

import pytest

from models_app.backup import restoring
from models_app.backup.errors import BackupRefused
from models_app.models import Artifact
from models_app.services.artifacts import STRAY_AFTER
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


def test_an_empty_store_is_nobody_s(store) -> None:
    restoring._refuse_shared()


def test_files_that_a_database_without_any_does_not_know_are_of_somebody_else(store) -> None:
    store.put(io.BytesIO(b"of the original"))
    with pytest.raises(BackupRefused, match=r"holds files that this database does not know.*--same-store"):
        restoring._refuse_shared()


def test_what_this_database_knows_is_its_own(store) -> None:
    kept = store.put(io.BytesIO(b"ours"))
    Artifact.objects.create(sha256=kept.sha256, size=kept.size)
    age(store, kept.sha256)
    restoring._refuse_shared()


def test_a_stray_file_of_a_moment_ago_is_its_own_too_and_an_old_one_is_not(store) -> None:
    """An upload that was killed leaves a file, which a sweep of ours would have removed after a while."""
    ours, stray = store.put(io.BytesIO(b"ours")), store.put(io.BytesIO(b"whose"))
    Artifact.objects.create(sha256=ours.sha256, size=ours.size)
    restoring._refuse_shared()
    age(store, stray.sha256)
    with pytest.raises(BackupRefused, match="holds files that this database does not know"):
        restoring._refuse_shared()
