"""The contract of every artifact store; a new backend joins by another parameter of `store`."""

import hashlib
import io
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from models_app.storage import ArtifactMissing, ArtifactStore, MovingStore, StoreFailed, StoreFull, TooLarge, staging
from models_app.storage.local import LocalStore
from models_app.storage.staging import SWEEP_AFTER_SECONDS

CONTENT = b"a trained model" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


BACKENDS = ["local", "moving", *(pytest.param(name, marks=pytest.mark.stack) for name in ("s3", "to s3", "from s3"))]


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    folder = LocalStore(tmp_path / "artifacts")
    if request.param == "local":
        return folder
    if request.param == "moving":
        return MovingStore(folder, LocalStore(tmp_path / "old"))
    from models_app.storage.s3 import S3Store

    place = replace(request.getfixturevalue("s3_place"), prefix="our/models")
    bucket = S3Store(place, tmp_path / "artifacts" / "incoming")
    return {"s3": bucket, "to s3": MovingStore(bucket, folder), "from s3": MovingStore(folder, bucket)}[request.param]


def test_what_was_put_can_be_read_from_any_place(store: ArtifactStore):
    stored = store.put(io.BytesIO(CONTENT))

    assert (stored.sha256, stored.size) == (SHA256, len(CONTENT))
    with store.open(SHA256) as whole, store.open(SHA256, start=14_000) as rest:
        assert whole.read() == CONTENT
        assert rest.read() == CONTENT[14_000:]
    assert store.exists(SHA256)
    assert store.size(SHA256) == len(CONTENT)


def test_a_file_is_read_in_pieces_of_any_size(store: ArtifactStore):
    store.put(io.BytesIO(CONTENT))
    with store.open(SHA256) as file:
        pieces = list(iter(partial(file.read, 4_321), b""))
    assert {len(piece) for piece in pieces[:-1]} == {4_321}
    assert b"".join(pieces) == CONTENT


@pytest.mark.parametrize("start", [len(CONTENT), len(CONTENT) + 10])
def test_after_the_end_there_is_nothing(store: ArtifactStore, start: int):
    store.put(io.BytesIO(CONTENT))
    with store.open(SHA256, start=start) as file:
        assert file.read(10) == b""


def test_no_bytes_are_bytes_too(store: ArtifactStore):
    stored = store.put(io.BytesIO(b""))
    with store.open(stored.sha256) as file:
        assert (file.read(), stored.size, store.size(stored.sha256)) == (b"", 0, 0)


def test_the_same_bytes_are_kept_once(store: ArtifactStore):
    assert store.put(io.BytesIO(CONTENT)) == store.put(io.BytesIO(CONTENT))
    assert list(store.older_than(datetime.now(UTC) + timedelta(seconds=5))) == [SHA256]


def test_bytes_that_are_put_again_are_young_again(store: ArtifactStore):
    """A date may have no more than whole seconds."""
    store.put(io.BytesIO(CONTENT))
    time.sleep(1.1)
    between = datetime.now(UTC)
    assert list(store.older_than(between)) == [SHA256]
    time.sleep(1.1)
    store.put(io.BytesIO(CONTENT))
    assert list(store.older_than(between)) == []


def test_a_store_that_works_has_nothing_to_say(store: ArtifactStore):
    store.check()


def test_a_folder_that_cannot_be_looked_at_is_said(tmp_path: Path):
    with pytest.raises(StoreFailed, match="check PARLEY_ARTIFACTS"):
        LocalStore(tmp_path / ("x" * 300) / "artifacts").check()


def test_what_is_not_there_is_always_the_same_error(store: ArtifactStore):
    for ask in (store.open, store.size):
        with pytest.raises(ArtifactMissing):
            ask(SHA256)
    assert not store.exists(SHA256)


def test_deleting_twice_is_no_error(store: ArtifactStore):
    store.put(io.BytesIO(CONTENT))
    store.delete(SHA256)
    store.delete(SHA256)
    assert not store.exists(SHA256)


def test_reading_stops_at_the_limit_and_keeps_nothing(store: ArtifactStore):
    endless = Endless()
    with pytest.raises(TooLarge, match=r"larger than the limit of 3 MB\."):
        store.put(endless, limit=3 * 1024**2)
    assert endless.given <= 4 * 1024**2
    assert list(store.older_than(datetime.now(UTC) + timedelta(seconds=5))) == []


def test_staged_bytes_that_nobody_keeps_are_gone(store: ArtifactStore):
    with store.stage(io.BytesIO(CONTENT)) as staged:
        assert staged.path.read_bytes() == CONTENT
        assert not store.exists(SHA256)
    assert not staged.path.exists()
    assert not store.exists(SHA256)


def test_staged_bytes_can_be_kept_again_after_a_deletion(store: ArtifactStore):
    with store.stage(io.BytesIO(CONTENT)) as staged:
        store.keep(staged)
        store.delete(SHA256)
        store.keep(staged)
    with store.open(SHA256) as file:
        assert file.read() == CONTENT


def test_a_folder_without_hard_links_keeps_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_paths: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    store = LocalStore(tmp_path)
    test_staged_bytes_can_be_kept_again_after_a_deletion(store)
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_source_that_breaks_leaves_nothing(store: ArtifactStore, tmp_path: Path):
    with pytest.raises(ConnectionResetError):
        store.put(Breaking())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_what_is_older_is_listed(store: ArtifactStore):
    store.put(io.BytesIO(CONTENT))
    assert list(store.older_than(datetime.now(UTC) - timedelta(hours=1))) == []


def test_sweeping_removes_what_a_killed_process_left_and_nothing_else(tmp_path: Path):
    store = LocalStore(tmp_path)
    stray = leave_behind(tmp_path)
    with store.stage(io.BytesIO(CONTENT)) as staged:
        make_old(stray, staged.path)
        assert store.sweep() == 1
        assert staged.path.exists()
    assert not stray.exists()


def test_a_young_temporary_file_is_left_alone(tmp_path: Path):
    stray = leave_behind(tmp_path)
    assert LocalStore(tmp_path).sweep() == 0
    assert stray.exists()


def test_a_full_disk_is_said_in_words(tmp_path: Path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(StoreFull, match="no room left"):
        staging._measure(io.BytesIO(CONTENT), full, tmp_path / "full", None, full.write)


def test_memory_stays_flat_whatever_the_size(tmp_path: Path):
    script = (
        "import resource; from pathlib import Path; from models_app.storage.local import LocalStore\n"
        "from tests.models_app.test_storage import Endless\n"
        f"LocalStore(Path({str(tmp_path)!r})).put(Endless(size=400 * 1024**2))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    small = script.replace("400 *", "1 *")
    peaks = [int(subprocess.check_output([sys.executable, "-c", text], text=True)) for text in (small, script)]
    assert peaks[1] - peaks[0] < 20  # MB


def leave_behind(folder: Path) -> Path:
    """The temporary file of a process that was killed in the middle of an upload."""
    script = (
        "import os; from pathlib import Path; from models_app.storage.local import LocalStore\n"
        "class Source:\n"
        "    def read(self, size):\n"
        "        os.kill(os.getpid(), 9)\n"
        f"LocalStore(Path({str(folder)!r})).put(Source())"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    (left,) = (folder / "incoming").iterdir()
    return left


def make_old(*paths: Path) -> None:
    then = time.time() - SWEEP_AFTER_SECONDS - 1
    for path in paths:
        os.utime(path, (then, then))


class Endless:
    """Gives zeros, for ever or up to `size`, and counts them."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.given = 0

    def read(self, size: int, /) -> bytes:
        if self.size is not None:
            size = min(size, self.size - self.given)
        self.given += size
        return bytes(size)


class Breaking:
    """Gives one piece, then the connection breaks."""

    def __init__(self) -> None:
        self.pieces = [b"x" * 10]

    def read(self, size: int, /) -> bytes:
        if not self.pieces:
            raise ConnectionResetError
        return self.pieces.pop()
