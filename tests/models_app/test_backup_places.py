"""The last step of a backup: its manifest is written once, wherever it lies."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.stub import Stubber

from models_app.backup.errors import BackupRefused
from models_app.backup.places import FolderPlace, place_at
from models_app.storage import StoreFailed
from studio.embedded.ports import free_port

MANIFEST, ANOTHER = b'{"format": 1}', b'{"format": 2}'


class TestFolder:
    @pytest.fixture(params=["with links", "without links"])
    def place(self, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
        """On a file system of either kind."""
        if request.param == "without links":
            monkeypatch.setattr(os, "link", refuse_link)
        made = FolderPlace(tmp_path / "backup")
        made.prepare()
        return made

    def test_it_is_there_and_nothing_beside_it(self, place: FolderPlace) -> None:
        place.finish(MANIFEST)
        assert place.manifest() == MANIFEST
        assert [path.name for path in place.folder.iterdir()] == ["manifest.json"]

    def test_somebody_elses_stays(self, place: FolderPlace) -> None:
        place.finish(MANIFEST)
        with pytest.raises(BackupRefused, match="Somebody else finished a backup"):
            place.finish(ANOTHER)
        assert place.manifest() == MANIFEST

    def test_a_folder_that_cannot_be_written_to_is_said(self, place: FolderPlace) -> None:
        (place.folder / "manifest.json.new").mkdir()
        with pytest.raises(BackupRefused, match=r"cannot be written to .*: Is a directory"):
            place.finish(MANIFEST)


def refuse_link(source: Path, target: Path) -> None:
    raise PermissionError(1, "Operation not permitted")  # what FAT and SMB say


@pytest.mark.stack
class TestBucket:
    @pytest.fixture
    def place(self, s3_place):
        from models_app.backup.bucket import BucketPlace

        return BucketPlace(replace(s3_place, prefix="backups/monday"))

    def test_somebody_elses_stays(self, place) -> None:
        place.finish(MANIFEST)
        with pytest.raises(BackupRefused, match="Somebody else finished a backup"):
            place.finish(ANOTHER)
        assert place.manifest() == MANIFEST

    def test_ours_of_a_first_try_whose_answer_was_lost_is_no_failure(self, place) -> None:
        place.finish(MANIFEST)
        place.finish(MANIFEST)

    def test_a_server_that_knows_no_conditions_gets_it_without(self, place) -> None:
        with Stubber(place._client) as server:
            server.add_client_error("put_object", "NotImplemented", http_status_code=501)
            server.add_response("put_object", {})
            place.finish(MANIFEST)
            server.assert_no_pending_responses()


class TestRefusedByItsBucket:
    """In the words of the backup's own settings: those of the models' store may be right."""

    @pytest.fixture
    def at(self, s3_place, settings):
        settings.BACKUP_S3_ENDPOINT = s3_place.endpoint
        settings.BACKUP_S3_ACCESS_KEY_ID = s3_place.access_key
        settings.BACKUP_S3_SECRET_ACCESS_KEY = s3_place.secret_key
        return lambda bucket=s3_place.bucket: place_at(f"s3://{bucket}/backups/monday")

    def test_a_wrong_key(self, at, settings) -> None:
        settings.BACKUP_S3_SECRET_ACCESS_KEY = "that-of-another"
        with pytest.raises(StoreFailed, match=r"backup's store does not take .* PARLEY_BACKUP_S3_SECRET_ACCESS_KEY"):
            at().prepare()

    def test_a_bucket_that_is_missing(self, at) -> None:
        for ask in (at("nowhere").prepare, at("nowhere").parts.check):
            with pytest.raises(StoreFailed, match=r"bucket of the backup's store does not exist.*the name after s3://"):
                ask()

    def test_a_server_that_is_not_there(self, at, settings) -> None:
        settings.BACKUP_S3_ENDPOINT = f"http://127.0.0.1:{free_port()}"
        with pytest.raises(StoreFailed, match=r"backup's store cannot be reached: check PARLEY_BACKUP_S3_ENDPOINT"):
            at().prepare()

    def test_a_key_without_rights(self, at) -> None:
        """What Amazon answers to an account that may not list."""
        place = at()
        with Stubber(place._client) as stub:
            stub.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
            with pytest.raises(StoreFailed, match=r"key of the backup's store has not all rights .* list it"):
                place.prepare()
