"""The starter assistant, trained and spoken to by its server's `rasa` channel."""

import json
import re
from collections.abc import Callable
from uuid import uuid4

import pytest

from studio.rasa.archive import inspect
from studio.rasa.process import Spec
from studio.rasa.signing import chat_token
from tests.rasa_fixtures import STARTER, wait_for_end

pytestmark = pytest.mark.rasa

Say = Callable[[str], str]


@pytest.fixture
def say(rasa_server) -> Say:
    """Speak in a conversation of one's own: everything the bot answers, as one text."""
    sender = f"guest-{uuid4().hex[:12]}"

    def speak(text: str) -> str:
        token = chat_token(rasa_server.keys.private_pem, username=sender)
        replies = rasa_server.client.send(token, text)
        return "\n".join(_words(reply) for reply in replies)

    return speak


def _words(reply: dict) -> str:
    buttons = [f"[{button['title']}]" for button in reply.get("buttons") or []]
    return " ".join(filter(None, [reply.get("text"), reply.get("image"), *buttons]))


def test_it_passes_its_own_test_stories(rasa_processes, trained_model, tmp_path):
    stories = STARTER / "tests" / "test_stories.yml"
    arguments = (
        "test",
        "core",
        "--e2e",
        "--model",
        str(trained_model),
        "--stories",
        str(stories),
        "--out",
        str(tmp_path / "out"),
    )
    handle = rasa_processes.start(Spec(arguments, tmp_path, tmp_path / "test.log"))
    assert wait_for_end(rasa_processes, handle, 240).code == 0
    spoken = len(re.findall(r"^  - story:", stories.read_text(), re.MULTILINE))
    report = json.loads((tmp_path / "out" / "story_report.json").read_text())
    assert report["conversation_accuracy"] == {"accuracy": 1.0, "correct": spoken, "with_warnings": 0, "total": spoken}


def test_its_archive_is_small_and_tells_about_it(trained_model):
    facts = inspect(trained_model)
    assert trained_model.stat().st_size < 2 * 1024**2
    assert facts.assistant_id == "cafe-lumen"
    assert facts.domain.counts()["intents"] >= 12
    assert facts.domain.names("forms") == ("book_table_form",)


def test_a_greeting_is_answered_with_buttons(say):
    assert "[Book a table] [Menu] [Opening hours]" in say("hello")


def test_the_menu_is_a_picture(say):
    assert "/static/starter/menu.svg" in say("can I see the menu please?")


def test_a_price_and_a_diet_are_answered_by_what_was_asked(say):
    assert "€3.60" in say("how much is a flat white?")
    assert "almond brownie" in say("what do you have that is vegan?")
    assert "No burger" in say("how much is a burger?")
    assert "Coffee is €2.40" in say("what are your prices?")


def test_a_table_is_booked_step_by_step(say):
    assert "Which day" in say("I'd like to book a table")
    assert "how many people" in say("Saturday")
    assert "what time" in say("we are four").lower()
    assert "What name" in say("at 18:30")
    assert "A table for 4, Saturday at 18:30, under Priya. Shall I book it?" in say("Priya")
    assert "Booked!" in say("yes please")


def test_a_table_is_booked_in_one_sentence(say):
    assert "A table for 2, tomorrow at 19:00, under Kim." in say("table for two tomorrow at 19:00 under Kim")


def test_a_booking_leaves_nothing_behind(say):
    say("table for two tomorrow at 19:00 under Kim")
    assert "Booked!" in say("yes")
    assert "Which day" in say("book a table")


def test_a_question_in_the_middle_is_answered_and_the_booking_goes_on(say):
    say("book a table for two")
    answer = say("are you open on Sunday?")
    assert "Tuesday to Sunday" in answer
    assert "Which day" in answer
    assert "what time" in say("Sunday").lower()


@pytest.mark.parametrize(
    ("answers", "refusal"),
    [
        (["Monday"], "On Mondays we're closed."),
        (["Friday", "3", "at 11 pm"], "Tables can be had from 8:00 to 20:30"),
        (["Friday", "12 people"], "please ring 555 0142"),
        (["the day after tomorrow"], "I didn't quite get that."),
    ],
)
def test_what_cannot_be_booked_is_explained(say, answers, refusal):
    say("book a table")
    assert refusal in [say(answer) for answer in answers][-1]


def test_a_booking_stops_on_request(say):
    say("book a table")
    assert "Nothing is booked" in say("stop")
    assert "Here" in say("menu")


def test_what_is_not_understood_offers_a_way_on(say):
    assert "[Talk to a person]" in say("frobnicate the quux")


def test_stories_hold_after_other_talk(say):
    say("hi")
    assert "drink, or something to eat" in say("what do you recommend?")
    assert "flat white" in say("a drink")
    assert "lemon tart" in say("yes")


def test_a_restart_begins_anew(say):
    say("book a table")
    assert "fresh start" in say("/restart")
    assert "booked" not in say("hello").lower()
