"""A failed story as a difference."""

from pathlib import Path

from models_app.data.story_difference import difference
from models_app.training.results import read_stories

RECORDED = Path(__file__).parent / "rasa_results" / "stories"


def changes(text: str) -> list[str]:
    signs = {"removed": "-", "added": "+"}
    return [f"{signs[line.kind]} {line.text.strip()}" for line in difference(text) if line.kind in signs]


def recorded(name: str) -> str:
    return next(fault.text for fault in read_stories(RECORDED).faults if fault.name.startswith(name))


def test_another_action_than_written():
    assert changes(recorded("Wrong action")) == [
        "- - action: utter_goodbye",
        "+ - action: utter_greet",
        "- - action: action_listen",
        "+ - action: action_default_fallback",
    ]


def test_another_intent_with_the_message_it_was_read_from():
    assert changes(recorded("Wrong intent")) == [
        "- - intent: greet",
        "+ - intent: tell_joke",
        "+ user: do you know a joke",
    ]


def test_another_entity_at_the_same_place():
    assert changes(recorded("Wrong entity")) == ["- - dish: sunday", "+ - day: Sunday"]


def test_an_entity_that_the_story_does_not_have():
    found = changes(recorded("Missing entity"))
    assert found == ['+ user: when do you open on [sunday]{"entity": "day", "value": "Sunday"}?']


def test_all_other_lines_stay_as_they_are():
    text = recorded("Wrong intent")
    assert [line.text for line in difference(text) if line.kind == "same"][-1] == "  - action: utter_greet"


def test_a_comment_within_a_text_is_no_prediction():
    assert changes('- story: x\n  steps:\n  - user: "a # predicted: b"\n') == []


def test_a_text_that_is_no_yaml_is_shown_as_it_is():
    text = "- story: x\n  steps: [\n"
    assert [line.text for line in difference(text)] == text.splitlines()
