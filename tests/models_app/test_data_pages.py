"""The pages of training data: what they show, and that nothing typed is ever lost."""

import io
import zipfile
from typing import Any

import pytest
from django.test import Client

from models_app.models import Assistant, Revision
from models_app.services import training
from models_app.services.revisions import files_of, newest_revision, save_revision
from studio.access.models import Grant, Role
from studio.access.permissions import Permission
from tests.factories import make_assistant, make_model, make_person

DATA = "/a/cafe/data/"
NLU = b'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n'
FILES = {
    "config.yml": b"recipe: default.v1\npipeline:\n- name: WhitespaceTokenizer\npolicies:\n- name: RulePolicy\n",
    "domain.yml": b'version: "3.1"\nintents:\n- greet\nresponses:\n  utter_greet:\n  - text: Hello!\n',
    "data/nlu.yml": NLU,
    "data/rules.yml": b'version: "3.1"\nrules:\n- rule: greet\n  steps:\n  - intent: greet\n  - action: utter_greet\n',
    "my_parts/shout.py": b"class Shout:\n    pass\n",
}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def revision(assistant: Assistant) -> Revision:
    return save_revision(actor=None, assistant=assistant, files=dict(FILES), message="Begin", parent_number=None)


@pytest.fixture
def admin(client: Client, revision: Revision) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


def person_with(*permissions: Permission) -> Any:
    person = make_person()
    role = Role.objects.create(name="some", permissions=[str(one) for one in permissions])
    Grant.objects.create(user=person, role=role)
    return person


def newest(assistant: Assistant) -> dict[str, bytes]:
    revision = newest_revision(assistant)
    assert revision is not None
    return files_of(revision)


def save(assistant: Assistant, **changes: bytes | None) -> Revision:
    """Somebody else saves; `data__nlu` is data/nlu.yml."""
    base = newest_revision(assistant)
    assert base is not None
    files = {**files_of(base), **{f"{k.replace('__', '/')}.yml": v for k, v in changes.items()}}
    kept = {path: content for path, content in files.items() if content is not None}
    return save_revision(
        actor=None, assistant=assistant, files=kept, message="", parent_number=base.number, author_label="ben"
    )


def edit(client: Client, text: str, path: str = "data/nlu.yml", base: int = 1, **more: str) -> Any:
    return client.post(f"{DATA}edit/{path}", {"text": text, "base": base, "message": "Greet more", **more})


def test_an_assistant_without_data_is_told_the_next_step(client: Client, assistant: Assistant):
    client.force_login(make_person("admin"))
    assert "Upload a project" in client.get(DATA).content.decode()


def test_the_list_says_what_each_file_holds(admin: Client):
    page = admin.get(DATA).content.decode()
    for fact in ("1 intent, 2 examples", "1 component, 1 policy", "5 files", "5 changes since the last training"):
        assert fact in page


def test_the_list_is_narrowed_by_kind(admin: Client):
    page = admin.get(DATA, {"kind": "rules"}).content.decode()
    assert "data/rules.yml" in page
    assert "data/nlu.yml" not in page


def test_the_list_costs_the_same_however_many_files(
    admin: Client, assistant: Assistant, django_assert_max_num_queries: Any
):
    more = {f"data__part_{number}": NLU + b"# %d\n" % number for number in range(40)}
    save(assistant, **more)
    with django_assert_max_num_queries(18):
        admin.get(DATA)


def test_a_files_page_has_numbered_lines(admin: Client):
    page = admin.get(f"{DATA}file/data/nlu.yml").content.decode()
    assert 'id="L3"' in page
    assert "Edit" in page


def test_an_old_revision_is_shown_as_it_was_and_cannot_be_edited(admin: Client, assistant: Assistant):
    save(assistant, data__nlu=NLU + b"    - hey\n")
    page = admin.get(f"{DATA}file/data/nlu.yml?revision=1").content.decode()
    assert "hey" not in page
    assert "This is revision 1" in page
    assert "data/edit/" not in page
    assert ' in <a href="/a/cafe/data/revisions/1">revision 1</a>' in page
    newest = admin.get(f"{DATA}file/data/nlu.yml").content.decode()
    assert ' in <a href="/a/cafe/data/revisions/2">revision 2</a>' in newest


@pytest.mark.parametrize("address", ["file/none.yml", "file/data", "edit/none.yml", "?revision=9", "revisions/9"])
def test_what_is_not_there_is_404(admin: Client, address: str):
    assert admin.get(DATA + address).status_code == 404


def test_a_save_is_a_revision_with_author_and_message(admin: Client, assistant: Assistant):
    response = edit(admin, NLU.decode() + "    - good day\n")
    assert response.status_code == 302
    revision = newest_revision(assistant)
    assert (revision.number, revision.author_label, revision.message) == (2, "ana", "Greet more")
    assert newest(assistant)["data/nlu.yml"].endswith(b"- good day\n")


def test_a_changed_file_leads_to_its_training_until_it_is_trained(admin: Client, assistant: Assistant):
    button = 'hx-post="/a/cafe/train"'
    train(assistant)
    assert button not in admin.get(f"{DATA}file/data/nlu.yml").content.decode()
    edit(admin, NLU.decode() + "    - hey\n")
    page = admin.get(f"{DATA}file/data/nlu.yml").content.decode()
    assert button in page
    assert button not in admin.get(f"{DATA}file/data/nlu.yml?revision=1").content.decode()
    train(assistant)
    assert button not in admin.get(f"{DATA}file/data/nlu.yml").content.decode()


def train(assistant: Assistant) -> None:
    training.request_training(actor=None, assistant=assistant)
    claimed = training.claim(worker="w", versions=["3.6.21"])
    assert claimed is not None
    training.finish(claimed, make_model(assistant))


def test_who_may_not_train_is_not_offered_to(client: Client, assistant: Assistant, revision: Revision):
    client.force_login(person_with(Permission.NLU_VIEW, Permission.NLU_MODIFY))
    page = client.get(f"{DATA}file/data/nlu.yml").content.decode()
    assert 'hx-post="/a/cafe/train"' not in page


def test_line_ends_stay_as_the_file_had_them(admin: Client, assistant: Assistant):
    edit(admin, NLU.decode().replace("\n", "\r\n") + "    - good day\r\n")
    assert b"\r" not in newest(assistant)["data/nlu.yml"]
    save(assistant, data__nlu=NLU.replace(b"\n", b"\r\n"))
    edit(admin, NLU.decode() + "    - hey\n", base=3)
    assert newest(assistant)["data/nlu.yml"].count(b"\r\n") == 7


def test_invalid_yaml_is_refused_with_its_place_and_the_text_kept(admin: Client, assistant: Assistant):
    response = edit(admin, 'version: "3.1"\nnlu: [unclosed\nx: y\n')
    page = response.content.decode()
    assert response.status_code == 422
    assert "Line 3, column" in page
    assert "[unclosed" in page
    assert "Greet more" in page
    assert newest_revision(assistant).number == 1


def test_saving_what_is_there_already_makes_no_revision(admin: Client, assistant: Assistant):
    edit(admin, NLU.decode())
    assert newest_revision(assistant).number == 1


def test_a_save_goes_on_top_of_what_others_saved_in_other_files(admin: Client, assistant: Assistant):
    save(assistant, domain=FILES["domain.yml"].replace(b"Hello!", b"Welcome!"))
    response = edit(admin, NLU.decode() + "    - hey\n")
    assert response.status_code == 302
    assert b"Welcome!" in newest(assistant)["domain.yml"]
    assert b"- hey" in newest(assistant)["data/nlu.yml"]
    assert "on top of revision 2 that ben" in admin.get(DATA).content.decode()


def test_a_collision_shows_both_sides_and_keeps_the_text(admin: Client, assistant: Assistant):
    save(assistant, data__nlu=NLU + b"    - theirs\n")
    response = edit(admin, NLU.decode() + "    - mine\n")
    page = response.content.decode()
    assert response.status_code == 409
    assert "ben saved revision 2 meanwhile" in page
    assert "- theirs" in page
    assert "- mine" in page
    assert newest_revision(assistant).number == 2

    assert 'name="base" value="2"' in page
    assert edit(admin, NLU.decode() + "    - mine\n", base=2).status_code == 302
    assert newest(assistant)["data/nlu.yml"] == NLU + b"    - mine\n"


def test_a_form_that_was_sent_twice_is_no_collision(admin: Client, assistant: Assistant):
    for _ in range(2):
        assert edit(admin, NLU.decode() + "    - mine\n", base=1).status_code == 302
    assert newest_revision(assistant).number == 2
    assert "This is saved already." in admin.get(DATA).content.decode()


def test_a_text_survives_that_somebody_deleted_its_file(admin: Client, assistant: Assistant):
    save(assistant, data__nlu=None)
    response = edit(admin, NLU.decode() + "    - mine\n")
    assert response.status_code == 409
    assert "- mine" in response.content.decode()
    assert edit(admin, NLU.decode(), base=2).status_code == 302
    assert newest(assistant)["data/nlu.yml"] == NLU


def test_a_new_file_is_added(admin: Client, assistant: Assistant):
    response = admin.post(f"{DATA}new", {"path": "data/more.yml", "text": NLU.decode(), "message": "", "base": 1})
    assert response.status_code == 302
    assert newest(assistant)["data/more.yml"] == NLU


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("../x.yml", "climbs out"),
        ("/etc/x.yml", "absolute"),
        ("data/nlu.yml", "already"),
        ("endpoints.yml", "passwords"),
        ("run.sh", "end in one of"),
        (".git/x.yml", "dot"),
        ("config.yml/x.yml", "is a file"),
    ],
)
def test_a_file_cannot_have_just_any_name(admin: Client, assistant: Assistant, path: str, sentence: str):
    response = admin.post(f"{DATA}new", {"path": path, "text": "a: b", "base": 1})
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert newest_revision(assistant).number == 1


def test_a_file_is_renamed_in_one_revision(admin: Client, assistant: Assistant):
    response = admin.post(f"{DATA}rename/data/nlu.yml", {"path": "data/nlu/hi.yml", "base": 1}, headers=HTMX)
    assert response["HX-Redirect"] == f"{DATA}file/data/nlu/hi.yml"
    assert "data/nlu.yml" not in newest(assistant)
    assert newest(assistant)["data/nlu/hi.yml"] == NLU
    assert newest_revision(assistant).message == "Rename data/nlu.yml to data/nlu/hi.yml"


def test_a_file_is_deleted_after_a_confirmation(admin: Client, assistant: Assistant):
    assert "Earlier revisions keep it" in admin.get(f"{DATA}delete/data/nlu.yml", headers=HTMX).content.decode()
    admin.post(f"{DATA}delete/data/nlu.yml", {"base": 1}, headers=HTMX)
    assert "data/nlu.yml" not in newest(assistant)


def test_the_history_leads_to_differences(admin: Client, assistant: Assistant):
    edit(admin, NLU.decode() + "    - hey\n")
    assert "Greet more" in admin.get(f"{DATA}revisions/").content.decode()
    page = admin.get(f"{DATA}revisions/2").content.decode()
    assert "1 file changed" in page
    assert "- hey" in page


def test_changes_since_the_training_lead_to_their_differences(admin: Client):
    assert admin.get(f"{DATA}since-training")["Location"] == f"{DATA}revisions/1"


def test_returning_to_an_old_revision_makes_a_new_one(admin: Client, assistant: Assistant):
    edit(admin, NLU.decode() + "    - hey\n")
    admin.post(f"{DATA}revisions/1/restore", {"base": 2}, headers=HTMX)
    assert newest_revision(assistant).number == 3
    assert newest(assistant) == FILES


def test_the_download_can_be_uploaded_again(admin: Client):
    packed = admin.get(f"{DATA}download").content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("cafe-revision-1/data/nlu.yml") == NLU
    url = upload(admin, packed).json()["url"]
    assert "nothing to keep" in admin.get(url).content.decode()


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return target.getvalue()


def upload(client: Client, body: bytes, slug: str = "cafe") -> Any:
    address = f"/a/{slug}/data/upload/file?name=project.zip"
    return client.put(address, body, content_type="application/octet-stream")


def test_an_upload_is_kept_only_after_its_difference_was_seen(admin: Client, assistant: Assistant):
    body = packed({**FILES, "data/nlu.yml": NLU + b"    - hey\n", "credentials.yml": b"a: b"})
    url = upload(admin, body).json()["url"]
    page = admin.get(url).content.decode()
    assert "1 differ from revision 1" in page
    assert "- hey" in page
    assert "1 file left out" in page
    assert newest_revision(assistant).number == 1
    admin.post(url, {"base": 1, "message": ""})
    assert newest_revision(assistant).message == "Upload project.zip"
    assert newest(assistant)["data/nlu.yml"].endswith(b"- hey\n")


def test_an_upload_starts_the_data_of_a_new_assistant(admin: Client):
    other = make_assistant(slug="bar")
    url = upload(admin, packed(FILES), "bar").json()["url"]
    assert "Begin with this project?" in admin.get(url).content.decode()
    admin.post(url, {"base": "", "message": "Our bar"})
    assert newest(other) == FILES


def test_an_upload_over_what_others_changed_is_looked_at_again(admin: Client, assistant: Assistant):
    url = upload(admin, packed({**FILES, "data/nlu.yml": NLU + b"    - hey\n"})).json()["url"]
    save(assistant, data__nlu=NLU + b"    - theirs\n")
    response = admin.post(url, {"base": 1, "message": "Mine"})
    assert response.status_code == 409
    assert "ben saved revision 2 meanwhile" in response.content.decode()
    assert newest_revision(assistant).number == 2


@pytest.mark.parametrize("body", [b"", b"no zip", packed({"model.tar.gz": b"x"})])
def test_a_bad_upload_is_refused_in_a_sentence(admin: Client, body: bytes):
    response = upload(admin, body)
    assert response.status_code == 422
    assert response.json()["message"].endswith(".")


def test_an_upload_with_invalid_yaml_shows_where_and_cannot_be_kept(admin: Client, assistant: Assistant):
    url = upload(admin, packed({**FILES, "data/nlu.yml": b"nlu: [\n"})).json()["url"]
    assert "line 2, column 1" in admin.get(url).content.decode()
    assert admin.post(url, {"base": 1}).status_code == 422
    assert newest_revision(assistant).number == 1


def test_an_upload_is_nobody_elses(admin: Client):
    url = upload(admin, packed(FILES)).json()["url"]
    admin.force_login(make_person("admin"))
    assert admin.get(url)["Location"] == f"{DATA}upload"
    assert admin.get(f"{DATA}upload/preview?upload=made-up")["Location"] == f"{DATA}upload"


def test_code_asks_for_a_permission_of_its_own(client: Client, assistant: Assistant, revision: Revision):
    client.force_login(make_person("annotator"))
    assert edit(client, NLU.decode() + "    - hey\n").status_code == 302
    assert client.get(f"{DATA}edit/my_parts/shout.py").status_code == 403
    response = edit(client, "import os\n", "my_parts/shout.py", base=2)
    assert response.status_code == 422
    assert "Upload Python code" in response.content.decode()
    added = client.post(f"{DATA}new", {"path": "more.py", "text": "x = 1", "base": 2})
    assert added.status_code == 422


def test_naming_another_class_in_the_pipeline_counts_as_code(client: Client, assistant: Assistant, revision: Revision):
    client.force_login(make_person("annotator"))
    text = FILES["config.yml"].decode().replace("WhitespaceTokenizer", "my_parts.shout.Shout")
    response = edit(client, text, "config.yml")
    assert response.status_code == 422
    assert "Upload Python code" in response.content.decode()


def test_who_may_only_see_stories_sees_no_nlu(client: Client, assistant: Assistant, revision: Revision):
    client.force_login(person_with(Permission.STORIES_VIEW, Permission.STORIES_MODIFY))
    page = client.get(DATA).content.decode()
    assert "data/rules.yml" in page
    assert "data/nlu.yml" not in page
    assert client.get(f"{DATA}file/data/nlu.yml").status_code == 404
    assert client.get(f"{DATA}raw/data/nlu.yml").status_code == 404
    with zipfile.ZipFile(io.BytesIO(client.get(f"{DATA}download").content)) as archive:
        assert "cafe-revision-1/data/nlu.yml" not in archive.namelist()
    assert edit(client, "stories: []\n", "data/nlu.yml").status_code == 422
    assert newest_revision(assistant).number == 1


def test_a_tester_sees_no_data(client: Client, revision: Revision):
    client.force_login(make_person("tester"))
    for address in ("", "file/config.yml", "revisions/", "revisions/1", "download", "raw/config.yml", "new", "upload"):
        assert client.get(DATA + address).status_code == 403, address


def sees_only_nlu(client: Client) -> Client:
    client.force_login(person_with(Permission.NLU_VIEW, Permission.NLU_MODIFY))
    return client


def visible_project(client: Client) -> dict[str, bytes]:
    """What the download holds, without the folder it is packed in."""
    with zipfile.ZipFile(io.BytesIO(client.get(f"{DATA}download").content)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def test_an_upload_shows_no_file_of_a_kind_that_its_author_may_not_see(client: Client, revision: Revision):
    sees_only_nlu(client)
    files = {**visible_project(client), "data/nlu.yml": NLU + b"    - hey\n"}
    assert "data/rules.yml" not in files
    page = client.get(upload(client, packed(files)).json()["url"]).content.decode()
    assert "- hey" in page
    assert "rules.yml" not in page
    assert "utter_greet" not in page
    assert "2 files that your roles do not let you see stay as they are." in page


def test_an_upload_leaves_what_its_author_may_not_see(client: Client, assistant: Assistant, revision: Revision):
    sees_only_nlu(client)
    files = {**visible_project(client), "data/nlu.yml": NLU + b"    - hey\n"}
    client.post(upload(client, packed(files)).json()["url"], {"base": 1, "message": ""})
    assert newest(assistant) == {**FILES, "data/nlu.yml": NLU + b"    - hey\n"}


def test_an_upload_cannot_replace_a_file_that_its_author_may_not_see(
    client: Client, assistant: Assistant, revision: Revision
):
    sees_only_nlu(client)
    url = upload(client, packed({**visible_project(client), "data/rules.yml": NLU})).json()["url"]
    assert "You may not keep this" in client.get(url).content.decode()
    assert client.post(url, {"base": 1}).status_code == 422
    assert newest(assistant) == FILES


def test_the_history_counts_only_files_that_one_may_see(client: Client, assistant: Assistant, revision: Revision):
    save(assistant, data__rules=FILES["data/rules.yml"] + b"# more\n", data__nlu=NLU + b"    - hey\n")
    sees_only_nlu(client)
    rows = client.get(f"{DATA}revisions/").context["rows"]
    assert [row.changed for row in rows] == [1, 3]
    assert "1 file changed" in client.get(f"{DATA}revisions/2").content.decode()


def test_going_back_over_hidden_files_is_refused_without_naming_them(
    client: Client, assistant: Assistant, revision: Revision
):
    save(assistant, data__rules=FILES["data/rules.yml"] + b"# more\n")
    sees_only_nlu(client)
    for base in (1, 2):
        response = client.post(f"{DATA}revisions/1/restore", {"base": base}, headers=HTMX)
        assert response.status_code == 422
        assert "rules.yml" not in response.content.decode()
    assert newest_revision(assistant).number == 2
