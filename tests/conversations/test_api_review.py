"""Corrections, flags, tags, review and read marks by the API."""

import pytest

from conversations.models import Conversation, Correction, Mark, ReadMark
from models_app.models import Assistant
from studio.access.permissions import Scope
from tests.conversations.api import Api, api_of
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db
START = 1_790_000_000.0
MESSAGE = f"/conversations/anna/messages/{START + 1}"


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def cafe() -> Assistant:
    cafe = make_assistant("default")
    store_events(environment_of(cafe), *small_talk(START))
    return cafe


@pytest.fixture
def api(cafe) -> Api:
    return api_of("annotator")


def test_an_intent_is_corrected_and_taken_back(api) -> None:
    answer = api.put(f"{MESSAGE}/intent", {"intent": "book_table", "mapped_to": None})
    row = Correction.objects.get()
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "intent": "book_table",
            "entities": [],
            "kind": "corrected",
            "state": "pending",
            "person": api.person.username,
            "at": row.at.timestamp(),
            "said_times": 1,
            "revision": None,
        },
    )
    listed = api.get("/conversations").json()[0]
    assert listed["corrected_messages"] == [{"message_timestamp": START + 1, "intent": "book_table"}]
    assert api.get("/conversations/anna/messages").json()[0]["correction"]["intent"] == "book_table"
    assert api.delete(f"{MESSAGE}/intent?expected_at={row.at.timestamp() - 1}").status_code == 409
    assert api.delete(f"{MESSAGE}/intent?expected_at=1e99").status_code == 422 and Correction.objects.exists()
    assert api.delete(f"{MESSAGE}/intent?expected_at={row.at.timestamp()}").status_code == 204
    assert not Correction.objects.exists()
    api.put(f"{MESSAGE}/intent", {"intent": "book_table"})
    assert api.delete(f"{MESSAGE}/intent").status_code == 204
    assert not Correction.objects.exists()


def test_entities_are_said_with_the_intent(api) -> None:
    entities = [{"start": 0, "end": 2, "entity": "word", "role": "first"}]
    answer = api.put(f"/projects/default{MESSAGE}/intent", {"intent": "greet", "entities": entities})
    assert answer.json()["entities"] == [
        {"start": 0, "end": 2, "entity": "word", "value": "hi", "role": "first", "group": ""}
    ]


def test_a_message_may_be_no_example(api) -> None:
    answer = api.put(f"{MESSAGE}/intent", {"intent": None})
    assert (answer.json()["kind"], answer.json()["state"]) == ("ignored", "discarded")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{MESSAGE}/intent", {"intent": "no name"}, 422),
        (f"{MESSAGE}/intent", {"intent": "greet", "entities": [{"start": 0, "end": 99, "entity": "x"}]}, 422),
        (f"{MESSAGE}/intent", {"intent": "greet\0"}, 400),
        (f"{MESSAGE}/intent", {}, 422),
        (f"/conversations/anna/messages/{START + 2}/intent", {"intent": "greet"}, 404),
        ("/conversations/anna/messages/nan/intent", {"intent": "greet"}, 404),
        ("/conversations/anna/messages/soon/intent", {"intent": "greet"}, 422),
        ("/conversations/bob/messages/1/intent", {"intent": "greet"}, 404),
    ],
)
def test_what_cannot_be_said_of_a_message_is_refused(api, path, body, status) -> None:
    assert api.put(path, body).status_code == status


def test_a_time_that_lost_its_last_digits_still_names_the_message(api) -> None:
    assert api.put(f"/conversations/anna/messages/{START + 1.0000004}/intent", {"intent": "greet"}).status_code == 200


def test_flags_and_tags_are_set_and_taken_off(api) -> None:
    assert api.put(f"{MESSAGE}/flag").status_code == 204
    assert api.put(f"{MESSAGE}/tags/Refund", {"note": "twice"}).status_code == 204
    assert api.put("/conversations/anna/tags/vip").status_code == 204
    listed = api.get("/conversations?is_flagged=true").json()[0]
    assert (listed["has_flagged_messages"], listed["tags"]) == (True, ["refund", "vip"])
    marks = api.get("/conversations/anna/marks").json()
    assert [(one["kind"], one["name"], one["note"], one["message_timestamp"]) for one in marks] == [
        ("flag", "", "", START + 1),
        ("tag", "refund", "twice", START + 1),
        ("tag", "vip", "", None),
    ]
    assert api.put(f"{MESSAGE}/tags/refund", {"note": "thrice"}).status_code == 204
    assert api.put(f"{MESSAGE}/tags/refund").status_code == 204
    assert Mark.objects.get(name="refund").note == "thrice"
    assert api.get("/conversationTags").json() == ["refund", "vip"]
    part = api.get("/conversationTags?limit=1")
    assert (part.json(), part["X-Total-Count"], part["X-Limit"]) == (["refund"], "2", "1")
    for path in (f"{MESSAGE}/flag", f"{MESSAGE}/tags/refund", "/conversations/anna/tags/vip"):
        assert api.delete(path).status_code == 204
    assert api.delete(f"{MESSAGE}/flag").status_code == 204
    assert not Mark.objects.exists()
    assert api.put("/conversations/anna/flag", {"note": "look"}).status_code == 204
    assert api.delete("/conversations/anna/flag").status_code == 204
    assert api.put("/conversations/anna/tags/ä").status_code == 422
    assert api.put("/conversations/anna/flag", {"note": "x" * 3000}).status_code == 422


def test_what_the_team_made_of_it_can_be_undone(api) -> None:
    done = api.put("/conversations/anna/reviewStatus", {"review_status": "reviewed"}).json()
    assert done["review_status"] == "reviewed"
    assert api.get("/conversations/anna/metadata").json()["reviewed_by"] == api.person.username
    undone = api.put("/conversations/anna/reviewStatus", {"undo": done["undo"]})
    assert undone.json() == {"review_status": "unread", "undo": ""}
    assert Conversation.objects.get().review_state == ""
    assert api.put("/conversations/anna/reviewStatus", {"review_status": "odd"}).status_code == 422
    assert api.put("/conversations/anna/reviewStatus", {"undo": "odd"}).status_code == 422
    assert api.put("/conversations/anna/reviewStatus", {"review_status": "saved_for_later"}).status_code == 200
    assert len(api.get("/conversations?review_status=saved_for_later").json()) == 1


def test_read_marks_are_ones_own(api) -> None:
    assert api.put("/conversations/anna/read").status_code == 204
    assert api.get("/conversations/anna/metadata").json()["is_unread"] is False
    assert api_of("annotator").get("/conversations/anna/metadata").json()["is_unread"] is True
    assert api.delete("/conversations/anna/read").status_code == 204
    assert api.put("/conversations/anna/read", {"until": START}).status_code == 204
    assert ReadMark.objects.get().read_until == START


def test_who_may_not_flag_is_refused(cafe) -> None:
    viewer = api_of("tester")
    Conversation.objects.update(talker=viewer.person)
    assert viewer.put(f"{MESSAGE}/flag").status_code == 403
    assert viewer.put(f"{MESSAGE}/intent", {"intent": "greet"}).status_code == 403
    assert viewer.put("/conversations/anna/reviewStatus", {"review_status": "reviewed"}).status_code == 403
    assert viewer.put("/conversations/anna/read").status_code == 204
    other = api_of("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    assert other.put(f"{MESSAGE}/flag").status_code == 404
