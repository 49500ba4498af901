"""Why the assistant did what it did in one turn."""

from typing import Any

from conversations.presentation.applied import applied
from conversations.presentation.explained import Explanation, explained, turn_around
from tests.conversations.events import action, bot, event, slot, small_talk, user
from tests.conversations.test_presentation import rows

FORM = [
    action("action_listen", 1.0, None),
    user("a table please", 2.0, intent="book_table"),
    action("book_table_form", 2.1),
    event("active_loop", 2.2, name="book_table_form"),
    slot("requested_slot", "people", 2.3),
    bot("How many?", 2.4),
    action("action_listen", 2.5),
    user(
        "two on Sunday",
        3.0,
        intent="inform",
        ranking=[{"name": "inform", "confidence": 0.8}, {"name": "ask_hours", "confidence": 0.1}],
        entities=[
            {"entity": "people", "value": 2, "start": 0, "end": 3, "extractor": "DIETClassifier"},
            {"entity": "number", "value": 2, "start": 0, "end": 3, "extractor": "DucklingEntityExtractor"},
            {"entity": "day", "value": "Sunday", "start": 7, "end": 13, "role": "from", "group": "1"},
        ],
    ),
    slot("people", 2, 3.1),
    action("book_table_form", 3.2),
    slot("requested_slot", "day", 3.3),
    bot("When?", 3.4),
    action("action_listen", 3.5),
]


def turn_of(events: list[dict[str, Any]], at: int) -> Explanation:
    found = rows(*events)
    begins, ends = turn_around(found, at)
    return explained(found[:begins], found[begins:ends])


def test_a_turn_tells_what_was_understood_remembered_and_decided():
    turn = turn_of(FORM, 9)
    assert turn.message is not None
    assert turn.message.text == "two on Sunday"
    assert [(one.name, one.confidence) for one in turn.message.understanding.ranking] == [
        ("inform", 0.8),
        ("ask_hours", 0.1),
    ]
    assert [(one.name, one.value, one.before) for one in turn.changed] == [("people", "2", None)]
    assert (turn.loop, turn.requested) == ("book_table_form", "day")
    assert [(one.name, one.policy, one.confidence) for one in turn.decisions] == [
        ("book_table_form", "RulePolicy", 1.0),
        ("action_listen", "RulePolicy", 1.0),
    ]
    assert round(turn.seconds, 3) == 0.5
    assert [round(one.after, 3) for one in turn.decisions] == [0.2, 0.5]


def test_entities_are_marked_in_the_text_and_the_first_of_one_place_alone():
    turn = turn_of(FORM, 7)
    assert [(one.name, one.extractor) for one in turn.entities][1] == ("number", "DucklingEntityExtractor")
    assert turn.marked.count("<mark>") == 2
    assert "<mark>two<small>people = 2</small></mark> on <mark>Sunday<small>day from 1</small></mark>" in turn.marked


def test_what_slots_held_before_a_rewind_is_not_what_they_hold_after_it():
    events = [*small_talk(1.0), event("rewind", 20.0), action("action_listen", 20.1, None), user("hello", 30.0)]
    turn = turn_of(events, len(events) - 1)
    assert turn.slots == []


def test_an_action_that_did_not_run_is_among_the_decisions():
    rejected = event(
        "action_execution_rejected", 4.1, name="book_table_form", policy="policy_1_RulePolicy", confidence=1.0
    )
    turn = turn_of([user("wifi?", 4.0), rejected, action("utter_wifi", 4.2)], 0)
    assert [(one.name, one.is_rejected) for one in turn.decisions] == [("book_table_form", True), ("utter_wifi", False)]


def test_the_text_of_a_message_is_no_markup():
    evil = user("<b>x</b>", 1.0, entities=[{"entity": "<i>", "value": "v", "start": 0, "end": 3}])
    assert "<b>" not in turn_of([evil], 0).marked
    assert "<i>" not in turn_of([evil], 0).marked


def texts(events: list[dict[str, Any]]) -> list[str]:
    by_pk = dict(zip((row.pk for row in rows(*events)), events, strict=True))
    return [
        by_pk[row.pk].get("text") or by_pk[row.pk].get("name") or by_pk[row.pk]["event"]
        for row in applied(rows(*events))
    ]


def test_a_rewind_takes_back_a_message_and_the_listening_before_it():
    events = [*small_talk(1.0), user("more", 10.0), action("utter_more", 10.1), action("action_listen", 10.2)]
    assert texts([*events, event("rewind", 11.0)])[-2:] == ["utter_greet", "Hello!"]


def test_a_rewind_takes_a_form_back_as_a_whole_as_rasa_does():
    assert texts([*FORM, event("rewind", 9.0)]) == []
