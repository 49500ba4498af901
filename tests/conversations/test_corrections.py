"""Confirming and correcting messages: what is kept, who wins, and taking it back."""

import json
import re
from collections.abc import Callable

import pytest
from django.http import HttpResponse

from conversations.ingest.write import Stored
from conversations.models import Conversation, Correction, Event
from environments.models import Environment
from models_app.models import Assistant
from models_app.services.revisions import save_revision
from studio.access.models import User
from studio.access.permissions import Scope
from tests.clients import client_of
from tests.conversations.events import bot, user
from tests.factories import environment_of, make_person

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]

DOMAIN = b"intents:\n  - greet\n  - book_table\nentities:\n  - people\n  - day\n"
NLU = b"nlu:\n- intent: greet\n  examples: |\n    - hi\n"
PEOPLE = {"entity": "people", "start": 12, "end": 16, "value": "four", "extractor": "RegexEntityExtractor"}
RANKING = [{"name": "inform", "confidence": 0.41}, {"name": "book_table", "confidence": 0.38}]


@pytest.fixture
def message(stored: Make, assistant: Assistant) -> Event:
    save_revision(
        actor=None,
        assistant=assistant,
        files={"domain.yml": DOMAIN, "data/nlu.yml": NLU},
        message="",
        parent_number=None,
    )
    said = user("a table for four", 1.0, intent="inform", confidence=0.41, ranking=RANKING, entities=[PEOPLE])
    stored(said, bot("When?", 1.2))
    return Event.objects.get(kind="user")


@pytest.fixture
def anna(db: None) -> User:
    return make_person("annotator", username="anna")


def address(event: Event, rest: str = "correct") -> str:
    one = event.conversation
    return f"/a/{one.assistant.slug}/conversations/{one.pk}/events/{event.pk}/{rest}"


def say(person: User, event: Event, status: int = 200, **data: str) -> str:
    answer = client_of(person).post(address(event), data, headers={"HX-Request": "true"})
    assert answer.status_code == status
    return answer.content.decode()


def undo(person: User, event: Event, said_at: str = "") -> HttpResponse:
    """As the button in the panel does it, of what stands there unless `said_at` names another answer."""
    said_at = said_at or Correction.objects.get(event=event).at.isoformat()
    headers = {"HX-Request": "true"}
    return client_of(person).post(address(event, "correct/undo"), {"said_at": said_at}, headers=headers)


def test_the_panel_offers_what_it_may_be_and_takes_it_by_one_key(anna: User, message: Event):
    panel = client_of(anna).get(address(message, "panel"), headers={"HX-Request": "true"}).content.decode()
    assert 'value="inform" data-shortcut="c"' in panel and 'value="book_table" data-shortcut="2"' in panel
    assert 'data-value="greet"' in panel and 'data-value="day"' in panel  # of the domain
    assert "&quot;entity&quot;: &quot;people&quot;" in panel


def test_confirming_keeps_intent_and_entities_as_nlu_found_them(anna: User, message: Event):
    found = json.dumps([{"start": 12, "end": 16, "entity": "people"}])
    shown = say(anna, message, intent="inform", entities=found)
    row = Correction.objects.get()
    assert (row.kind, row.intent, row.state) == ("confirmed", "inform", "pending")
    assert row.entities == row.said_entities == [{"start": 12, "end": 16, "entity": "people"}]
    assert "Confirmed as" in shown and "Undo" in shown
    message.refresh_from_db()
    assert message.is_looked_at


def test_the_panel_says_what_was_done_and_no_notice_covers_it(anna: User, message: Event):
    corrected = client_of(anna).post(address(message), {"intent": "greet"}, headers={"HX-Request": "true"})
    for answer, words in ((corrected, "Corrected as"), (undo(anna, message), "Taken back.")):
        assert "HX-Trigger" not in answer
        state = answer.content.decode().split('role="status"', 1)[1]
        assert words in state.split("correction-buttons")[0]


def test_the_button_of_an_intent_counts_before_the_field(anna: User, message: Event):
    say(anna, message, choice="book_table", intent="inform")
    assert Correction.objects.get().intent == "book_table"


def test_another_intent_or_entity_is_a_correction(anna: User, message: Event):
    say(anna, message, intent="book_table", entities="[]")
    row = Correction.objects.get()
    assert (row.kind, row.intent, row.entities, row.said_intent) == ("corrected", "book_table", [], "inform")


def test_the_conversation_shows_below_the_message_what_was_said_of_it(anna: User, message: Event):
    answer = say(anna, message, intent="book_table", entities=json.dumps([]))
    badge = f'<span class="verdict" id="v{message.pk}"'
    assert f"{badge} hx-swap-oob" in answer
    page = client_of(anna).get(address(message, "panel"), follow=True)
    shown = page.content.decode().split(badge)[1].split("</div>")[0]
    assert "book_table" in shown and "Corrected by anna" in shown
    undone = undo(anna, message).content.decode()
    assert f'{badge} hx-swap-oob="true"></span>' in undone


def test_without_htmx_it_comes_back_to_the_message_with_the_filters_of_the_list(anna: User, message: Event):
    client, query = client_of(anna), "?q=table&sort=unsure"
    page = f"/a/{message.conversation.assistant.slug}/conversations/{message.conversation_id}"
    place = f"{page}{query}&at={message.pk}&m={message.pk}#e{message.pk}"
    shown = client.get(page + query).content.decode()
    for rest in ("correct", "panel"):
        assert f'="{address(message, rest)}?q=table&amp;sort=unsure"' in shown
    assert client.get(address(message, "panel") + query).headers["Location"] == place
    for rest, data in (("correct", {"intent": "greet"}), ("correct", {"intent": " "}), ("correct/undo", {})):
        assert client.post(address(message, rest) + query, data).headers["Location"] == place
        fragment = client.post(address(message, rest) + query, data, headers={"HX-Request": "true"}).content.decode()
        assert f'action="{address(message)}?q=table&amp;sort=unsure"' in fragment


def test_nothing_but_filters_comes_back(anna: User, message: Event):
    asked = address(message) + "?next=//elsewhere.example/&at=7&q=%0d%0ahost:x"
    answer = client_of(anna).post(asked, {"intent": "greet"})
    page = f"/a/{message.conversation.assistant.slug}/conversations/{message.conversation_id}"
    said = f"at={message.pk}&m={message.pk}#e{message.pk}"
    assert answer.headers["Location"] == f"{page}?q=%0D%0Ahost%3Ax&{said}"


def test_the_last_person_wins_sees_what_was_said_and_may_return_to_it(anna: User, message: Event):
    say(anna, message, intent="greet")
    shown = say(make_person("annotator", username="bob"), message, intent="book_table")
    assert "Before:" in shown and "anna" in shown
    row = Correction.objects.get()
    assert (row.intent, row.person_label, row.former["intent"]) == ("book_table", "bob", "greet")
    undo(anna, message)
    row.refresh_from_db()
    assert (row.intent, row.person_label, row.former) == ("greet", "anna", None)


def test_what_somebody_said_meanwhile_is_not_taken_back(anna: User, message: Event):
    shown = say(anna, message, intent="greet")
    hers = re.search(r'name="said_at" value="([^"]+)"', shown)[1]
    bob = make_person("annotator", username="bob")
    say(bob, message, intent="book_table")
    refused = undo(anna, message, hers)
    text = refused.content.decode()
    assert refused.status_code == 409 and "another answer stands there now, book_table by bob." in text
    assert f'id="v{message.pk}" hx-swap-oob' in text and Correction.objects.get().intent == "book_table"
    undo(bob, message)
    assert "greet by you." in undo(anna, message, "2026-01-01T00:00:00+00:00").content.decode()
    assert undo(anna, message, hers).status_code == 200 and not Correction.objects.exists()


def test_the_same_once_more_changes_nothing(anna: User, message: Event):
    say(anna, message, intent="greet")
    assert "Before:" not in say(anna, message, intent="greet")
    undo(anna, message)
    assert not Correction.objects.exists()


def test_taken_back_a_message_waits_to_be_looked_at_again(anna: User, message: Event):
    say(anna, message, act="ignore")
    assert Correction.objects.get().state == "discarded"
    undo(anna, message)
    message.refresh_from_db()
    assert not Correction.objects.exists() and not message.is_looked_at


def test_out_of_scope_is_an_intent_of_its_own(anna: User, message: Event):
    say(anna, message, act="out_of_scope", intent="inform")
    row = Correction.objects.get()
    assert (row.kind, row.intent) == ("out_of_scope", "out_of_scope")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"intent": ""}, "Choose an intent"),
        ({"intent": "two words"}, "cannot be an intent"),
        ({"intent": "greet", "entities": "{"}, "did not arrive"),
        ({"intent": "greet", "entities": '[{"start": 0, "end": 99, "entity": "x"}]'}, "overlap, or lie outside"),
        ({"intent": "greet", "entities": '[{"start": 0, "end": 2, "entity": "x"}]'}, "begins and ends"),
        ({"intent": "greet", "entities": '[{"start": 0, "end": 1, "entity": "a b"}]'}, "cannot be a name"),
        ({"intent": "greet", "entities": '[{"start": true, "end": 1, "entity": "x"}]'}, "did not arrive"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(anna: User, message: Event, data: dict, words: str):
    shown = say(anna, message, 422, **data)
    assert words in shown and not Correction.objects.exists()
    assert f'value="{data["intent"]}"' in shown


def test_without_javascript_the_answer_is_the_page(anna: User, message: Event):
    answer = client_of(anna).post(address(message), {"intent": "greet"}, follow=True)
    assert "Corrected as greet." in answer.content.decode()


def test_buttons_and_the_assistants_own_words_are_not_corrected(anna: User, stored: Make):
    stored(user("/restart", 1.0), bot("Hello", 2.0))
    said, answered = Event.objects.get(kind="user"), Event.objects.get(kind="bot")
    answer = client_of(anna).post(address(said), {"intent": "greet"}, follow=True)
    assert "This was a button" in answer.content.decode() and not Correction.objects.exists()
    assert client_of(anna).post(address(answered), {"intent": "greet"}).status_code == 404
    for one in (said, answered):
        panel = client_of(anna).get(address(one, "panel"), headers={"HX-Request": "true"}).content.decode()
        assert "data-correction" not in panel


def test_who_may_not_flag_is_offered_nothing(message: Event, assistant: Assistant):
    viewer = make_person("tester")
    assert client_of(viewer).post(address(message), {"intent": "greet"}).status_code == 404


def test_a_replay_of_the_topic_leaves_what_people_said(anna: User, message: Event, stored: Make):
    say(anna, message, intent="greet")
    stored(user("a table for four", 1.0, intent="inform", confidence=0.41, ranking=RANKING, entities=[PEOPLE]))
    message.refresh_from_db()
    assert message.is_looked_at and Correction.objects.get().intent == "greet" and Event.objects.count() == 2


def test_a_deleted_conversation_takes_its_corrections_along(anna: User, message: Event):
    say(anna, message, intent="greet")
    Conversation.objects.all().delete()
    assert not Correction.objects.exists() and not Event.objects.exists()


def test_somebody_of_another_environment_sees_none_of_it(anna: User, message: Event, assistant: Assistant):
    say(anna, message, intent="greet")
    worker: Environment = environment_of(assistant, "worker")
    other = make_person("annotator", Scope(assistant.pk, worker.pk))
    assert not Correction.objects.visible_to(other).exists()
    assert Correction.objects.visible_to(anna).count() == 1
