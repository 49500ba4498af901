"""GET /api/conversations, one conversation, and the names that filters take."""

import json
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conversations.models import Conversation
from models_app.models import Assistant
from studio.access.permissions import Scope
from tests.conversations.api import Api, api_of
from tests.conversations.events import bot, small_talk, user
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db
START = 1_790_000_000.0


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("default")


@pytest.fixture
def api() -> Api:
    return api_of()


def test_a_conversation_has_the_metadata_that_scripts_read(cafe, api) -> None:
    store_events(environment_of(cafe), *small_talk(START))
    answer = api.get("/conversations")
    assert answer.json() == [
        {
            "sender_id": "anna",
            "sender_name": None,
            "latest_event_time": START + 1.3,
            "latest_input_channel": "rasa",
            "intents": ["greet"],
            "actions": ["action_listen", "action_session_start", "utter_greet"],
            "policies": ["RulePolicy"],
            "minimum_action_confidence": 1.0,
            "maximum_action_confidence": 1.0,
            "minimum_intent_confidence": 0.97,
            "maximum_intent_confidence": 0.97,
            "in_training_data": False,
            "review_status": "unread",
            "n_user_messages": 1,
            "has_flagged_messages": False,
            "corrected_messages": [],
            "interactive": False,
            "tags": [],
            "created_by": None,
            "environment": "production",
            "first_event_time": START,
            "first_message": "hi",
            "origin": "real",
            "share_link": None,
            "model": "m-1",
            "models": ["m-1"],
            "entities": [],
            "slots": ["day"],
            "channels": ["rasa"],
            "n_events": 8,
            "n_bot_messages": 1,
            "n_actions": 4,
            "n_sessions": 1,
            "n_not_understood": 0,
            "n_rejected_actions": 0,
            "handover_time": None,
            "reviewed_by": None,
            "review_time": None,
            "is_unread": True,
            "rated_up": 0,
            "rated_down": 0,
            "n_comments": 0,
        }
    ]
    assert (answer["X-Total-Count"], answer["X-Total-Count-Exact"]) == ("1", "true")
    assert api.get("/projects/default/conversations").json() == answer.json()
    assert api.get("/conversations/anna/metadata").json() == answer.json()[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("environment=production", {"anna", "bob"}),
        ("environment=worker", set()),
        ("intent=greet", {"anna"}),
        ("action=utter_greet", {"anna"}),
        ("entity=city=paris", {"bob"}),
        ("text=rain", {"bob"}),
        ("q=rain", {"bob"}),
        ("minimumUserMessages=2", {"bob"}),
        ("maximumConfidence=0.5", {"bob"}),
        ("maximumConfidence=0.4", set()),
        (f"start={START + 500}", {"bob"}),
        (f"until={START + 500}", {"anna"}),
        ("start=2026-09-21T14:20:00Z", {"bob"}),
        ("is_flagged=true", set()),
        ("is_flagged=false", {"anna", "bob"}),
        ("review_status=unread", {"anna", "bob"}),
        ("review_status=saved_for_later", set()),
        ("unknown=parameter", {"anna", "bob"}),
    ],
)
def test_lists_are_narrowed_by_the_names_of_scripts_and_by_ours(cafe, api, query, found) -> None:
    ask = {"intent": "ask_weather", "confidence": 0.5, "sender": "bob"}
    paris = [{"entity": "city", "value": "Paris", "start": 0, "end": 5}]
    store_events(environment_of(cafe), *small_talk(START))
    store_events(
        environment_of(cafe), user("rain?", START + 1000, entities=paris, **ask), user("x", START + 1001, **ask)
    )
    assert {one["sender_id"] for one in api.get(f"/conversations?{query}").json()} == found


@pytest.mark.parametrize(
    "query",
    ["maximumConfidence=2", "minimumUserMessages=x", "environment=none", "start=soon", "start=nan", "until=1e999",
     "tz=Moon", "limit=-1", "cursor=xx", "offset=20000", "since=2026-02-30", "tag=%C3%A4", "flagged=maybe"],
)  # fmt: skip
def test_what_no_filter_takes_is_refused_with_its_name(cafe, api, query) -> None:
    answer = api.get(f"/conversations?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, 422)
    name = query.partition("=")[0]
    if name not in ("limit", "cursor", "offset"):
        assert answer.json()["details"]["errors"][0]["where"] == ("before" if name == "until" else name)


def test_pages_follow_one_another_and_cost_the_same(cafe, api) -> None:
    for number in range(5):
        store_events(environment_of(cafe), *small_talk(START + number, f"s{number}"))
    first = api.get("/conversations?limit=2&sort=newest")
    with CaptureQueriesContext(
        connection,
    ) as few:
        second = api.get(f"/conversations?limit=2&cursor={first['X-Next-Cursor']}")
    with CaptureQueriesContext(connection) as many:
        everything = api.get("/conversations")
    seen = [one["sender_id"] for answer in (first, second) for one in answer.json()]
    assert seen == ["s4", "s3", "s2", "s1"]
    assert f"cursor={second['X-Next-Cursor']}" in second["Link"]
    assert (second["X-Total-Count"], second["X-Limit"]) == ("5", "2")
    assert len(everything.json()) == 5
    assert "Link" not in everything
    assert len(few) == len(many) <= 25
    assert [one["sender_id"] for one in api.get("/conversations?limit=2&offset=3").json()] == ["s1", "s0"]


def test_one_sees_what_one_may_see(cafe) -> None:
    worker = environment_of(cafe, "worker")
    store_events(environment_of(cafe), *small_talk(START))
    store_events(worker, *small_talk(START, "wim"))
    only = api_of("annotator", Scope(cafe.pk, worker.pk))
    assert [one["sender_id"] for one in only.get("/conversations").json()] == ["wim"]
    assert only.get("/conversations/anna").status_code == 404
    assert api_of("tester").get("/conversations").json() == []
    assert api_of("annotator", Scope(make_assistant().pk)).get("/conversations").status_code == 404
    assert Client().get("/api/conversations").status_code == 401


def test_a_tracker_is_rasas(cafe, api) -> None:
    store_events(environment_of(cafe), *small_talk(START))
    answer = api.get("/conversations/anna")
    tracker = json.loads(answer.getvalue())
    assert tracker["sender_id"] == "anna"
    assert tracker["slots"] == {"day": "Sunday"}
    assert tracker["latest_message"]["intent"] == {"name": "greet", "confidence": 0.97}
    assert (tracker["latest_event_time"], tracker["paused"]) == (START + 1.3, False)
    events = api.get("/conversations/anna/events")
    assert events.json() == tracker["events"]
    assert (len(events.json()), events["X-Total-Count"], events["Content-Type"]) == (8, "8", "application/json")


def test_events_come_in_parts(cafe, api) -> None:
    store_events(environment_of(cafe), *small_talk(START))
    first = api.get("/conversations/anna/events?limit=3")
    rest = api.get(f"/conversations/anna/events?cursor={first['X-Next-Cursor']}")
    assert [one["event"] for one in first.json() + rest.json()] == [one["event"] for one in small_talk()]
    assert api.get("/conversations/anna/events?cursor=MQ").status_code == 422
    assert [one["event"] for one in api.get("/conversations/anna/events?offset=7").json()] == ["action"]


def test_messages_are_what_was_said(cafe, api) -> None:
    store_events(environment_of(cafe), *small_talk(START))
    said, answered = api.get("/conversations/anna/messages").json()
    assert said == {
        "timestamp": START + 1,
        "type": "user",
        "text": "hi",
        "data": {},
        "intent": {"name": "greet", "confidence": 0.97},
        "intent_ranking": [{"name": "greet", "confidence": 0.97}],
        "entities": [],
        "channel": "rasa",
        "model": "m-1",
        "is_flagged": False,
        "tags": [],
        "correction": None,
    }
    assert (answered["type"], answered["text"], answered["intent"]) == ("bot", "Hello!", None)


@pytest.mark.parametrize("sender", ["a/b", "a b", "ä?#&%", "events", "a/events/b", "..", "x" * 500])
def test_a_sender_id_may_hold_any_characters(cafe, api, sender) -> None:
    store_events(environment_of(cafe), bot("Hello!", START, sender=sender))
    assert json.loads(api.get(f"/conversations/{quote(sender, safe='')}").getvalue())["sender_id"] == sender
    assert len(api.get(f"/conversations/{quote(sender, safe='')}/messages").json()) == 1


def test_numbers_that_are_none_are_null(cafe, api) -> None:
    odd = json.dumps(bot("x", START, data={"custom": {"n": float("nan")}})).encode()
    store_events(environment_of(cafe), odd)
    (event,) = json.loads(api.get("/conversations/anna/events").content, parse_constant=pytest.fail)
    assert event["data"]["custom"] == {"n": None}
    (message,) = json.loads(api.get("/conversations/anna/messages").content, parse_constant=pytest.fail)
    assert message["data"] == {"custom": {"n": None}}


def test_names_are_those_that_occur(cafe, api) -> None:
    store_events(environment_of(cafe), *small_talk(START))
    assert api.get("/conversationIntents").json() == ["greet"]
    assert api.get("/conversationActions").json() == ["action_listen", "action_session_start", "utter_greet"]
    assert api.get("/conversationEntities").json() == []
    assert api.get("/conversationPolicies").json() == ["RulePolicy"]
    assert api.get("/projects/default/conversationSlots?limit=1").json() == ["day"]
    assert api.get("/conversationChannels")["X-Total-Count"] == "1"
    assert api.get("/conversationTags").json() == []
    some = api_of("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    assert some.get("/conversationIntents").json() == []
    assert api_of("tester").get("/conversationIntents").status_code == 403


def test_a_list_of_more_than_are_counted_says_so(cafe, api, monkeypatch) -> None:
    monkeypatch.setattr("conversations.paging.COUNTED", 2)
    for number in range(4):
        store_events(environment_of(cafe), *small_talk(START + number, f"s{number}"))
    answer = api.get("/conversations?limit=1")
    assert (answer["X-Total-Count"], answer["X-Total-Count-Exact"]) == ("2", "false")
    assert Conversation.objects.count() == 4


def test_filters_are_saved_shared_and_deleted(cafe, api) -> None:
    path = "/projects/default/conversationFilters"
    made = api.post(path, {"name": "Unsure", "filters": {"maximumConfidence": "0.5"}})
    assert made.status_code == 422, "the page has it as below"
    made = api.post(path, {"name": "Unsure", "filters": {"below": "0.5", "text": "tea"}, "is_shared": True})
    assert made.json() == {
        "number": made.json()["number"],
        "name": "Unsure",
        "filters": {"below": "0.5", "q": "tea"},
        "query": "below=0.5&q=tea",
        "is_shared": True,
        "owner": api.person.username,
    }
    one = f"{path}/{made.json()['number']}"
    other = api_of("annotator")
    assert [row["name"] for row in other.get(path).json()] == ["Unsure"]
    assert other.put(one, {"name": "Mine"}).status_code == 403
    assert api.put(one, {"is_shared": False}).json()["name"] == "Unsure"
    assert other.get(path).json() == []
    assert api.post(path, {"name": "Unsure", "filters": {"q": "x"}}).status_code == 409
    assert api.post(path, {"name": "None", "filters": {}}).status_code == 422
    assert api.delete(one).status_code == 204
    assert api.get(path).json() == []
