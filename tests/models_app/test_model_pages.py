import re
from typing import Any

import pytest
from django.test import Client

from environments.models import Environment
from environments.services.promotion import promote
from models_app.models import Assistant, Model, Tag
from models_app.services.revisions import save_revision
from models_app.services.tags import move_environment_tag, set_tag
from models_app.services.training import request_training
from models_app.storage import store
from studio.access.permissions import Scope
from studio.web.keyset import SIZE
from tests.factories import environment_of, make_assistant, make_model, make_person
from tests.models_app.archives import METADATA, model_archive

LIST = "/a/cafe/models/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin"))
    return client


def names(response: Any) -> list[str]:
    return re.findall(r'class="row-link" href="/a/cafe/models/([^"]+)"', response.content.decode())


def test_an_empty_list_says_the_next_step(admin: Client):
    page = admin.get(LIST).content.decode()
    assert "No models yet" in page
    assert "Upload a model" in page


def test_an_empty_list_names_the_training_that_is_under_way(admin: Client, assistant: Assistant):
    files = {"config.yml": b"pipeline: []\n", "domain.yml": b"intents: [greet]\n", "data/nlu.yml": b"nlu: []\n"}
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    request_training(actor=None, assistant=assistant)
    assert "Training 1</a> is making the first one" in admin.get(LIST).content.decode()


def test_the_newest_model_is_on_top_with_its_facts(admin: Client, assistant: Assistant):
    make_model(assistant, "otter")
    set_tag(actor=None, model=make_model(assistant, "heron"), name="baseline")
    response = admin.get(LIST)
    assert names(response) == ["heron", "otter"]
    page = response.content.decode()
    assert "2 models" in page
    assert ">baseline</span>" in page
    assert "3.6.21" in page


def test_the_list_costs_the_same_however_long_it_is(
    admin: Client, assistant: Assistant, django_assert_max_num_queries: Any
):
    for number in range(3):
        set_tag(actor=None, model=make_model(assistant), name=f"tag-{number}")
    with django_assert_max_num_queries(19):
        admin.get(LIST)
    for number in range(12):
        set_tag(actor=None, model=make_model(assistant), name=f"more-{number}")
    with django_assert_max_num_queries(19):
        admin.get(LIST)


def test_pages_lead_to_each_other_in_both_directions(admin: Client, assistant: Assistant):
    everything = [make_model(assistant, f"model-{number}").name for number in range(SIZE + 3)][::-1]
    first = admin.get(LIST)
    assert names(first) == everything[:SIZE]
    assert f"1–{SIZE} of {SIZE + 3}" in first.content.decode()
    oldest_shown = Model.objects.get(name=everything[SIZE - 1]).pk

    second = admin.get(f"{LIST}?after={oldest_shown}")
    assert names(second) == everything[SIZE:]
    assert f"{SIZE + 1}–{SIZE + 3} of {SIZE + 3}" in second.content.decode()
    newest_shown = Model.objects.get(name=everything[SIZE]).pk
    assert names(admin.get(f"{LIST}?before={newest_shown}")) == everything[:SIZE]


@pytest.mark.parametrize("cursor", ["after=x", "after=-1", "before=", "after=99999999999999999999999"])
def test_a_cursor_that_is_none_shows_the_first_page(admin: Client, assistant: Assistant, cursor: str):
    make_model(assistant, "otter")
    assert names(admin.get(f"{LIST}?{cursor}")) == ["otter"]


def test_filters_live_in_the_address(admin: Client, assistant: Assistant):
    otter = make_model(assistant, "brisk-otter", model_archive(rasa_open_source_version="3.5.0"))
    make_model(assistant, "calm-heron")
    Model.objects.filter(name="calm-heron").update(origin=Model.Origin.TRAINED)
    set_tag(actor=None, model=otter, name="baseline")
    assert names(admin.get(f"{LIST}?name=OTTER")) == ["brisk-otter"]
    assert names(admin.get(f"{LIST}?tag=baseline")) == ["brisk-otter"]
    assert names(admin.get(f"{LIST}?origin=trained")) == ["calm-heron"]
    assert names(admin.get(f"{LIST}?rasa=3.5.0")) == ["brisk-otter"]
    assert "No model matches these filters" in admin.get(f"{LIST}?name=nothing").content.decode()


def test_the_menu_says_why_a_model_cannot_be_deleted(admin: Client, assistant: Assistant):
    set_tag(actor=None, model=make_model(assistant, "otter"), name="baseline")
    assert "tagged baseline" in admin.get(LIST).content.decode()


def test_the_page_of_a_model_shows_what_it_knows(admin: Client, assistant: Assistant):
    make_model(assistant, "first")
    model = make_model(assistant, "otter", model_archive(assistant_id="hotel"))
    page = admin.get("/a/cafe/models/otter").content.decode()
    for fact in ("ask_price", "utter_greet", "book_form", model.artifact_id, "NLU and dialogue", "trained for another"):
        assert fact in page


def test_the_page_of_a_model_has_a_button_that_tries_it(admin: Client, assistant: Assistant):
    make_model(assistant, "otter")
    assert '<a class="btn" href="/a/cafe/try/otter/">Try it</a>' in admin.get(f"{LIST}otter").content.decode()


def test_what_a_model_of_an_old_rasa_lacks_is_no_error(admin: Client, assistant: Assistant):
    old = model_archive(without=("assistant_id", "language", "training_type", "project_fingerprint", "model_id"))
    make_model(assistant, "otter", old)
    assert admin.get("/a/cafe/models/otter").status_code == 200


def test_tags_are_added_and_removed_in_the_dialog(admin: Client, assistant: Assistant):
    model = make_model(assistant, "otter")
    response = admin.post("/a/cafe/models/otter/tags", {"name": "baseline"}, headers=HTMX)
    assert f'id="tags-{model.pk}" hx-swap-oob' in response.content.decode()
    assert model.tags.get().name == "baseline"
    admin.post("/a/cafe/models/otter/tags", {"name": "", "remove": "baseline"}, headers=HTMX)
    assert not model.tags.exists()


def test_a_tag_that_moved_here_vanishes_from_the_other_row(admin: Client, assistant: Assistant):
    other = make_model(assistant, "heron")
    set_tag(actor=None, model=other, name="baseline")
    make_model(assistant, "otter")
    response = admin.post("/a/cafe/models/otter/tags", {"name": "baseline"}, headers=HTMX)
    assert f'<span id="tags-{other.pk}" hx-swap-oob="innerHTML"></span>' in response.content.decode().replace("\n", "")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("production", "only a promotion moves it"), ("No Spaces", "small letters"), ("", "This field is required")],
)
def test_a_tag_that_cannot_be_set_says_why_in_the_dialog(admin: Client, assistant: Assistant, name: str, sentence: str):
    make_model(assistant, "otter")
    response = admin.post("/a/cafe/models/otter/tags", {"name": name}, headers=HTMX)
    assert response.status_code == 422
    assert sentence in response.content.decode()


def test_without_javascript_the_dialog_is_a_page(admin: Client, assistant: Assistant):
    make_model(assistant, "otter")
    assert admin.post("/a/cafe/models/otter/tags", {"name": "baseline"}).status_code == 302
    assert "<title>Tags of otter" in admin.get("/a/cafe/models/otter/tags").content.decode()


def test_a_model_is_deleted_after_a_confirmation(admin: Client, assistant: Assistant):
    model = make_model(assistant, "otter")
    assert "Delete the model" in admin.get("/a/cafe/models/otter/delete").content.decode()
    response = admin.post("/a/cafe/models/otter/delete", headers=HTMX)
    assert response["HX-Redirect"] == LIST
    assert not Model.objects.current().filter(pk=model.pk).exists()
    assert admin.get("/a/cafe/models/otter").status_code == 404


def test_a_live_model_is_not_deleted(admin: Client, assistant: Assistant):
    model = make_model(assistant, "otter")
    move_environment_tag(tag=Environment.objects.get(assistant=assistant, name="production").tag, model=model)
    response = admin.post("/a/cafe/models/otter/delete", headers=HTMX)
    assert response.status_code == 422
    assert "tagged production" in response.content.decode()
    assert Model.objects.current().filter(pk=model.pk).exists()


def test_two_domains_are_compared_by_name(admin: Client, assistant: Assistant):
    changed = {**METADATA["domain"], "intents": ["greet", "book"], "responses": {"utter_greet": [{"text": "Hi!"}]}}
    make_model(assistant, "old")
    make_model(assistant, "new", model_archive(domain=changed))
    page = admin.get("/a/cafe/models/new/compare?with=old").content.decode()
    added, removed = (re.findall(rf'<tr class="{kind}">.*?</td><td>(\w+)', page) for kind in ("added", "removed"))
    assert added == ["book"]
    assert sorted(removed) == ["ask_price", "utter_price"]
    assert "1 changed" in page  # utter_greet has another text


def test_comparing_begins_with_what_is_live_in_production(admin: Client, assistant: Assistant):
    live = make_model(assistant, "live")
    make_model(assistant, "between")
    make_model(assistant, "newest")
    move_environment_tag(tag=Tag.objects.get(assistant=assistant, name="production"), model=live)
    assert "<option selected>live</option>" in admin.get("/a/cafe/models/newest/compare").content.decode()


def test_a_lonely_model_has_nothing_to_be_compared_with(admin: Client, assistant: Assistant):
    make_model(assistant, "otter")
    assert "no other model yet" in admin.get("/a/cafe/models/otter/compare").content.decode()


def test_who_may_only_view_gets_no_buttons_that_change(client: Client, assistant: Assistant):
    make_model(assistant, "otter")
    client.force_login(make_person("annotator"))
    page = client.get(LIST).content.decode()
    assert "Edit tags" not in page
    assert "Delete" not in page
    for action in ("tags", "delete"):
        assert client.post(f"/a/cafe/models/otter/{action}").status_code == 403


def test_a_tester_sees_no_models(client: Client, assistant: Assistant):
    make_model(assistant, "otter")
    client.force_login(make_person("tester"))
    assert client.get(LIST).status_code == 403
    assert client.get("/a/cafe/models/otter").status_code == 404


def test_a_grant_for_one_environment_shows_the_models_that_can_go_there(client: Client, assistant: Assistant):
    make_model(assistant, "otter")
    worker = Environment.objects.get(assistant=assistant, name="worker")
    client.force_login(make_person("annotator", Scope(assistant.pk, worker.pk)))
    assert names(client.get(LIST)) == ["otter"]
    assert client.get("/a/cafe/models/otter").status_code == 200


def test_models_of_other_assistants_are_not_listed(admin: Client, assistant: Assistant):
    make_model(make_assistant(), "foreign")
    assert names(admin.get(LIST)) == []


def test_enter_in_the_tags_dialog_adds_and_never_removes(admin: Client, assistant: Assistant):
    set_tag(actor=None, model=make_model(assistant, "otter"), name="baseline")
    page = admin.get("/a/cafe/models/otter/tags", headers=HTMX).content.decode()
    first = re.findall(r'<button[^>]*type="submit"[^>]*>', page)[0]  # the one that Enter presses
    assert 'name="remove"' not in first


@pytest.mark.parametrize("address", ["x%00", "otter/compare?with=%00", "?name=%00", "upload/%00.tar.gz"])
def test_an_address_with_a_nul_is_a_bad_request(admin: Client, assistant: Assistant, address: str):
    make_model(assistant, "otter")
    assert admin.get(LIST + address).status_code == 400


class TestAModelWhoseFileIsMissing:
    @pytest.fixture(autouse=True)
    def model(self, assistant: Assistant) -> Model:
        model = make_model(assistant, "otter", model_archive())
        store().delete(model.artifact_id)
        return model

    def test_its_page_says_so(self, admin: Client):
        assert "The file is missing" in admin.get("/a/cafe/models/otter").content.decode()

    @pytest.mark.parametrize("method", ["get", "head"])
    def test_its_download_is_a_sentence(self, admin: Client, method: str):
        response = getattr(admin, method)("/a/cafe/models/otter/download")

        assert response.status_code == 503
        assert method == "head" or "missing from the artifact store" in response.content.decode()

    def test_uploading_the_same_file_again_mends_it(self, admin: Client):
        answer = admin.put("/a/cafe/models/upload/otter.tar.gz", model_archive(), content_type="application/gzip")

        assert answer.json()["existed"] is True
        assert admin.head("/a/cafe/models/otter/download").status_code == 200
        assert "The file is missing" not in admin.get("/a/cafe/models/otter").content.decode()


def test_an_environments_tag_shows_to_whoever_sees_the_environment(client: Client, assistant: Assistant):
    for name in ("production", "worker"):
        promote(actor=None, environment=environment_of(assistant, name), model=make_model(assistant, f"for-{name}"))
    set_tag(actor=None, model=Model.objects.get(name="for-production"), name="baseline")
    client.force_login(make_person("annotator", Scope(assistant.pk, environment_of(assistant, "worker").pk)))
    page = client.get(LIST).content.decode()
    assert names(client.get(LIST)) == ["for-worker", "for-production"]
    assert re.findall(r'class="tag[^>]*>([^<]+)<', page) == ["worker", "baseline"]
    assert '<option value="production">' not in page
    assert 'title="production' not in client.get(f"{LIST}for-production").content.decode()
