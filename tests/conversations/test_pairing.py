"""What was said to both of two assistants stands side by side, whatever else either of them was told or said."""

from conversations.chat.pairing import paired
from conversations.chat.turns import Turn


def told(*said: tuple[str, float]) -> list[Turn]:
    """Turns by text and time; an empty text is one that nobody asked for."""
    return [Turn(sent=text, begins_at=at) for text, at in said]


def rows(left: list[Turn], right: list[Turn]) -> list[tuple[str | None, str | None]]:
    """The time of each turn, as text."""
    return [
        (None if one is None else f"{left[one].begins_at:g}", None if other is None else f"{right[other].begins_at:g}")
        for one, other in paired(left, right)
    ]


def test_what_both_were_told_stands_side_by_side():
    assert rows(told(("hi", 1), ("bye", 2)), told(("hi", 1.1), ("bye", 2.1))) == [("1", "1.1"), ("2", "2.1")]


def test_an_unasked_message_stands_alone_and_shifts_nothing():
    left = told(("hi", 1), ("", 5), ("bye", 9))
    assert rows(left, told(("hi", 1.1), ("bye", 9.1))) == [("1", "1.1"), ("5", None), ("9", "9.1")]


def test_a_message_to_one_of_them_shifts_nothing():
    right = told(("hi", 1.1), ("and you?", 3), ("bye", 9.1))
    assert rows(told(("hi", 1), ("bye", 9)), right) == [("1", "1.1"), (None, "3"), ("9", "9.1")]


def test_those_alone_stand_in_the_order_of_their_time():
    left = told(("a", 4), ("", 2.5), ("bye", 9))
    left.sort(key=lambda turn: turn.begins_at)
    assert rows(left, told(("b", 1), ("", 3), ("bye", 9))) == [
        (None, "1"),
        ("2.5", None),
        (None, "3"),
        ("4", None),
        ("9", "9"),
    ]


def test_a_repeated_message_stands_beside_the_nearest():
    left = told(("yes", 1), ("yes", 50), ("yes", 90))
    assert rows(left, told(("yes", 50.5))) == [("1", None), ("50", "50.5"), ("90", None)]


def test_two_unasked_messages_are_not_one():
    assert rows(told(("", 1)), told(("", 2))) == [("1", None), (None, "2")]


def test_nothing_was_said_on_one_side():
    assert rows([], told(("hi", 1))) == [(None, "1")]
    assert rows([], []) == []
