"""Uploading through the address the browser uses. Every bad file: one clear sentence, no row, no file left behind."""

import hashlib
import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from models_app.models import Artifact, Assistant, Model
from tests.factories import make_assistant, make_model, make_person
from tests.models_app.archives import gzip_bomb, link, model_archive, packed
from tests.models_app.conftest import files_in

ARCHIVE = model_archive()
ADDRESS = "/a/cafe/models/upload/"


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin"))
    return client


def put(client: Client, content: bytes, name: str = "otter.tar.gz", **more: Any) -> Any:
    return client.put(ADDRESS + name, content, content_type="application/octet-stream", **more)


def test_an_upload_answers_with_the_models_address(admin: Client):
    response = put(admin, ARCHIVE, "brisk-otter.tar.gz")
    assert response.status_code == 201
    assert response.json() == {
        "name": "brisk-otter",
        "url": "/a/cafe/models/brisk-otter",
        "existed": False,
        "warnings": [],
    }


def test_the_same_file_again_shows_the_existing_model(admin: Client):
    put(admin, ARCHIVE)
    response = put(admin, ARCHIVE)
    assert response.status_code == 200
    assert response.json()["existed"] is True


def test_another_assistant_id_is_said_at_once(admin: Client):
    put(admin, ARCHIVE)
    response = put(admin, model_archive(assistant_id="hotel"), "second.tar.gz")
    assert "trained for another assistant" in response.json()["warnings"][0]


BAD = {
    "not a gzip": (b"PK\x03\x04 a zip file of some kind" * 50, "gzip"),
    "truncated": (
        model_archive(("big.bin", bytes(range(256)) * 4000))[:-900],
        "truncated|ends too early|incomplete|cut",
    ),
    "no metadata": (packed(("components/x.json", b"{}")), "no metadata.json"),
    "not JSON": (packed(("metadata.json", b"{not json")), "not valid JSON"),
    "not an object": (packed(("metadata.json", b"[1]")), "not a JSON object"),
    "climbs out": (model_archive(("../../etc/cron.d/x", b"x")), r"\.\./\.\./etc/cron\.d/x"),
    "absolute path": (model_archive(("/etc/passwd", b"x")), "/etc/passwd"),
    "symbolic link": (model_archive(link("latest", "/etc/passwd")), "link"),
    "hard link": (model_archive(link("latest", "metadata.json", tarfile.LNKTYPE)), "link"),
    "gzip bomb": (gzip_bomb(400 * 1024**2), "unpacks|larger|bomb"),
    "empty": (b"", "empty"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_gets_one_clear_sentence_and_leaves_nothing(
    admin: Client, artifacts_dir: Path, content: bytes, words: str
):
    response = put(admin, content)
    assert response.status_code == 422
    message = response.json()["message"]
    assert re.search(words, message), message
    assert message.endswith(".")
    assert_nothing_left(artifacts_dir)


def test_a_file_over_the_limit_is_refused_by_its_announced_length(admin: Client, artifacts_dir: Path, settings: Any):
    settings.MAX_MODEL_BYTES = len(ARCHIVE) - 1
    response = put(admin, ARCHIVE)
    assert response.status_code == 413
    assert "larger than the limit of" in response.json()["message"]
    assert_nothing_left(artifacts_dir)


def test_a_name_taken_by_other_bytes_asks_for_another(admin: Client, artifacts_dir: Path):
    put(admin, ARCHIVE)
    response = put(admin, model_archive(language="de"))
    assert response.status_code == 409
    assert (
        response.json()["message"] == "There is already another model called otter. Choose another name for this file."
    )
    assert len(files_in(artifacts_dir)) == 1


@pytest.mark.parametrize("name", ["tags.tar.gz", "model.zip", "a%20b.tar.gz"])
def test_a_bad_name_is_refused(admin: Client, artifacts_dir: Path, name: str):
    response = put(admin, ARCHIVE, name)
    assert response.status_code == 422
    assert_nothing_left(artifacts_dir)


def test_a_connection_cut_in_the_middle_leaves_nothing(admin: Client, artifacts_dir: Path):
    response = admin.generic(
        "PUT",
        ADDRESS + "otter.tar.gz",
        **{"wsgi.input": io.BytesIO(ARCHIVE[:300]), "CONTENT_LENGTH": str(len(ARCHIVE))},
    )
    assert response.status_code == 422
    assert response.json()["code"] == "upload-cut"
    assert_nothing_left(artifacts_dir)


def test_a_chunked_body_without_a_length_is_read_to_its_end(admin: Client):
    response = admin.generic(
        "PUT",
        ADDRESS + "otter.tar.gz",
        **{"wsgi.input": io.BytesIO(ARCHIVE), "CONTENT_LENGTH": "", "wsgi.input_terminated": True},
    )
    assert response.status_code == 201
    assert Artifact.objects.get().sha256 == hashlib.sha256(ARCHIVE).hexdigest()


def test_a_chunked_body_over_the_limit_is_refused_while_reading(admin: Client, artifacts_dir: Path, settings: Any):
    settings.MAX_MODEL_BYTES = 100
    response = admin.generic(
        "PUT",
        ADDRESS + "otter.tar.gz",
        **{"wsgi.input": io.BytesIO(ARCHIVE), "CONTENT_LENGTH": "", "wsgi.input_terminated": True},
    )
    assert response.status_code == 413
    assert_nothing_left(artifacts_dir)


def test_it_needs_the_csrf_token(assistant: Assistant):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_person("admin"))
    assert put(client, ARCHIVE).status_code == 403


def test_who_may_only_view_models_uploads_none(client: Client, assistant: Assistant):
    client.force_login(make_person("annotator"))
    assert put(client, ARCHIVE).status_code == 403
    assert client.get(ADDRESS).status_code == 403


def test_the_model_called_upload_has_its_pages(admin: Client, assistant: Assistant):
    make_model(assistant, "upload")
    for page in ("", "/tags", "/delete", "/compare", "/download"):
        response = admin.get(f"/a/cafe/models/upload{page}")
        assert response.status_code == 200
        if response.streaming:
            assert b"".join(response.streaming_content).startswith(b"\x1f\x8b")


def test_a_model_is_downloaded_with_its_name_and_checksum(admin: Client, assistant: Assistant):
    model = make_model(assistant, "otter", ARCHIVE)
    response = admin.get("/a/cafe/models/otter/download")
    assert b"".join(response.streaming_content) == ARCHIVE
    assert response["Content-Disposition"] == 'attachment; filename="otter.tar.gz"'
    assert response["X-Checksum-SHA256"] == model.artifact_id
    assert response["Content-Length"] == str(len(ARCHIVE))


def test_a_broken_download_resumes_where_it_ended(admin: Client, assistant: Assistant):
    make_model(assistant, "otter", ARCHIVE)
    response = admin.get("/a/cafe/models/otter/download", headers={"Range": "bytes=100-"})
    assert response.status_code == 206
    assert b"".join(response.streaming_content) == ARCHIVE[100:]


def test_models_of_an_assistant_one_may_not_see_do_not_exist(client: Client, assistant: Assistant):
    from studio.access.permissions import Scope

    make_model(assistant, "otter")
    client.force_login(make_person("admin", Scope(make_assistant().pk)))
    for page in ("", "/download", "/tags", "/delete", "/compare"):
        assert client.get(f"/a/cafe/models/otter{page}").status_code == 404


def assert_nothing_left(folder: Path) -> None:
    assert files_in(folder) == []
    assert not Model.objects.exists()
    assert not Artifact.objects.exists()


@pytest.mark.parametrize("name", ["nul\0", "surrogate\ud800"])
def test_names_that_postgresql_does_not_take_are_no_server_error(admin: Client, name: str):
    response = put(admin, model_archive(domain={"intents": [name]}, language=name))
    assert response.status_code == 201
    assert Model.objects.get().domain["intents"]
