"""What an API token asks for in the background is done with the token's limit, and not with all that its person may."""

import pytest

from conversations.models import Conversation, DeadLetter, DeadLetterRun, ErasureRun, ExportRun
from conversations.services import dead_letter_runs, erasure_runs, export_runs
from conversations.services.exporting import Format
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.services import tokens
from tests.conversations.api import Api
from tests.conversations.dead import CUT, make_letter
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_person, store_events

pytestmark = pytest.mark.django_db
START = 1_790_000_000.0


@pytest.fixture(autouse=True)
def _empty(redis_client, settings, tmp_path) -> None:
    settings.ARTIFACTS_DIR = tmp_path


@pytest.fixture
def cafe() -> Assistant:
    cafe = make_assistant("cafe")
    store_events(environment_of(cafe), *small_talk(START, "anna"))
    store_events(environment_of(cafe, "worker"), *small_talk(START, "wim"))
    return cafe


@pytest.fixture
def admin() -> User:
    return make_person("admin")


def token_of(person: User, scope: Scope = EVERYWHERE, without: Permission | None = None) -> Api:
    """The API with a token of `person` that counts in `scope` alone."""
    api = Api(person)
    permissions = frozenset(Permission) - {without}
    made = tokens.make(actor=make_person("admin"), user=person, name="build", permissions=permissions, scope=scope)
    api.headers = {"Authorization": f"Bearer {made.text}"}
    return api


@pytest.fixture
def narrow(cafe, admin) -> Api:
    """A token of the admin for the worker environment."""
    return token_of(admin, Scope(cafe.pk, environment_of(cafe, "worker").pk))


def test_a_deletion_takes_what_the_token_may(narrow) -> None:
    asked = narrow.post("/projects/cafe/deletions", {"filters": {}})
    erasure_runs.work(asked.json()["number"])
    path = asked["Location"].removeprefix("/api")
    assert narrow.get(path).json()["sample"] == ["wim"]
    assert narrow.post(f"{path}/confirm", {"conversations": 1}).status_code == 202
    erasure_runs.work(asked.json()["number"])
    assert list(Conversation.objects.values_list("sender_id", flat=True)) == ["anna"]


def test_a_file_holds_what_the_token_may_read(narrow) -> None:
    asked = narrow.post("/projects/cafe/conversations/export", {})
    export_runs.work(asked.json()["number"])
    file = narrow.get(f"{asked['Location'].removeprefix('/api')}/file").getvalue()
    assert (file.count(b"\n"), b'"wim"' in file) == (1, True)


def test_letters_that_the_token_may_not_handle_go_on_waiting(narrow, cafe) -> None:
    for name in ("production", "worker"):
        make_letter(environment_of(cafe, name), CUT)
    fault = DeadLetter.objects.values_list("fault", flat=True)[0]
    asked = narrow.post("/projects/cafe/dead-letters/runs", {"act": "discard", "fault": fault, "reason": "cut"})
    assert (asked.status_code, asked.json()["total"]) == (202, 1)
    dead_letter_runs.carry_out(asked.json()["number"])
    assert [one.environment.name for one in DeadLetter.objects.waiting()] == ["production"]


@pytest.fixture
def runs(cafe, admin) -> dict[str, str]:
    """Where the API has what the admin asked for on pages, with no limit."""
    make_letter(environment_of(cafe), CUT)
    letter = DeadLetter.objects.get()
    selection = dead_letter_runs.Selection(cafe, letter.fault, letter.place)
    file = export_runs.request_run(actor=admin, assistant=cafe, query="", kind=Format.JSONL)
    deletion = erasure_runs.request_run(actor=admin, assistant=cafe, query="")
    letters = dead_letter_runs.request_run(actor=admin, act="discard", selection=selection, reason="cut")
    return {
        "file": f"/projects/cafe/exports/{file.pk}",
        "deletion": f"/projects/cafe/deletions/{deletion.pk}",
        "letters": f"/projects/cafe/dead-letters/runs/{letters.pk}",
    }


@pytest.mark.parametrize("kind", ["file", "deletion", "letters"])
def test_a_token_does_not_find_what_its_person_asked_for_with_more(narrow, runs, admin, kind) -> None:
    assert narrow.get(runs[kind]).status_code == 404
    assert narrow.delete(runs[kind]).status_code == 404
    assert token_of(admin, without=Permission.TALK).get(runs["file"]).status_code == 404


def test_a_token_lists_what_was_asked_for_within_its_limit(narrow, cafe, admin, runs) -> None:
    for path, body in (("deletions", {"filters": {}}), ("conversations/export", {})):
        assert narrow.post(f"/projects/cafe/{path}", body).status_code == 202
    wide = token_of(admin, Scope(cafe.pk))
    for name, model in (("deletions", ErasureRun), ("exports", ExportRun)):
        narrow_one = model.objects.latest("pk").pk
        assert [one["number"] for one in narrow.get(f"/projects/cafe/{name}").json()] == [narrow_one]
        assert narrow_one in [one["number"] for one in wide.get(f"/projects/cafe/{name}").json()]
    assert [one["number"] for one in wide.get("/projects/cafe/exports").json()] == [ExportRun.objects.latest("pk").pk]
    assert ExportRun.objects.visible_to(admin).count() == 2


def test_a_file_of_less_is_not_given_for_one_of_more(cafe, admin, narrow, monkeypatch) -> None:
    monkeypatch.setattr(export_runs, "AT_ONCE", 0)
    first = narrow.get("/projects/cafe/conversations/export").json()["number"]
    assert narrow.get("/projects/cafe/conversations/export").json()["number"] == first
    assert token_of(admin).get("/projects/cafe/conversations/export").json()["number"] != first


def test_stopping_what_the_person_asked_for_with_more_takes_the_right_to_handle_letters(cafe, admin, runs) -> None:
    assert token_of(admin, without=Permission.CONVERSATIONS_FLAG).delete(runs["letters"]).status_code == 403
    assert token_of(admin).delete(runs["letters"]).status_code == 204
    assert DeadLetterRun.objects.get().state == DeadLetterRun.State.STOPPED
