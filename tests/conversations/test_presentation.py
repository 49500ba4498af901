"""Events become what people read."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.presentation import Divider, Machinery, Message, reply_message, slots_after, timeline
from conversations.presentation.reading import moment
from tests.conversations.events import action, bot, event, slot, small_talk, user
from tests.conversations.test_decode import json_values, unhurried


@dataclass
class Row:
    pk: int
    kind: str
    timestamp: float
    payload: str


def rows(*events: dict[str, Any]) -> list[Row]:
    return [Row(number, one["event"], one["timestamp"], json.dumps(one)) for number, one in enumerate(events, 1)]


def messages(*events: dict[str, Any]) -> list[Message]:
    return [item for item in timeline(rows(*events)) if isinstance(item, Message)]


def machinery(*events: dict[str, Any]) -> Machinery:
    (found,) = [item for item in timeline(rows(*events)) if isinstance(item, Machinery)]
    return found


def test_a_turn_reads_as_day_session_question_machinery_answer():
    items = timeline(rows(*small_talk()))
    assert [item.kind if isinstance(item, Divider) else item.shape for item in items] == [
        "day", "machinery", "session", "machinery", "message", "machinery", "message", "machinery",
    ]  # fmt: skip


def test_every_event_but_none_twice_can_be_linked_to():
    events = small_talk()
    ids = []
    for item in timeline(rows(*events)):
        ids += [step.event_id for step in item.steps] if isinstance(item, Machinery) else [item.event_id]
    assert [one for one in ids if one] == list(range(1, len(events) + 1))


def test_the_folded_line_names_the_slot_and_not_the_listening():
    found = machinery(
        slot("day", "Sunday", 1.0), action("utter_ask", 1.1, "policy_2_RulePolicy"), action("action_listen", 1.2)
    )
    assert [(step.text, step.subject, step.value) for step in found.loud] == [("slot", "day", "Sunday")]
    assert found.steps[1].policy == "RulePolicy 1.00"


def test_machinery_of_listening_alone_is_quiet():
    assert machinery(action("action_listen", 1.0)).is_quiet


def test_a_form_starts_and_ends():
    found = machinery(event("active_loop", 1.0, name="book_table_form"), event("active_loop", 2.0, name=None))
    assert [(step.subject, step.after or step.text) for step in found.loud] == [
        ("book_table_form", "started"),
        ("", "form ended"),
    ]


def test_a_forms_action_and_its_start_are_one_step_with_the_policy():
    found = machinery(
        action("book_table_form", 1.0, "policy_2_RulePolicy"), event("active_loop", 1.1, name="book_table_form")
    )
    assert [(step.subject, step.after, step.policy) for step in found.loud] == [
        ("book_table_form", "started", "RulePolicy 1.00")
    ]
    assert len(found.steps) == 2


def test_a_kind_that_nobody_knows_is_named():
    assert machinery(event("flow_started", 1.0, name="pay")).loud[0].text == "flow started"


def test_a_confident_message_is_sure():
    (one,) = messages(
        user("hi", 1.0, ranking=[{"name": "greet", "confidence": 0.97}, {"name": "bye", "confidence": 0.01}])
    )
    assert one.understanding is not None
    assert (one.understanding.level, one.understanding.runner_up.name) == ("sure", "bye")


@pytest.mark.parametrize(
    ("confidence", "second", "level"),
    [(0.41, 0.1, "unsure"), (0.8, 0.75, "unsure"), (0.8, 0.1, "sure")],
)
def test_low_or_ambiguous_confidence_is_unsure(confidence: float, second: float, level: str):
    ranking = [{"name": "inform", "confidence": confidence}, {"name": "diet", "confidence": second}]
    (one,) = messages(user("four", 1.0, intent="inform", confidence=confidence, ranking=ranking))
    assert one.understanding is not None and one.understanding.level == level


def test_a_fallback_names_the_best_real_intent():
    ranking = [{"name": "nlu_fallback", "confidence": 0.7}, {"name": "menu", "confidence": 0.3}]
    (one,) = messages(user("??", 1.0, intent="nlu_fallback", confidence=0.7, ranking=ranking))
    assert one.understanding is not None
    assert (one.understanding.level, one.understanding.runner_up.name) == ("fallback", "menu")


def test_entities_show_their_values_and_roles():
    (one,) = messages(
        user(
            "4 on Sunday",
            1.0,
            entities=[{"entity": "number", "value": 4}, {"entity": "day", "value": "Sunday", "role": "from"}],
        )
    )
    assert one.understanding is not None
    assert [(e.name, e.value, e.role) for e in one.understanding.entities] == [
        ("number", "4", ""),
        ("day", "Sunday", "from"),
    ]


def test_the_first_answer_tells_how_long_it_took_and_who_chose_it():
    question, answer, more = messages(
        user("hi", 10.0),
        action("utter_greet", 10.1, "policy_0_MemoizationPolicy"),
        bot("Hello!", 10.25, metadata={"utter_action": "utter_greet"}),
        bot("How are you?", 12.0),
    )
    assert question.answered_in == 0.25
    assert (answer.action, answer.policy) == ("utter_greet", "MemoizationPolicy 1.00")
    assert more.answered_in is None


def test_a_new_model_and_a_new_day_are_marked_between():
    items = timeline(rows(user("a", 10.0, model="m-1"), user("b", 90_000.0, model="m-2")), {"m-2": "brisk-otter"})
    assert [(item.kind, item.model) for item in items if isinstance(item, Divider)] == [
        ("day", ""), ("pause", ""), ("day", ""), ("model", "brisk-otter"),
    ]  # fmt: skip


def test_buttons_images_and_attachments_of_the_bot_are_kept():
    (one,) = messages(
        bot("Menu", 1.0, data={
            "buttons": [{"title": "12:00", "payload": "/inform{}"}, {"title": "Later"}],
            "image": "https://example.org/menu.png",
            "attachment": "https://example.org/menu.pdf",
        })
    )  # fmt: skip
    assert [(button.title, button.payload) for button in one.buttons] == [("12:00", "/inform{}"), ("Later", "Later")]
    assert (one.image, one.links, one.custom) == ("https://example.org/menu.png", ["https://example.org/menu.pdf"], "")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:image/svg+xml,x", "//evil.example/x.png", "/\\evil.example", "http://[", 7]
)
def test_addresses_that_a_browser_should_not_follow_are_dropped(address: object):
    (one,) = messages(bot("x", 1.0, data={"image": address}))
    assert (one.image, one.links) == ("", [])


def test_a_picture_over_plain_http_is_a_link_and_one_of_this_host_is_shown():
    (one,) = messages(bot("x", 1.0, data={"image": "http://example.org/a.png"}))
    assert (one.image, one.links) == ("", ["http://example.org/a.png"])
    (own,) = messages(bot("x", 1.0, data={"image": "/static/a.png"}))
    assert own.image == "/static/a.png"


def test_a_custom_payload_is_shown_as_json():
    (one,) = messages(bot(None, 1.0, data={"custom": {"card": ["x"]}}))
    assert json.loads(one.custom) == {"card": ["x"]}


def test_a_reply_of_the_channel_reads_like_its_event():
    reply = {"recipient_id": "a", "text": "Hello!", "buttons": [{"title": "Yes", "payload": "/affirm"}]}
    one = reply_message(reply, moment(1.0))
    assert (one.text, one.buttons[0].payload, one.by, one.event_id) == ("Hello!", "/affirm", "bot", None)


def test_slots_hold_what_was_set_last_and_a_new_session_forgets():
    set_twice = rows(
        slot("day", "Monday", 1.0), slot("day", "Sunday", 2.0), slot("people", 4, 3.0), slot("time", None, 4.0)
    )
    assert slots_after(set_twice) == {"day": "Sunday", "people": "4", "time": None}
    assert slots_after(rows(slot("day", "Monday", 1.0), event("session_started", 2.0))) == {"day": None}
    assert slots_after(rows(slot("day", "Monday", 1.0), event("restart", 2.0), slot("day", 1, 3.0))) == {"day": "1"}


def test_slots_that_only_rasa_uses_are_left_out():
    assert slots_after(rows(slot("requested_slot", "day", 1.0))) == {}


KINDS = [
    "user",
    "bot",
    "action",
    "slot",
    "active_loop",
    "reminder",
    "followup",
    "agent",
    "restart",
    "x",
    "loop_interrupted",
]


@unhurried
@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(["text", "data", "metadata", "parse_data", "name", "value"]), json_values),
)
def test_whatever_an_event_holds_it_can_be_shown(kind: str, fields: dict):
    for item in timeline(rows({"event": kind, "timestamp": 1.0} | fields)):
        repr(item).encode()
