"""Models by API, as Rasa Enterprise's scripts know them, and what is beside."""

import hashlib

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from models_app.models import Artifact, Assistant, Model
from models_app.services.revisions import save_revision
from models_app.services.tags import set_tag
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.rasa.services import current_runtime
from tests.factories import make_assistant, make_model
from tests.models_app.archives import METADATA, model_archive, packed
from tests.models_app.conftest import files_in
from tests.models_app.programs import Program, multipart, program

ARCHIVE = model_archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
KEYS = {"version", "status", "message", "reason", "details", "help", "code"}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(assistant: Assistant) -> Program:
    return program("admin")


def send(asking: Program, content: bytes = ARCHIVE, name: str = "otter.tar.gz", **headers: str):
    body, content_type = multipart(("model", name, content))
    return asking.ask("POST", "/models", body, content_type=content_type, **headers)


# --- Uploading ----------------------------------------------------------------------------------------------------


def test_what_curl_sends_is_a_model(admin: Program) -> None:
    answer = send(admin)
    assert answer.status_code == 201
    made = Model.objects.get()
    assert answer.json() == {
        "model": "otter",
        "hash": SHA256,
        "trained_at": 1740824430.5,
        "version": "3.6.21",
        "tags": [],
        "is_compatible": True,
        "size": len(ARCHIVE),
        "origin": "uploaded",
        "revision": None,
        "training": None,
        "created_at": made.created_at.timestamp(),
        "created_by": admin.user.username,
        "kept": None,
        "warnings": [],
    }
    event = AuditEvent.objects.get(action=Action.MODEL_ADDED)
    assert (event.actor, event.after["sha256"]) == (admin.user, SHA256)


def test_other_fields_before_and_after_do_no_harm(admin: Program) -> None:
    parts = ("note", None, b"x"), ("model", "C:\\models\\otter.tar.gz", ARCHIVE), ("more", None, b"\r\n--y")
    body, content_type = multipart(*parts)
    assert admin.ask("POST", "/models", body, content_type=content_type).status_code == 201
    assert Model.objects.get().artifact_id == SHA256


def test_bytes_that_look_like_the_boundary_stay_what_they_are(admin: Program) -> None:
    tricky = model_archive(("notes.txt", b"\r\n--\r\n-----parle\r\n------parley-x\r\n"))
    assert send(admin, tricky).json()["hash"] == hashlib.sha256(tricky).hexdigest()


def test_a_name_is_taken_also_by_the_same_bytes(admin: Program) -> None:
    assert send(admin).status_code == 201
    for content in (ARCHIVE, model_archive(language="de")):
        answer = send(admin, content)
        assert (answer.status_code, answer.json()["reason"]) == (409, "NameTaken")
    assert Model.objects.count() == 1


def test_who_tells_the_checksum_may_send_the_same_again(admin: Program) -> None:
    first, again = send(admin, X_Checksum_SHA256=SHA256), send(admin, X_Checksum_SHA256=SHA256)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = model_archive(language="de")
    assert send(admin, other, X_Checksum_SHA256=hashlib.sha256(other).hexdigest()).status_code == 409
    damaged = send(admin, other, "other.tar.gz", X_Checksum_SHA256=SHA256)
    assert (damaged.status_code, damaged.json()["reason"]) == (422, "Checksum")


def test_without_the_part_there_is_no_model(admin: Program) -> None:
    body, content_type = multipart(("file", "otter.tar.gz", ARCHIVE))
    for given in ((body, content_type), (b"", content_type), (b"{}", "application/json"), (b"", "text/plain")):
        answer = admin.ask("POST", "/models", given[0], content_type=given[1])
        assert (answer.status_code, answer.json()["reason"]) == (404, "ModelSaveError")
        assert answer.json().keys() == KEYS


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"not multipart at all", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n", "multipart/form-data"),
        (multipart(("model", "otter.tar.gz", ARCHIVE))[0][:-30], "multipart/form-data; boundary=----parley"),
        (multipart(("model", "otter.zip", ARCHIVE))[0], "multipart/form-data; boundary=----parley"),
        (multipart(("model", None, ARCHIVE))[0], "multipart/form-data; boundary=----parley"),
        (multipart(("model", "jobs.tar.gz", ARCHIVE))[0], "multipart/form-data; boundary=----parley"),
        (multipart(("model", "otter.tar.gz", b"PK"))[0], "multipart/form-data; boundary=----parley"),
        (multipart(("model", "otter.tar.gz", b""))[0], "multipart/form-data; boundary=----parley"),
        (multipart(("note", None, bytes(2_000_000)))[0], "multipart/form-data; boundary=----parley"),
    ],
)
def test_a_body_that_brings_no_model_leaves_nothing(admin: Program, artifacts_dir, body, content_type) -> None:
    answer = admin.ask("POST", "/models", body, content_type=content_type)
    assert answer.status_code == 422
    assert answer.json().keys() == KEYS
    assert files_in(artifacts_dir) == []
    assert not Model.objects.exists()
    assert not Artifact.objects.exists()


def test_the_file_alone_may_be_the_body(admin: Program) -> None:
    gzip = {"content_type": "application/gzip"}
    assert admin.ask("POST", "/models?name=a.tar.gz", ARCHIVE, **gzip).json()["model"] == "a"
    named = admin.ask("POST", "/models", ARCHIVE, **gzip, Content_Disposition='attachment; filename="b.tar.gz"')
    assert named.json()["model"] == "b"
    put = admin.ask("PUT", "/models/c", ARCHIVE, **gzip)
    again = admin.ask("PUT", "/models/c", ARCHIVE, **gzip)
    assert (put.status_code, again.status_code, again.json()["model"]) == (201, 200, "c")
    assert admin.ask("PUT", "/models/c", model_archive(language="de"), **gzip).status_code == 409


def test_what_is_too_large_is_said_as_that(admin: Program, settings) -> None:
    settings.MAX_MODEL_BYTES = 100
    answer = send(admin, model_archive())
    assert (answer.status_code, answer.json()["reason"], answer.json()["details"]) == (413, "TooLarge", {"limit": 100})
    assert admin.ask("PUT", "/models/c", ARCHIVE, content_type="application/gzip").status_code == 413


def test_who_may_only_look_uploads_and_deletes_nothing(assistant: Assistant) -> None:
    annotator, tester = program("annotator"), program("tester")
    make_model(assistant, "otter")
    assert send(annotator).status_code == 403
    assert annotator.ask("PUT", "/models/x", ARCHIVE).status_code == 403
    assert annotator.delete("/models/otter").status_code == 403
    assert annotator.put("/models/otter/keep", {}).status_code == 403
    assert tester.get("/models").status_code == 403
    assert tester.get("/models/otter").status_code == 404
    assert Client().get("/api/projects/cafe/models").status_code == 401


def test_of_an_assistant_that_one_may_not_see_there_is_nothing(assistant: Assistant) -> None:
    stranger = program("admin", Scope(make_assistant("inn").pk))
    make_model(assistant, "otter")
    for method, path in (
        ("GET", "/models"),
        ("POST", "/models"),
        ("GET", "/models/otter"),
        ("DELETE", "/models/otter"),
    ):
        assert stranger.ask(method, path).status_code == 404


# --- The list -----------------------------------------------------------------------------------------------------


def test_the_list_has_the_newest_first_and_says_how_many(admin: Program, assistant: Assistant) -> None:
    models = [make_model(assistant, f"m{number}") for number in range(5)]
    set_tag(actor=None, model=models[1], name="ready")
    answer = admin.get("/models?limit=2&offset=1")
    assert [row["model"] for row in answer.json()] == ["m3", "m2"]
    assert answer["X-Total-Count"] == "5"
    tagged = admin.get("/models?tag=ready")
    assert [(row["model"], row["tags"]) for row in tagged.json()] == [("m1", ["ready"])]
    assert tagged["X-Total-Count"] == "1"
    assert admin.get("/models?tag=none").json() == []
    assert [row["model"] for row in admin.get("/models?name=M4").json()] == ["m4"]


def test_the_list_asks_the_database_as_often_for_many(admin: Program, assistant: Assistant) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert admin.get("/models").status_code == 200
        return len(asked)

    make_model(assistant)
    queries()
    few = queries()
    revision = save_revision(
        actor=None, assistant=assistant, files={"domain.yml": b"{}\n"}, message="", parent_number=None
    )
    for number in range(5):
        set_tag(actor=None, model=make_model(assistant), name=f"t{number}")
    Model.objects.update(revision=revision)
    assert queries() == few


def test_a_model_that_the_assistants_rasa_refuses_is_not_compatible(admin: Program, assistant: Assistant) -> None:
    row = current_runtime()
    row.minimum_compatible_version = "3.5.0"
    row.save()
    make_model(assistant, "old", model_archive(rasa_open_source_version="3.4.0"))
    make_model(assistant, "new")
    make_model(assistant, "odd", model_archive(rasa_open_source_version="own build"))
    told = {row["model"]: row["is_compatible"] for row in admin.get("/models").json()}
    assert told == {"old": False, "new": True, "odd": True}


# --- One model ----------------------------------------------------------------------------------------------------


def test_the_archive_comes_back_as_it_was_sent(admin: Program) -> None:
    send(admin)
    answer = admin.get("/models/otter")
    assert b"".join(answer.streaming_content) == ARCHIVE
    assert (answer["ETag"], answer["X-Checksum-SHA256"]) == (f'"{SHA256}"', SHA256)
    assert (answer["Content-Type"], answer["Content-Length"]) == ("application/gzip", str(len(ARCHIVE)))
    part = admin.get("/models/otter", Range="bytes=100-")
    assert (part.status_code, b"".join(part.streaming_content)) == (206, ARCHIVE[100:])
    head = admin.ask("HEAD", "/models/otter")
    assert (head.status_code, head["Content-Length"], head.content) == (200, str(len(ARCHIVE)), b"")


def test_who_has_it_already_gets_nothing_and_holds_no_place(admin: Program, settings) -> None:
    send(admin)
    for _ in range(settings.TRANSFERS + 2):
        assert admin.get("/models/otter", If_None_Match=f'W/"{SHA256}"').status_code == 304
        assert admin.get("/models/otter", If_Match='"other"').json()["code"] == 412
    assert b"".join(admin.get("/models/otter").streaming_content) == ARCHIVE


def test_a_range_beyond_the_end_is_a_failure_of_our_shape(admin: Program) -> None:
    send(admin)
    answer = admin.get("/models/otter", Range="bytes=9999999-")
    assert (answer.status_code, answer.json().keys()) == (416, KEYS)
    assert answer["Content-Range"] == f"bytes */{len(ARCHIVE)}"


def test_a_model_whose_file_is_gone_is_no_empty_archive(admin: Program, artifacts_dir) -> None:
    send(admin)
    for path in files_in(artifacts_dir):
        path.unlink()
    for method in ("GET", "HEAD"):
        assert admin.ask(method, "/models/otter").status_code == 503
    assert admin.get("/models/otter").json()["reason"] == "ArtifactMissing"
    assert admin.get("/models/none").status_code == 404


def test_about_tells_what_is_known_of_a_model(admin: Program, assistant: Assistant) -> None:
    model = make_model(assistant, "otter")
    set_tag(actor=None, model=model, name="ready")
    told = admin.get("/models/otter/about").json()
    assert told["assistant_id"] == METADATA["assistant_id"]
    assert told["cannot_be_deleted"] == "tagged ready"
    assert "greet" in told["domain"]["intents"]


def test_deleting_answers_nothing_and_is_told_why_not(admin: Program, assistant: Assistant) -> None:
    set_tag(actor=None, model=make_model(assistant, "tagged"), name="ready")
    refused = admin.delete("/models/tagged")
    assert (refused.status_code, refused.json()["reason"]) == (409, "InUse")
    assert "tagged ready" in refused.json()["message"]
    make_model(assistant, "free")
    assert (admin.delete("/models/free").status_code, admin.delete("/models/free").status_code) == (204, 404)
    assert AuditEvent.objects.get(action=Action.MODEL_DELETED).actor == admin.user


def test_the_mark_keeps_a_model(admin: Program, assistant: Assistant) -> None:
    make_model(assistant, "otter")
    assert admin.put("/models/otter/keep", {"reason": "the fair"}).status_code == 204
    assert admin.get("/models").json()[0]["kept"] == f"kept by {admin.user.username}: the fair"
    assert admin.delete("/models/otter").status_code == 409
    assert admin.delete("/models/otter/keep").status_code == 204
    assert admin.delete("/models/otter").status_code == 204


def test_a_nul_in_a_word_is_refused(admin: Program, assistant: Assistant) -> None:
    make_model(assistant, "otter")
    assert admin.put("/models/otter/keep", {"reason": "a\0b"}).status_code in {400, 422}
    assert admin.put("/models/otter/keep", b'{"reason": "\\ud800"}').status_code in {400, 422}


def test_an_archive_without_metadata_is_refused(admin: Program) -> None:
    assert send(admin, packed(("components/x.json", b"{}"))).json()["reason"] == "Archive"
