"""What an API token asks for in the background is done with the token's limit, and not with all that its person may."""

import pytest

from conversations.models import Conversation, DeadLetter
from conversations.services import dead_letter_runs, erasure_runs, export_runs
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
