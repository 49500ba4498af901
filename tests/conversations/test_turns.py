import json
from types import SimpleNamespace
from typing import Any

from conversations.chat.turns import Turn, answered, turns_of
from tests.conversations.events import action, bot, event, small_talk, user


def turns(*events: dict[str, Any]) -> list[Turn]:
    rows = [
        SimpleNamespace(pk=number, kind=one["event"], timestamp=one["timestamp"], payload=json.dumps(one))
        for number, one in enumerate(events)
        if one["event"] != "action" or one["name"] == "action_listen"
    ]
    return turns_of(rows)


def listen(at: float) -> dict[str, Any]:
    return action("action_listen", at)


def test_a_question_and_its_answer_are_one_complete_turn():
    [turn] = turns(*small_talk(start=100.0))
    assert turn.sent == "hi"
    assert [answer.text for answer in turn.answers] == ["Hello!"]
    assert turn.complete
    assert turn.ends_at == 101.3
    assert turn.seconds is not None
    assert 0.19 < turn.seconds < 0.21


def test_a_turn_whose_end_has_not_come_is_incomplete():
    [turn] = turns(user("hi", 1), bot("Hello!", 2))
    assert not turn.complete


def test_what_the_assistant_says_later_is_a_turn_that_nobody_asked_for():
    asked, unasked = turns(user("hi", 1), bot("Hello!", 2), listen(3), bot("Still there?", 60))
    assert asked.complete
    assert unasked.asked is None
    assert [answer.text for answer in unasked.answers] == ["Still there?"]


def test_what_a_reminder_triggered_is_not_shown_as_said():
    reminder = user("EXTERNAL: EXTERNAL_remind", 5)
    reminder["metadata"]["is_external"] = True
    [turn] = turns(reminder, bot("Your table is in an hour.", 6), listen(7))
    assert turn.asked is None
    assert turn.sent == ""
    assert turn.answers[0].text.startswith("Your table")


def test_a_restart_is_a_line_and_no_message():
    [turn] = turns(user("/restart", 1), event("restart", 2), listen(3))
    assert turn.restarted
    assert turn.asked is None
    assert turn.sent == "/restart"


def test_a_pressed_button_shows_its_title():
    buttons = {"buttons": [{"title": "Book a table", "payload": "/book_table"}]}
    _, pressed = turns(user("hi", 1), bot("What now?", 2, data=buttons), listen(3), user("/book_table", 4), listen(5))
    assert pressed.asked is not None
    assert pressed.asked.text == "Book a table"
    assert pressed.sent == "/book_table"


def test_paragraphs_that_the_channel_splits_are_known_in_the_event():
    picture = "https://cafe.example/menu.png"
    [stored] = turns(user("menu", 1), bot("Our menu.\n\nEnjoy!", 2, data={"image": picture}), listen(3))
    over_http = answered([{"text": "Our menu."}, {"text": "Enjoy!"}, {"image": picture}], at=2.0)
    assert stored.said == over_http.said == ["Our menu.", "Enjoy!", picture]


def test_a_picture_is_shown_once_though_rasa_names_it_twice():
    picture = "https://cafe.example/menu.png"
    [turn] = turns(user("menu", 1), bot(None, 2, data={"image": picture, "attachment": picture}), listen(3))
    [answer] = turn.answers
    assert (answer.image, answer.links, answer.custom) == (picture, [], "")
