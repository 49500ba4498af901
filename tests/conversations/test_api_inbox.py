"""The inbox, examples and stories by the API."""

import time

import pytest

from conversations.models import Correction, MessageLease
from models_app.models import Assistant, Revision
from models_app.services.revisions import save_revision
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.conversations.api import Api, api_of
from tests.conversations.events import user
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db
NOW = time.time() - 60
FILES = {
    "domain.yml": b"intents:\n  - greet\n  - bye\nentities: []\n",
    "data/nlu.yml": b"nlu:\n- intent: greet\n  examples: |\n    - hi\n",
    "config.yml": b"pipeline: []\n",
}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def cafe() -> Assistant:
    cafe = make_assistant("cafe")
    for number, (text, confidence) in enumerate([("hmm", 0.5), ("hola", 0.2), ("hola", 0.3)]):
        store_events(environment_of(cafe), user(text, NOW + number, confidence=confidence, sender=f"s{number}"))
    save_revision(actor=None, assistant=cafe, files=FILES, message="", parent_number=None)
    return cafe


@pytest.fixture
def api(cafe) -> Api:
    return api_of("annotator")


def test_what_waits_is_listed_least_certain_first(api) -> None:
    answer = api.get("/projects/cafe/inbox?limit=2")
    assert answer.json()[0] == {
        "sender_id": "s1",
        "timestamp": NOW + 1,
        "text": "hola",
        "intent": {"name": "greet", "confidence": 0.2},
        "intent_ranking": [{"name": "greet", "confidence": 0.2}],
        "entities": [],
        "environment": "production",
        "model": "m-1",
    }
    rest = api.get(f"/projects/cafe/inbox?cursor={answer['X-Next-Cursor']}")
    assert [one["sender_id"] for one in answer.json() + rest.json()] == ["s1", "s2", "s0"]
    assert (answer["X-Total-Count"], answer["X-Total-Count-Exact"]) == ("3", "true")
    assert [one["text"] for one in api.get("/projects/cafe/inbox?below=0.4&limit=1&offset=1").json()] == ["hola"]
    assert api.get("/projects/cafe/inbox?days=5").status_code == 422
    assert api.get("/projects/cafe/inbox?cursor=bmFuLTE").status_code == 422


def test_one_after_the_other_and_to_nobody_twice(api) -> None:
    assert api.post("/projects/cafe/inbox/next", {"filters": {"below": "0.2"}}).status_code == 204
    assert api.post("/projects/cafe/inbox/next", {"filters": {"belo": "0.2"}}).status_code == 422
    assert api.post("/projects/cafe/inbox/next", []).status_code == 422
    first = api.post("/projects/cafe/inbox/next").json()
    assert (first["sender_id"], first["said_times"]) == ("s1", 2)
    other = api_of("annotator")
    assert other.post("/projects/cafe/inbox/next").json()["text"] == "hmm"
    assert api_of("annotator").post("/projects/cafe/inbox/next").status_code == 204
    path = f"/projects/cafe/conversations/s1/messages/{first['timestamp']}"
    assert other.put(f"{path}/hold").status_code == 409
    assert api.put(f"{path}/hold").status_code == 204
    assert api.delete(f"{path}/hold").status_code == 204
    assert MessageLease.objects.count() == 1
    assert api.put(f"{path}/intent", {"intent": "greet"}).json()["said_times"] == 2
    assert [one["text"] for one in api.get("/projects/cafe/inbox").json()] == ["hmm"]


def test_examples_are_accepted_into_a_revision(api) -> None:
    for sender, at, intent in (("s1", NOW + 1, "bye"), ("s0", NOW, "ponder")):
        api.put(f"/projects/cafe/conversations/{sender}/messages/{at}/intent", {"intent": intent})
    bye, ponder = api.get("/projects/cafe/inbox/examples").json()
    assert (bye["intent"], bye["is_new_intent"], bye["sender_id"], bye["message_timestamp"]) == (
        "bye",
        False,
        "s1",
        NOW + 1,
    )
    assert (ponder["is_new_intent"], ponder["state"]) == (True, "pending")
    numbers = [bye["number"], ponder["number"]]
    answer = api.post("/projects/cafe/inbox/examples/accept", {"examples": numbers, "message": "From the café"})
    assert answer.json() == {
        "revision": 2,
        "taken": 1,
        "left": {"have an intent that the domain does not name": 1},
    }
    assert Revision.objects.latest("pk").message == "From the café"
    assert api.get("/projects/cafe/inbox/examples?state=accepted").json()[0]["revision"] == 2
    wishes = {"examples": numbers, "new_intents": ["ponder"]}
    assert api.post("/projects/cafe/inbox/examples/accept", wishes).json()["revision"] == 3


def test_examples_are_discarded_and_brought_back(api) -> None:
    api.put(f"/projects/cafe/conversations/s0/messages/{NOW}/intent", {"intent": "bye"})
    chosen = {"examples": [Correction.objects.get().pk]}
    assert api.post("/projects/cafe/inbox/examples/discard", chosen).json() == {"examples": 1}
    assert api.post("/projects/cafe/inbox/examples/discard", chosen).status_code == 409
    assert api.post("/projects/cafe/inbox/examples/restore", chosen).json() == {"examples": 1}
    assert AuditEvent.objects.filter(action=Action.EXAMPLES_DISCARDED).count() == 1
    for wrong in ({"examples": []}, {"examples": ["x"]}, {}):
        assert api.post("/projects/cafe/inbox/examples/discard", wrong).status_code == 422
    assert api.post("/projects/cafe/inbox/examples/discard", {"examples": [10**30]}).status_code == 409


def test_a_conversation_is_read_and_kept_as_stories(api) -> None:
    read = api.get("/projects/cafe/conversations/s1/stories").json()
    assert (read["kind"], read["stories"], read["is_part"]) == ("training", 1, False)
    assert "- intent: greet" in read["yaml"]
    kept = api.post("/projects/cafe/conversations/s1/stories", {"kind": "test", "name": "hola twice"})
    assert (kept.status_code, kept.json()) == (
        201,
        {"revision": 2, "file": "tests/test_conversations.yml", "stories": 1},
    )
    training = {"name": "hola", "file": "data/stories.yml"}
    assert api.post("/projects/cafe/conversations/s1/stories", training).status_code == 201
    again = api.post("/projects/cafe/conversations/s1/stories", training)
    assert (again.status_code, again.json()["details"]) == (422, {"field": "name"})
    assert api.get("/projects/cafe/conversations/s1/stories?kind=odd").status_code == 422
    assert api_of("tester").post("/projects/cafe/conversations/s1/stories", {}).status_code == 404


def test_who_may_not_read_what_people_said_sees_no_inbox(cafe) -> None:
    tester = api_of("tester")
    assert tester.get("/projects/cafe/inbox").status_code == 403
    assert tester.post("/projects/cafe/inbox/next").status_code == 403
    assert tester.get("/projects/cafe/inbox/examples").status_code == 403
    assert tester.post("/projects/cafe/inbox/examples/discard", {"examples": [1]}).status_code == 403
