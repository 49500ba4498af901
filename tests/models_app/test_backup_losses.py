"""Which failures of a copy are a loss of the artifact store, and which end the backup."""

import errno
import io
from pathlib import Path

import pytest

from models_app.backup import making
from models_app.backup.places import FolderPlace
from models_app.storage import Staged, Stored, StoreFailed
from models_app.storage.local import LocalStore

CONTENT = b"a trained model" * 1000


class Broken(io.BytesIO):
    """A disk with a bad sector."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


class Unreadable(LocalStore):
    def open(self, sha256: str, start: int = 0) -> Broken:
        return Broken()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    made = LocalStore(tmp_path / "artifacts")
    monkeypatch.setattr(making, "store", lambda: made)
    return made


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    return FolderPlace(tmp_path / "backup")


def test_what_is_whole_is_copied(source: LocalStore, place: FolderPlace) -> None:
    kept = source.put(io.BytesIO(CONTENT))
    assert making._try(place, kept)
    with place.parts.open(kept.sha256) as file:
        assert file.read() == CONTENT


def test_what_is_missing_or_changed_in_the_store_is_its_loss(source: LocalStore, place: FolderPlace) -> None:
    kept = source.put(io.BytesIO(CONTENT))
    next(source.folder.glob(f"*/{kept.sha256}")).write_bytes(b"another")
    assert not making._try(place, kept)
    source.delete(kept.sha256)
    assert not making._try(place, kept)


def test_what_its_disk_does_not_give_out_too(source: LocalStore, place: FolderPlace, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(making, "store", lambda: Unreadable(tmp_path / "artifacts"))
    assert not making._try(place, Stored("ab" * 32, 9))


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), StoreFailed("Cut.", code="store-damaged")])
def test_what_the_place_of_the_backup_does_not_take_is_none(source, place, monkeypatch, error) -> None:
    kept = source.put(io.BytesIO(CONTENT))

    def refuse(staged: Staged) -> Stored:
        raise error

    monkeypatch.setattr(place.parts, "keep", refuse)
    with pytest.raises(type(error)):
        making._try(place, kept)
