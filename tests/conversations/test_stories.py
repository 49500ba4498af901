"""A conversation to take along: stories for Rasa, and its tracker."""

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from conversations import window
from conversations.ingest.write import Stored
from conversations.models import Conversation
from conversations.presentation.annotation import annotated
from conversations.presentation.stories import file_yaml, stories_of
from conversations.presentation.tracker import tracker_json
from tests.clients import client_of
from tests.conversations.events import action, bot, event, slot, small_talk, user
from tests.conversations.test_decode import json_values, unhurried
from tests.conversations.test_presentation import rows
from tests.factories import make_person

Make = Callable[..., Stored]


def stories(*events: dict, kind: str = "training") -> list[dict]:
    text = file_yaml(stories_of(rows(*events), kind, "conversation 7"))
    return YAML(typ="safe", pure=True).load(text)["stories"]


def steps(*events: dict, kind: str = "training") -> list[dict]:
    (story,) = stories(*events, kind=kind)
    return story["steps"]


def test_a_training_story_has_intents_slots_and_actions():
    assert steps(*small_talk()) == [
        {"intent": "greet"}, {"slot_was_set": [{"day": "Sunday"}]}, {"action": "utter_greet"},
    ]  # fmt: skip


def test_a_new_session_that_a_policy_decided_on_ends_the_story():
    events = [*small_talk(), action("action_session_start", 1_790_000_002.0), event("session_started", 1_790_000_002.1)]
    assert steps(*events)[-1] == {"action": "action_session_start"}
    assert {"action": "action_session_start"} not in steps(*small_talk())


def test_it_reads_as_people_write_it():
    found = [{"entity": "people", "value": "2", "start": 10, "end": 13}]
    text = file_yaml(stories_of(rows(user("table for two", 1.0, intent="book", entities=found), event("active_loop", 2.0, name=None)), "training", "conversation 7"))  # fmt: skip
    assert text == (
        'version: "3.1"\nstories:\n- story: conversation 7\n  steps:\n'
        "  - intent: book  # table for two\n    entities:\n    - people: '2'\n  - active_loop: null\n"
    )


def test_a_test_story_has_what_people_wrote_with_its_entities():
    found = [
        {"entity": "people", "value": 2, "start": 10, "end": 13},
        {"entity": "city", "value": "Bonn", "start": 17, "end": 21, "role": "to"},
        {"entity": "day", "value": "today", "start": 22, "end": 27},
    ]
    said = user("table for two in Bonn today", 1.0, intent="book", entities=found)
    assert steps(said, kind="test") == [
        {
            "user": 'table for [two]{"entity": "people", "value": 2} in [Bonn]{"entity": "city", "role": "to"} [today](day)',
            "intent": "book",
        }
    ]


@pytest.mark.parametrize(
    ("text", "entities", "kept"),
    [
        ("two or three", [(0, 3, "a"), (0, 12, "b")], "[two or three](b)"),  # of two at one place the longer
        ("two or three", [(0, 6, "a"), (4, 12, "b")], "[two or](a) three"),
        ("two", [(0, 9, "a")], "two"),
        ("[two]", [(0, 5, "a")], "[two]"),
        ('/book{"people": 2}', [(6, 12, "people")], '/book{"people": 2}'),
        ("two", [(-3, 3, "a"), (2, 2, "a"), (None, None, "a")], "two"),
        ("two", [(0, 3, "a:b")], '[two]{"entity": "a:b"}'),
    ],
)
def test_entities_that_cannot_be_written_are_left_out(text: str, entities: list, kept: str):
    found = [{"entity": name, "value": text[start:end], "start": start, "end": end} for start, end, name in entities]
    assert annotated(text, found) == kept


def test_each_session_and_each_restart_begins_a_story():
    found = stories(*small_talk(1.0), *small_talk(100.0), event("restart", 200.0), user("again", 201.0))
    assert [one["story"] for one in found] == [f"conversation 7, session {number}" for number in (1, 2, 3)]
    assert found[2]["steps"] == [{"intent": "greet"}]


def test_a_form_starts_asks_and_ends():
    assert steps(
        user("a table", 1.0, intent="book"),
        action("book_form", 1.1),
        event("active_loop", 1.2, name="book_form"),
        slot("requested_slot", "people", 1.3),
        bot("How many?", 1.4),
        slot("people", 4, 2.0),
        slot("requested_slot", None, 2.1),
        event("active_loop", 2.2, name=None),
    ) == [
        {"intent": "book"},
        {"action": "book_form"},
        {"active_loop": "book_form"},
        {"slot_was_set": [{"requested_slot": "people"}]},
        {"slot_was_set": [{"people": 4}]},
        {"slot_was_set": [{"requested_slot": None}]},
        {"active_loop": None},
    ]


def test_what_rasa_does_by_itself_is_no_step():
    quiet = [
        action("action_unlikely_intent", 1.0),
        event("action_execution_rejected", 1.1, name="book_form"),
        event("user_featurization", 1.2, use_text_for_featurization=False),
        event("loop_interrupted", 1.3, is_interrupted=True),
        slot("session_started_metadata", {"a": 1}, 1.4),
        event("reminder", 1.5, intent="x"),
        event("something_new", 1.6),
    ]
    assert steps(user("hi", 0.5), *quiet, action("utter_greet", 2.0)) == [
        {"intent": "greet"},
        {"action": "utter_greet"},
    ]


def test_what_was_taken_back_is_no_step():
    listen = action("action_listen", 1.0)
    assert steps(
        listen, user("hi", 1.0), action("utter_greet", 1.1),
        listen, user("oops", 2.0, intent="oops"), event("rewind", 2.1),
        action("utter_a", 3.0), event("undo", 3.1), action("utter_b", 3.2),
    ) == [{"intent": "greet"}, {"action": "utter_greet"}, {"action": "utter_b"}]  # fmt: skip


def test_messages_without_an_intent_stay_as_what_was_said():
    unknown = event("user", 1.0, text="blorp", parse_data={})
    fallback = user("??", 2.0, intent="nlu_fallback")
    assert steps(unknown, fallback) == [{"user": "blorp"}, {"intent": "nlu_fallback"}]
    assert stories(event("user", 1.0, text=None, parse_data={})) == []


def test_a_turn_that_was_chosen_by_its_words_is_a_story_of_words():
    by_words = event("user_featurization", 1.1, use_text_for_featurization=True)
    said = event("action", 1.2, name=None, action_text="Hello to you.")
    assert steps(user("hi", 1.0), by_words, said, user("ho", 2.0)) == [
        {"user": "hi"}, {"bot": "Hello to you."}, {"intent": "greet"},
    ]  # fmt: skip


def test_a_retrieval_intent_is_whole_in_test_stories_alone():
    said = user("when?", 1.0, intent="faq")
    said["parse_data"]["response_selector"] = {
        "all_retrieval_intents": ["faq"],
        "faq": {"response": {"intent_response_key": "faq/hours"}},
    }
    assert steps(said, kind="test")[0]["intent"] == "faq/hours"
    assert steps(said)[0]["intent"] == "faq"


def test_nothing_said_is_no_story():
    assert stories(action("action_session_start", 1.0), event("session_started", 2.0)) == []


@unhurried
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ("text", "name", "value", "parse_data", "action_text", "is_interrupted"), json_values
            ),
        )
        | st.fixed_dictionaries({"text": st.text(), "parse_data": st.just({"intent": {"name": "a"}})}),
        max_size=4,
    ),
    st.sampled_from(["user", "action", "slot", "active_loop", "rewind", "undo", "bot"]),
    st.sampled_from(["training", "test"]),
)
def test_whatever_events_hold_a_story_is_yaml_and_can_be_sent(fields: list, kind: str, story: str):
    events = [{"event": kind, "timestamp": float(number)} | one for number, one in enumerate(fields)]
    made = stories_of(rows(*events), story, "conversation 7")
    text = file_yaml(made)
    text.encode()
    assert len(YAML(typ="safe", pure=True).load(text)["stories"]) == len(made)


def tracker(*events: dict) -> dict:
    return json.loads("".join(tracker_json("anna", rows(*events))))


def test_a_tracker_has_every_event_and_what_they_add_up_to():
    found = tracker(*small_talk(), event("active_loop", 1_790_000_002.0, name="book_form"))
    assert found["sender_id"] == "anna" and len(found["events"]) == 9
    assert found["slots"] == {"day": "Sunday"}
    assert found["latest_message"]["intent"]["name"] == "greet"
    assert found["active_loop"] == {"name": "book_form"}
    assert found["latest_event_time"] == 1_790_000_002.0
    assert found["latest_action_name"] == "action_listen" and found["paused"] is False


def test_a_restart_forgets_what_was_before():
    found = tracker(*small_talk(), event("pause", 1_790_000_002.0), event("restart", 1_790_000_003.0))
    assert found["slots"] == {"day": None} and found["latest_message"] == {} and found["paused"] is False


def test_a_tracker_without_events_is_one_too():
    assert tracker()["events"] == []


@pytest.fixture
def client(db: None) -> Client:
    return client_of(make_person("annotator"))


def address(name: str, conversation: Conversation, query: str = "") -> str:
    return reverse(f"conversations:{name}", args=[conversation.assistant.slug, conversation.pk]) + query


def test_the_download_is_whole_however_long(client: Client, stored: Make):
    stored(*(one for number in range(400) for one in (user(f"{number}", number), bot("y", number + 0.2))))
    response = client.get(address("download", Conversation.objects.get()))
    assert 'filename="conversation-' in response["Content-Disposition"]
    found = json.loads(response.getvalue())
    assert [one["text"] for one in found["events"][:2]] == ["0", "y"] and len(found["events"]) == 800


def test_the_dialog_offers_both_kinds_to_copy(client: Client, stored: Make):
    stored(*small_talk())
    one = Conversation.objects.get()
    shown = client.get(address("story", one), headers={"HX-Request": "true"}).content.decode()
    assert "intent: greet" in shown and "user:" not in shown and 'data-copy-from="story-text"' in shown
    shown = client.get(address("story", one, "?kind=test"), headers={"HX-Request": "true"}).content.decode()
    assert "user: |-" in shown


def test_of_an_endless_conversation_the_story_is_of_the_part_that_is_shown(
    client: Client, stored: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(window, "SHOWN", 10)
    monkeypatch.setattr(window, "AROUND", 5)
    stored(*(user(f"message-{number}.", float(number)) for number in range(40)))
    one = Conversation.objects.get()
    shown = client.get(address("story", one)).content.decode()
    assert "message-39." in shown and "message-20." not in shown and "the part of the conversation" in shown
    middle = one.events.get(text="message-20.")
    assert "message-20." in client.get(address("story", one, f"?at={middle.pk}")).content.decode()
