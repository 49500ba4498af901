"""Talking, share links, and conversations as files."""

import time

import pytest

from tests.cli.fake import Refused

HELLO = [{"recipient_id": "chat-1", "text": "Hello", "buttons": [{"title": "Book", "payload": "/book"}]}]


def test_a_number_chooses_a_button(with_fake) -> None:
    fake = with_fake.world
    fake.replies = [HELLO, [{"recipient_id": "chat-1", "image": "/static/menu.svg"}], []]
    ended = with_fake.done("talk", typed="hi\n\n1\n1\n")
    assert ended.out == f"Hello\n  1) Book\n{fake.url}/static/menu.svg\n"
    assert fake.said == ["hi", "/book", "1"]  # the last answer had no buttons
    assert "(nothing was said)" in ended.err


def test_for_programs_a_line_for_each_reply(with_fake) -> None:
    with_fake.world.replies = [HELLO, HELLO]
    assert with_fake.done("talk", "--json", "--say", "a", "--say", "b").lines == HELLO * 2


def test_a_server_that_wakes_up_is_waited_for(with_fake) -> None:
    with_fake.world.replies = [Refused(503, "Waking", "It starts."), Refused(503, "Waking", "It starts."), HELLO]
    ended = with_fake.done("talk", "--model", "otter", "--say", "hi")
    assert (ended.err.count("It starts."), with_fake.world.said) == (1, ["hi"] * 3)


def test_a_server_that_is_away_is_said(with_fake) -> None:
    with_fake.world.replies = [Refused(503, "NoServer", "production has no server.")]
    assert with_fake("talk", "--say", "hi").code == 7


def test_one_answer_that_fails_ends_no_talk_of_a_person_and_every_one_of_a_script(with_fake) -> None:
    with_fake.world.replies = [Refused(502, "Broken", "Rasa broke."), HELLO] * 2
    assert with_fake("talk", typed="hi\nagain\n").code == 7
    with_fake.world.replies.pop(0)
    with_fake.at_a_terminal()
    ended = with_fake.done("talk", typed="hi\nagain\n")
    assert ended.out == "Hello\n  1) Book\n"  # and no "> " among it
    assert "Rasa broke." in ended.err and ended.err.count("> ") == 3


def test_a_link_is_made_listed_and_revoked(parley) -> None:
    made = parley.done("share", "--name", "For the team", "--expires", "7d", "--json").json
    assert (made["environment"], made["name"]) == ("production", "For the team")
    assert abs(made["expires_at"] - time.time() - 7 * 86400) < 120
    assert parley.done("share").out.startswith("http")
    number = str(made["number"])
    parley.done("share", "--revoke", number)
    states = {str(row["number"]): row["state"] for row in parley.done("share", "--list", "--json").json}
    assert (states[number], set(states.values())) == ("revoked", {"revoked", "open"})
    assert parley("share", "--expires", "soon").code == 2


@pytest.mark.parametrize("typed", ["", "\n", "  \n"])
def test_no_password_makes_no_open_link(with_fake, typed) -> None:
    ended = with_fake("share", "--password-stdin", typed=typed)
    assert (ended.code, ended.out, with_fake.world.links) == (2, "", [])


def test_a_password_of_a_link_is_typed_unseen(with_fake) -> None:
    with_fake.done("share", "--password-stdin", typed="open sesame\n")
    with_fake.at_a_terminal()
    with_fake.done("share", "--password-stdin", typed="open barley\n")  # by getpass alone
    assert [link["password"] for link in with_fake.world.links] == ["open sesame", "open barley"]


def test_an_export_is_whole_or_not_there(parley) -> None:
    parley.done("conversations", "export", "-o", "all.jsonl")
    assert parley("conversations", "export", "-o", "some.jsonl", "-f", "enironment=production").code == 1
    assert parley("conversations", "export", "-f", "environment").code == 2
    assert parley("conversations", "export", "--json").code == 2
    assert [path.name for path in parley.project.iterdir()] == ["all.jsonl"]


def test_an_export_goes_to_standard_output_or_a_file(with_fake) -> None:
    assert with_fake.done("conversations", "export", "-f", "environment=production").out == '{"sender_id": "one"}\n'
    with_fake.world.export_is_large = True
    ended = with_fake.done("conversations", "export", "-o", "many.jsonl", "--json")
    assert (with_fake.read("many.jsonl"), ended.json["size"]) == ('{"sender_id": "many"}\n' * 2, 44)


def test_a_large_export_is_waited_for_but_not_for_ever(with_fake) -> None:
    with_fake.world.export_is_large, with_fake.world.export_polls = True, 200
    ended = with_fake("conversations", "export", "-o", "many.jsonl", "--timeout", "30")
    assert (ended.code, "the same command gets it later" in ended.err) == (12, True)
    with_fake.world.restarts_after = 3
    with_fake.done("conversations", "export", "-o", "many.jsonl")
    assert (with_fake.project / "many.jsonl").stat().st_mode & 0o777 == 0o600
    with_fake.world.export_polls = 5
    with_fake.interrupted_while_waiting()
    assert with_fake("conversations", "export", "-o", "more.jsonl").code == 130
    assert (with_fake.world.asked[-1], [path.name for path in with_fake.project.iterdir()]) == (
        "DELETE /api/projects/default/exports/7",
        ["many.jsonl"],
    )


@pytest.mark.parametrize("to", [".", "nowhere/all.jsonl"])
def test_an_export_that_has_no_place_is_not_asked_for(with_fake, to) -> None:
    assert with_fake("conversations", "export", "-o", to).code == 2
    assert with_fake.world.asked == []
