"""Uploads that go on after a cut."""

import errno
import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest
from django.test import Client

from models_app.models import Assistant, Model
from models_app.services import artifacts, uploads
from models_app.storage import StoreFailed
from studio.errors import Conflict
from studio.uploads import UploadCut
from studio.web import streaming
from tests.models_app.archives import model_archive
from tests.models_app.conftest import files_in
from tests.models_app.programs import Program, program

ARCHIVE = model_archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
WANTED = {"name": "otter.tar.gz", "size": len(ARCHIVE), "sha256": SHA256}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(assistant: Assistant) -> Program:
    return program("admin")


def begin(asking: Program, **changes: object) -> dict:
    return asking.post("/uploads", {**WANTED, **changes}).json()


def send(asking: Program, upload: dict, content: bytes, offset: int):
    path = upload["url"].removeprefix("/api/projects/cafe")
    return asking.ask("PATCH", path, content, content_type="application/gzip", Upload_Offset=str(offset))


def test_it_goes_on_where_it_broke_off_and_becomes_a_model(admin: Program, artifacts_dir: Path) -> None:
    first = admin.post("/uploads", WANTED)
    assert (first.status_code, first["Location"]) == (201, first.json()["url"])
    upload = first.json()
    assert {**WANTED, "offset": 0}.items() <= upload.items()
    part = send(admin, upload, ARCHIVE[:300], 0)
    assert (part.status_code, part.json()["offset"]) == (200, 300)
    again = begin(admin)  # the sender forgot everything
    assert again["offset"] == 300
    made = send(admin, again, ARCHIVE[300:], 300)
    assert (made.status_code, made.json()["model"], made.json()["hash"]) == (201, "otter", SHA256)
    assert Model.objects.get().artifact_id == SHA256
    assert files_in(artifacts_dir / "unfinished") == []


def test_a_sender_that_does_not_know_the_checksum_yet_says_a_key(admin: Program, artifacts_dir: Path) -> None:
    wanted = {"name": "otter.tar.gz", "size": len(ARCHIVE), "key": "otter as of noon"}
    upload = admin.post("/uploads", wanted).json()
    send(admin, upload, ARCHIVE[:300], 0)
    assert admin.post("/uploads", {**wanted, "key": "otter as of one"}).json()["offset"] == 0
    again = admin.post("/uploads", wanted).json()
    assert (again["offset"], again["sha256"]) == (300, "")
    made = send(admin, again, ARCHIVE[300:], 300)
    assert (made.status_code, made.json()["hash"]) == (201, SHA256)
    lost = send(admin, again, b"", len(ARCHIVE))
    assert (lost.status_code, lost.json()["hash"]) == (200, SHA256)
    assert files_in(artifacts_dir / "unfinished") == []
    refused = admin.post("/uploads", {"name": "otter.tar.gz", "size": 5})
    assert (refused.status_code, "key" in refused.json()["message"]) == (422, True)


class _Cut:
    """Some bytes, and then the connection is gone."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        if piece := self._content.read(size):
            return piece
        raise UploadCut


def test_what_came_of_a_whole_file_before_a_cut_stays(admin: Program, assistant: Assistant) -> None:
    upload = uploads.begin_upload(
        actor=admin.user, assistant=assistant, file_name="otter.tar.gz", size=len(ARCHIVE), sha256=SHA256
    )
    with pytest.raises(UploadCut):
        uploads.receive(
            actor=admin.user, assistant=assistant, upload=upload, source=_Cut(ARCHIVE[:300]), offset=0, whole=True
        )
    assert not Model.objects.exists()
    assert (upload.offset, begin(admin)["offset"]) == (300, 300)
    assert send(admin, begin(admin), ARCHIVE[300:], 300).status_code == 201


def test_who_lost_the_answer_to_the_last_byte_gets_it_again(admin: Program, artifacts_dir: Path) -> None:
    upload = begin(admin)
    assert send(admin, upload, ARCHIVE, 0).status_code == 201
    path = upload["url"].removeprefix("/api/projects/cafe")
    assert admin.get(path).json()["offset"] == begin(admin)["offset"] == len(ARCHIVE)
    again = send(admin, upload, b"", len(ARCHIVE))
    assert (again.status_code, again.json()["model"]) == (200, "otter")
    assert files_in(artifacts_dir / "unfinished") == []


def test_what_another_request_brings_is_busy_and_stays(admin: Program) -> None:
    upload = begin(admin)
    send(admin, upload, ARCHIVE[:300], 0)
    mine = uploads.begin_upload(
        actor=admin.user, assistant=Assistant.objects.get(), file_name="otter.tar.gz", size=len(ARCHIVE), sha256=SHA256
    )
    with uploads._held(mine):
        assert send(admin, upload, ARCHIVE[300:], 300).json()["reason"] == "Busy"
        assert admin.delete(upload["url"].removeprefix("/api/projects/cafe")).json()["reason"] == "Busy"
    assert send(admin, upload, ARCHIVE[300:], 300).status_code == 201


def test_a_file_that_has_become_a_model_is_written_no_more(admin: Program) -> None:
    """Somebody who opened it before it was finished, and comes to hold it afterwards."""
    upload = uploads.begin_upload(
        actor=admin.user, assistant=Assistant.objects.get(), file_name="otter.tar.gz", size=len(ARCHIVE), sha256=SHA256
    )
    opened = Path.open

    def slow(path: Path, *arguments, **options):
        file = opened(path, *arguments, **options)
        if path == upload.path:
            upload.path.unlink()
        return file

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Conflict):
        patch.setattr(Path, "open", slow)
        with uploads._held(upload):
            pass


def test_the_file_is_kept_without_a_copy(admin: Program, artifacts_dir: Path) -> None:
    upload = begin(admin)
    send(admin, upload, ARCHIVE[:300], 0)
    (file,) = files_in(artifacts_dir / "unfinished")
    number = file.stat().st_ino
    send(admin, upload, ARCHIVE[300:], 300)
    assert (artifacts_dir / SHA256[:2] / SHA256).stat().st_ino == number


def test_a_full_disk_is_said_and_keeps_what_arrived(admin: Program, monkeypatch) -> None:
    upload = begin(admin)
    send(admin, upload, ARCHIVE[:300], 0)

    def full(_file: object, _piece: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_write", full)
        refused = send(admin, upload, ARCHIVE[300:], 300)
        assert (refused.status_code, refused.json()["reason"]) == (503, "StoreFull")
    assert send(admin, upload, ARCHIVE[300:], 300).status_code == 201


def test_only_so_many_files_are_on_their_way_at_once(admin: Program, monkeypatch) -> None:
    upload = begin(admin)
    monkeypatch.setattr(streaming, "_transfers", threading.BoundedSemaphore(1))
    with streaming.transferring():
        refused = send(admin, upload, ARCHIVE, 0)
    assert (refused.status_code, refused.json()["reason"], refused["Retry-After"]) == (503, "Busy", "5")
    assert send(admin, upload, ARCHIVE, 0).status_code == 201


def test_another_offset_is_refused_with_the_right_one(admin: Program) -> None:
    upload = begin(admin)
    send(admin, upload, ARCHIVE[:300], 0)
    for offset in (0, 299, 301):
        refused = send(admin, upload, ARCHIVE[offset:], offset)
        assert (refused.status_code, refused.json()["details"]) == (409, {"offset": 300})
    assert send(admin, upload, ARCHIVE, -1).status_code == 409
    path = upload["url"].removeprefix("/api/projects/cafe")
    assert admin.ask("PATCH", path, ARCHIVE).status_code == 422
    assert admin.get(path).json()["offset"] == 300


def test_the_same_model_again_is_200_and_another_of_its_name_409(admin: Program, artifacts_dir: Path) -> None:
    assert send(admin, begin(admin), ARCHIVE, 0).status_code == 201
    assert send(admin, begin(admin), ARCHIVE, 0).status_code == 200
    other = model_archive(language="de")
    upload = begin(admin, size=len(other), sha256=hashlib.sha256(other).hexdigest())
    assert send(admin, upload, other, 0).status_code == 409
    assert files_in(artifacts_dir / "unfinished") == []


def test_what_is_not_what_was_announced_is_thrown_away(admin: Program, artifacts_dir: Path) -> None:
    upload = begin(admin, sha256="0" * 64)
    assert send(admin, upload, ARCHIVE, 0).json()["reason"] == "Checksum"
    more = send(admin, begin(admin, size=10), ARCHIVE, 0)
    assert (more.status_code, more.json()["reason"]) == (413, "TooLarge")
    assert not Model.objects.exists()
    assert all(path.stat().st_size == 0 for path in files_in(artifacts_dir / "unfinished"))


def test_a_store_that_is_away_costs_no_second_sending(admin: Program, monkeypatch) -> None:
    upload = begin(admin)

    def away(_staged: object) -> None:
        raise StoreFailed("It does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "kept", away)
        assert send(admin, upload, ARCHIVE, 0).status_code == 503
    assert send(admin, upload, b"", len(ARCHIVE)).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [{"name": "otter.zip"}, {"name": "tags.tar.gz"}, {"size": 0}, {"size": 10**30}, {"sha256": "x"}, {"name": None}],
)
def test_what_cannot_become_a_model_is_not_begun(admin: Program, wrong: dict[str, object]) -> None:
    assert admin.post("/uploads", {**WANTED, **wrong}).status_code == 422


def test_more_than_the_limit_is_not_begun(admin: Program, settings) -> None:
    settings.MAX_MODEL_BYTES = 100
    assert admin.post("/uploads", WANTED).status_code == 413


def test_an_upload_is_its_senders_alone(admin: Program) -> None:
    upload = begin(admin)
    path = upload["url"].removeprefix("/api/projects/cafe")
    other = program("admin")
    assert other.get(path).status_code == 404
    assert send(other, upload, ARCHIVE, 0).status_code == 404
    assert other.delete(path).status_code == 404
    assert program("annotator").post("/uploads", WANTED).status_code == 403
    assert Client().post("/api/projects/cafe/uploads").status_code == 401
    assert admin.get("/uploads/none").status_code == 404


def test_giving_up_and_a_day_remove_what_arrived(admin: Program, artifacts_dir: Path) -> None:
    upload = begin(admin)
    send(admin, upload, ARCHIVE[:300], 0)
    assert admin.delete(upload["url"].removeprefix("/api/projects/cafe")).status_code == 204
    assert files_in(artifacts_dir / "unfinished") == []
    send(admin, upload, ARCHIVE[:300], 0)
    assert uploads.sweep() == 0
    (file,) = files_in(artifacts_dir / "unfinished")
    then = time.time() - 25 * 3600
    os.utime(file, (then, then))
    assert uploads.sweep() == 1
    assert files_in(artifacts_dir / "unfinished") == []
