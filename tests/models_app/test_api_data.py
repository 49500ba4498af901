"""Training data by API: what there is, what a save would change, saving, and who else saved meanwhile."""

import hashlib
import io
import zipfile

import pytest
from django.test import Client

from models_app.models import Assistant, Revision, TrainingJob
from models_app.services.revisions import files_of, newest_revision, save_revision
from studio.access.models import Role
from studio.access.permissions import Permission
from studio.access.services.grants import grant
from studio.access.services.roles import save_role
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.factories import make_person
from tests.models_app.programs import Program, multipart, program

DOMAIN = b'version: "3.1"\nintents:\n- greet\n'
NLU = b'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n'
STORIES = b'version: "3.1"\nstories:\n- story: hello\n  steps:\n  - intent: greet\n'
FILES = {"config.yml": b"pipeline: []\n", "data/nlu.yml": NLU, "data/stories.yml": STORIES, "domain.yml": DOMAIN}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(assistant: Assistant) -> Program:
    return program("admin")


def keep(assistant: Assistant, files: dict[str, bytes] | None = None, message: str = "Begin") -> Revision:
    newest = newest_revision(assistant)
    parent = newest.number if newest else None
    return save_revision(
        actor=None, assistant=assistant, files=files or FILES, message=message, parent_number=parent, author_label="ana"
    )


@pytest.fixture
def first(assistant: Assistant) -> Revision:
    return keep(assistant)


def person_with(*permissions: Permission) -> Program:
    save_role(actor=None, role=None, name="some", description="", permissions=frozenset(permissions))
    person = make_person(username="some")
    grant(actor=None, person=person, role=Role.objects.get(name="some"))
    return Program(person)


def zip_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return packed.getvalue()


def stored(assistant: Assistant) -> dict[str, bytes]:
    newest = newest_revision(assistant)
    return files_of(newest) if newest else {}


# --- Looking ------------------------------------------------------------------------------------------------------


def test_the_newest_data_is_named_file_by_file(admin: Program, first: Revision) -> None:
    assert admin.get("/data").json() == {
        "number": 1,
        "message": "Begin",
        "author": "ana",
        "created_at": first.created_at.timestamp(),
        "digest": bytes(first.digest).hex(),
        "files": [
            {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in sorted(FILES.items())
        ],
    }


def test_before_there_is_data_the_answer_is_empty(admin: Program) -> None:
    told = admin.get("/data").json()
    assert (told["number"], told["files"], told["created_at"]) == (None, [], None)
    assert admin.get("/data/revisions").json() == []
    archive = admin.get("/data/archive")
    assert zipfile.ZipFile(io.BytesIO(b"".join(archive.streaming_content))).namelist() == []
    for path in ("/data/revisions/1", "/data/files/a.yml", "/data?revision=1", "/data/revisions/1/changes"):
        assert admin.get(path).status_code == 404


def test_revisions_are_listed_and_looked_at(admin: Program, assistant: Assistant, first: Revision) -> None:
    keep(assistant, {**FILES, "domain.yml": DOMAIN + b"- bye\n", "new.yml": b"{}\n"}, "More")
    listed = admin.get("/data/revisions?limit=1")
    assert [(row["number"], row["message"]) for row in listed.json()] == [(2, "More")]
    assert (listed["X-Total-Count"], "next" in listed["Link"]) == ("2", True)
    assert len(admin.get("/data/revisions/1").json()["files"]) == 4
    assert len(admin.get("/data?revision=1").json()["files"]) == 4
    changed = [
        {"path": "domain.yml", "change": "changed", "lines_added": 1, "lines_removed": 0},
        {"path": "new.yml", "change": "added", "lines_added": 1, "lines_removed": 0},
    ]
    assert admin.get("/data/revisions/2/changes").json() == changed
    assert [row["change"] for row in admin.get("/data/revisions/1/changes?since=2").json()] == ["changed", "removed"]
    assert len(admin.get("/data/revisions/1/changes").json()) == 4


def test_a_file_comes_as_it_is_of_any_revision(admin: Program, assistant: Assistant, first: Revision) -> None:
    keep(assistant, {**FILES, "domain.yml": b"{}\n"})
    assert admin.get("/data/files/domain.yml").content == b"{}\n"
    old = admin.get("/data/files/domain.yml?revision=1")
    assert (old.content, old["Content-Type"]) == (DOMAIN, "application/octet-stream")
    assert admin.get("/data/files/domain.yml", If_None_Match=old["ETag"]).status_code == 200
    assert admin.get("/data/files/data/nlu.yml").content == NLU
    for path in ("/data/files/none.yml", "/data/files/domain.yml?revision=9"):
        assert admin.get(path).status_code == 404
    assert admin.get("/data/files/domain.yml?revision=x").status_code == 422


def test_the_zip_goes_there_and_back(admin: Program, assistant: Assistant, first: Revision) -> None:
    answer = admin.get("/data/archive")
    packed = b"".join(answer.streaming_content)
    assert (answer["Content-Type"], "cafe-revision-1.zip" in answer["Content-Disposition"]) == ("application/zip", True)
    again = admin.ask("POST", "/data/archive?base=1", packed, content_type="application/zip")
    assert (again.status_code, again.json()["changed"], again.json()["number"]) == (200, False, 1)


def test_of_files_that_one_may_not_see_there_is_nothing(first: Revision) -> None:
    reader = person_with(Permission.NLU_VIEW)
    paths = [row["path"] for row in reader.get("/data").json()["files"]]
    assert paths == ["config.yml", "data/nlu.yml", "domain.yml"]
    assert reader.get("/data/files/data/stories.yml").status_code == 404
    archive = zipfile.ZipFile(io.BytesIO(b"".join(reader.get("/data/archive").streaming_content)))
    assert not any("stories" in name for name in archive.namelist())
    assert "stories" not in reader.get("/data/revisions/1/changes").content.decode()
    tester = program("tester")
    for path in ("/data", "/data/revisions", "/data/archive", "/data/files/domain.yml"):
        assert tester.get(path).status_code == 403
        assert Client().get(f"/api/projects/cafe{path}").status_code == 401


# --- Saving -------------------------------------------------------------------------------------------------------


def test_a_first_project_is_saved(admin: Program, assistant: Assistant) -> None:
    files = {path: content.decode() for path, content in FILES.items()}
    answer = admin.post("/data/revisions", {"files": files, "message": "Begin"})
    assert (answer.status_code, answer["Location"]) == (201, "/api/projects/cafe/data/revisions/1")
    row = Revision.objects.get()
    assert answer.json() == {
        "number": 1,
        "message": "Begin",
        "author": admin.user.username,
        "created_at": row.created_at.timestamp(),
        "digest": bytes(row.digest).hex(),
        "changed": True,
        "on_top_of": None,
    }
    assert stored(assistant) == FILES
    assert AuditEvent.objects.get(action=Action.REVISION_CREATED).actor == admin.user


def test_single_files_change_and_others_stay(admin: Program, assistant: Assistant, first: Revision) -> None:
    files = {"domain.yml": "{}\n", "data/nlu.yml": None, "new.yml": "{}\n", "none.yml": None}
    assert admin.post("/data/revisions", {"base": 1, "files": files}).status_code == 201
    assert stored(assistant) == {
        "config.yml": FILES["config.yml"],
        "data/stories.yml": STORIES,
        "domain.yml": b"{}\n",
        "new.yml": b"{}\n",
    }


def test_a_whole_project_replaces_what_was_there(admin: Program, assistant: Assistant, first: Revision) -> None:
    body = {"base": 1, "files": {"domain.yml": DOMAIN.decode(), "config.yml": "pipeline: []\n"}, "replace": True}
    assert admin.post("/data/revisions", body).status_code == 201
    assert stored(assistant).keys() == {"domain.yml", "config.yml"}
    packed = zip_of({"bot/domain.yml": DOMAIN, "bot/config.yml": b"recipe: default.v1\n", "bot/.git/x.yml": b"x"})
    for number in (2, 3):
        answer = admin.ask("POST", f"/data/archive?base={number}&message=Zip", packed, content_type="application/zip")
        assert answer.json()["number"] == 3
    assert stored(assistant)["config.yml"] == b"recipe: default.v1\n"
    body, content_type = multipart(("project", "bot.zip", zip_of({"a/domain.yml": b"{}\n", "b.yml": b"{}\n"})))
    assert admin.ask("POST", "/data/archive?base=3", body, content_type=content_type).status_code == 201
    assert stored(assistant).keys() == {"a/domain.yml", "b.yml"}


def test_the_same_again_makes_no_revision(admin: Program, first: Revision) -> None:
    answer = admin.post("/data/revisions", {"base": 1, "files": {"domain.yml": DOMAIN.decode()}})
    assert (answer.status_code, answer.json()["changed"], Revision.objects.count()) == (200, False, 1)


def test_who_was_slower_is_told_the_number(admin: Program, assistant: Assistant, first: Revision) -> None:
    keep(assistant, {**FILES, "domain.yml": b"{}\n"})
    same = admin.post("/data/revisions", {"base": 1, "files": {"domain.yml": "slots: {}\n"}})
    assert (same.status_code, same.json()["reason"]) == (409, "NewerRevision")
    assert same.json()["details"] == {"newest": 2, "paths": ["domain.yml"]}
    other = {"base": 1, "files": {"config.yml": "policies: []\n"}}
    refused = admin.post("/data/revisions", other)
    assert (refused.status_code, refused.json()["details"]) == (409, {"newest": 2, "paths": []})
    without_base = admin.post("/data/revisions", {"files": {"config.yml": "policies: []\n"}})
    assert without_base.status_code == 409
    merged = admin.post("/data/revisions?merge=true", other)
    assert (merged.status_code, merged.json()["number"], merged.json()["on_top_of"]) == (201, 3, 2)
    assert stored(assistant)["domain.yml"] == b"{}\n"
    assert admin.post("/data/revisions?merge=true", {"base": 1, "files": {"domain.yml": "x: 1\n"}}).status_code == 409


def test_a_dry_run_tells_and_saves_nothing(admin: Program, first: Revision) -> None:
    files = {"domain.yml": "a: [", "data/nlu.yml": None, "new.yml": "{}\n", "config.yml": "pipeline: []\n"}
    answer = admin.post("/data/revisions?dry_run=true", {"base": 1, "files": files})
    assert answer.status_code == 200
    told = answer.json()
    (problem, *_more) = told.pop("problems")
    assert told == {
        "newest": 1,
        "added": ["new.yml"],
        "changed": ["domain.yml"],
        "removed": ["data/nlu.yml"],
        "missing": [],
    }
    assert (problem["path"], problem["severity"]) == ("domain.yml", "error")
    assert Revision.objects.count() == 1
    packed = zip_of({"domain.yml": DOMAIN, "x/y.yml": b"{}\n"})
    told = admin.ask("POST", "/data/archive?base=1&dry_run=1", packed, content_type="application/zip").json()
    assert (told["added"], told["changed"]) == (["x/y.yml"], [])
    assert told["removed"] == ["config.yml", "data/nlu.yml", "data/stories.yml"]
    assert Revision.objects.count() == 1


def test_each_kind_of_file_asks_for_its_right(assistant: Assistant, first: Revision) -> None:
    writer = person_with(Permission.NLU_VIEW, Permission.NLU_MODIFY)
    assert (
        writer.post(
            "/data/revisions", {"base": 1, "files": {"data/nlu.yml": NLU.decode() + "    - hello\n"}}
        ).status_code
        == 201
    )
    refused = writer.post("/data/revisions", {"base": 2, "files": {"data/stories.yml": "stories: []\n"}})
    assert refused.status_code == 403
    assert "stories" in refused.json()["message"].lower()
    told = writer.post("/data/revisions?dry_run=1", {"base": 2, "files": {"domain.yml": "{}\n"}}).json()
    assert told["missing"] == [Permission.STORIES_MODIFY]
    # A whole project of what one sees leaves alone what one does not see.
    packed = zip_of({"config.yml": FILES["config.yml"], "domain.yml": DOMAIN, "data/nlu.yml": NLU})
    assert writer.ask("POST", "/data/archive?base=2", packed, content_type="application/zip").status_code == 201
    assert stored(assistant)["data/stories.yml"] == STORIES
    assert program("tester").post("/data/revisions", {"files": {}}).status_code == 403


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"../up.yml": "x"},
        {"/etc/passwd.yml": "x"},
        {"a\0.yml": "x"},
        {"credentials.yml": "x"},
        {".hidden/x.yml": "x"},
        {"program.exe": "x"},
        {"domain.yml": "a: ["},
        {"domain.yml": "a: \0"},
        {"domain.yml/x.yml": "a: 1"},
        {"x" * 400 + ".yml": "a: 1"},
        {"a.yml": 3},
    ],
)
def test_files_that_cannot_be_are_refused_whole(admin: Program, assistant: Assistant, files) -> None:
    if files:
        keep(assistant)
    base = 1 if files else None
    answer = admin.post("/data/revisions", {"base": base, "files": files, "replace": not files})
    assert answer.status_code in {400, 422}
    assert Revision.objects.count() == (1 if files else 0)


def test_a_mistake_is_named_with_its_line(admin: Program, first: Revision) -> None:
    refused = admin.post("/data/revisions", {"base": 1, "files": {"domain.yml": "a: 1\nb: ["}})
    (problem, *_more) = refused.json()["details"]["problems"]
    assert (refused.json()["reason"], problem["path"]) == ("BadData", "domain.yml")
    assert problem["line"]


@pytest.mark.parametrize("body", [b"", b"no zip", zip_of({}), zip_of({"x.exe": b"x"}), zip_of({"../x.yml": b"x"})])
def test_a_body_that_is_no_project_is_refused(admin: Program, first: Revision, body) -> None:
    assert admin.ask("POST", "/data/archive?base=1", body, content_type="application/zip").status_code == 422
    assert Revision.objects.count() == 1


def test_a_base_that_there_is_not_is_said(admin: Program, first: Revision) -> None:
    for base in (7, -1, 10**30):
        assert admin.post("/data/revisions", {"base": base, "files": {"a.yml": "{}"}}).status_code == 422
    assert admin.post("/data/revisions", b'{"files": {"a.yml": "\\ud800"}}').status_code in {400, 422}


def test_returning_makes_the_old_data_the_newest(admin: Program, assistant: Assistant, first: Revision) -> None:
    keep(assistant, {"domain.yml": b"{}\n"})
    answer = admin.post("/data/revisions/1/restore")
    assert (answer.status_code, answer.json()["number"], answer.json()["message"]) == (201, 3, "Return to revision 1")
    assert stored(assistant) == FILES
    assert admin.post("/data/revisions/9/restore").status_code == 404
    assert person_with(Permission.NLU_VIEW, Permission.NLU_MODIFY).post("/data/revisions/2/restore").status_code == 403


def test_validation_is_asked_for_and_told(admin: Program, first: Revision) -> None:
    assert admin.get("/data/revisions/1/validation").json() == {
        "state": "none",
        "training": None,
        "errors": 0,
        "warnings": 0,
        "hidden": 0,
        "rasa_version": "",
        "finished_at": None,
        "findings": [],
    }
    asked = admin.post("/data/revisions/1/validate")
    assert (asked.status_code, asked.json()["kind"], asked["Location"]) == (
        202,
        "validation",
        "/api/projects/cafe/training/1",
    )
    assert admin.post("/data/revisions/1/validate").status_code == 409
    told = admin.get("/data/revisions/1/validation").json()
    assert (told["state"], told["training"]) == ("under-way", 1)
    assert person_with(Permission.NLU_VIEW).post("/data/revisions/1/validate").status_code == 403


def test_findings_are_told_with_file_and_line_to_who_may_see_the_file(
    admin: Program, assistant: Assistant, first: Revision, long_connected
) -> None:
    from models_app.data.check import Severity
    from models_app.services import training
    from models_app.services.validation import finish_validation
    from models_app.validation.meaning import Found
    from models_app.validation.places import Place

    admin.post("/data/revisions/1/validate")
    job = training.claim(worker="w", versions=["3.6.21"])
    assert job is not None
    found = Found(Severity.WARNING, "Odd.", "Mend it.", (Place("data/stories.yml", 3),))
    finish_validation(job, [found])
    told = admin.get("/data/revisions/1/validation").json()
    assert (told["state"], told["warnings"], told["hidden"]) == ("warning", 1, 0)
    assert told["findings"] == [
        {
            "severity": "warning",
            "message": "Odd.",
            "advice": "Mend it.",
            "places": [{"path": "data/stories.yml", "line": 3}],
        }
    ]
    told = person_with(Permission.NLU_VIEW).get("/data/revisions/1/validation").json()
    assert (told["findings"], told["hidden"]) == ([], 1)
    assert TrainingJob.objects.get().state == "done"
