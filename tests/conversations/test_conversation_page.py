"""The page of one conversation."""

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from conversations import window
from conversations.ingest.write import Stored
from conversations.models import Conversation, Event
from models_app.models import Assistant
from studio.access.models import Grant, Role
from studio.access.permissions import Permission
from tests.clients import client_of
from tests.conversations.events import action, bot, slot, small_talk, user
from tests.factories import make_assistant, make_model, make_person

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


@pytest.fixture
def client(db: None) -> Client:
    return client_of(make_person("admin"))


@pytest.fixture
def conversation(stored: Make) -> Conversation:
    stored(*small_talk())
    return Conversation.objects.get()


def page(client: Client, conversation: Conversation, query: str = "") -> str:
    response = client.get(address(conversation, query))
    assert response.status_code == 200
    return response.content.decode()


def address(conversation: Conversation, query: str = "") -> str:
    return reverse("conversations:detail", args=[conversation.assistant.slug, conversation.pk]) + query


def event_address(name: str, event: Event) -> str:
    conversation = event.conversation
    return reverse(f"conversations:{name}", args=[conversation.assistant.slug, conversation.pk, event.pk])


def test_it_shows_what_was_said_and_what_was_understood(client: Client, conversation: Conversation):
    shown = page(client, conversation)
    for words in ("hi", "Hello!", "greet 0.97", "session started", "<b>day</b> = Sunday"):
        assert words in shown


def test_every_event_has_its_anchor(client: Client, conversation: Conversation):
    shown = page(client, conversation)
    for event in conversation.events.all():
        assert f'id="e{event.pk}"' in shown


def test_what_people_and_bots_send_is_never_markup(client: Client, stored: Make):
    evil = "<script>alert(1)</script>"
    stored(
            user(evil, 1.0, intent=evil, entities=[{"entity": evil, "value": evil}], sender=evil),
            slot(evil, evil, 1.1, sender=evil),
            bot(evil, 2.0, sender=evil, data={
                "image": "javascript:alert(1)", "custom": {"html": evil}, "buttons": [{"title": evil, "payload": '"><wbr'}],
            }),
        )  # fmt: skip
    one = Conversation.objects.get()
    shown = page(client, one)
    assert "<script>alert" not in shown and 'src="javascript' not in shown and '"><wbr' not in shown
    raw_event = client.get(event_address("event", one.events.first()), headers={"HX-Request": "true"}).content.decode()
    assert "<script>alert" not in raw_event


def test_the_panel_explains_the_message_that_nlu_was_least_sure_of(client: Client, stored: Make):
    ranking = [{"name": "inform", "confidence": 0.41}, {"name": "diet", "confidence": 0.38}]
    stored(
        user("four, one is vegan", 1.0, intent="inform", confidence=0.41, ranking=ranking),
        slot("people", 4, 1.1),
        bot("At what time?", 1.21),
        user("at noon", 2.0),
        slot("time", "noon", 2.1),
    )
    shown = page(client, Conversation.objects.get())
    assert "message 1" in shown and "answered in 0.21 s" in shown and "diet" in shown
    panel = shown.split('id="panel"')[1]
    assert "people" in panel and "noon" not in panel


def test_the_panel_explains_the_message_that_a_link_leads_to(client: Client, stored: Make):
    """As one from the list does, to what a search found: it is the one outlined, and the one that keys correct."""
    stored(
        user("hello café", 1.0), bot("Welcome!", 1.2), user("what?", 2.0, confidence=0.3), slot("day", "Sunday", 2.1)
    )
    one = Conversation.objects.get()
    for event in one.events.filter(kind__in=["user", "bot"]):
        shown = page(client, one, f"?q=hello&at={event.pk}")
        assert f'data-about="e{event.pk}"' in shown
        assert shown.split(f'id="e{event.pk}"')[1].split("</div>")[0].count('aria-current="true"') == 1
    other = one.events.get(kind="slot")  # is no message
    assert f'data-about="e{one.events.get(text="what?").pk}"' in page(client, one, f"?at={other.pk}")


def test_of_a_list_that_was_searched_the_message_that_was_found_is_chosen(
    client: Client, stored: Make, small_window: None
):
    """Also by J, whose link names none, and where it lies before the latest part."""
    stored(user("my bicycle", 1.0), *(user(f"message-{n}.", 2.0 + n, confidence=0.3) for n in range(30)))
    one = Conversation.objects.get()
    found, other = one.events.get(text="my bicycle"), one.events.get(text="message-29.")
    shown = page(client, one, "?q=bicycle")
    assert f'data-about="e{found.pk}"' in shown and f'/story?at={found.pk}"' in shown  # of the part that is shown
    assert "/story?at=" not in page(client, one)
    for query in ("", "?q=zebra", f"?q=bicycle&m={other.pk}"):
        assert f'data-about="e{other.pk}"' in page(client, one, query)


def test_where_only_the_assistant_spoke_its_last_message_is_chosen(client: Client, stored: Make):
    stored(bot("Welcome!", 1.0), bot("Anybody there?", 2.0))
    one = Conversation.objects.get()
    shown = page(client, one)
    assert f'data-about="e{one.events.get(text="Anybody there?").pk}"' in shown and "data-sheet-toggle" in shown


def test_actions_lead_to_their_lines_in_the_data_for_who_may_see_it(client: Client, conversation: Conversation):
    link = f'href="{reverse("models:data-find", args=[conversation.assistant.slug])}?q=%22utter_greet%22"'
    assert link in page(client, conversation)
    reader = make_person()
    role = Role.objects.create(name="reader", permissions=[Permission.CONVERSATIONS_VIEW])
    Grant.objects.create(user=reader, role=role)
    shown = page(client_of(reader), conversation)
    assert "utter_greet" in shown
    assert link not in shown


def test_choosing_a_message_loads_its_panel(client: Client, conversation: Conversation):
    said = conversation.events.get(kind="bot")
    shown = client.get(event_address("panel", said), headers={"HX-Request": "true"}).content.decode()
    assert shown.lstrip().startswith('<div class="stack" id="panel"')
    assert "Hello!" in shown


def test_without_javascript_a_message_is_chosen_by_its_address(client: Client, conversation: Conversation):
    said = conversation.events.get(kind="bot")
    response = client.get(event_address("panel", said))
    assert response.status_code == 302
    assert "Hello!" in client.get(response.url).content.decode().split('id="panel"')[1]


def test_an_event_is_shown_as_rasa_sent_it(client: Client, conversation: Conversation):
    event = conversation.events.get(kind="slot")
    body = client.get(event_address("event", event))
    assert body["Content-Type"] == "application/json"
    assert json.loads(body.content)["name"] == "day"


def test_an_event_of_another_conversation_is_not_found(client: Client, conversation: Conversation, stored: Make):
    stored(*small_talk(sender="ben"))
    other = Event.objects.filter(conversation__sender_id="ben").first()
    url = reverse("conversations:event", args=[conversation.assistant.slug, conversation.pk, other.pk])
    assert client.get(url).status_code == 404


def test_a_conversation_under_another_assistants_address_is_not_found(client: Client, conversation: Conversation):
    other = make_assistant()
    assert client.get(reverse("conversations:detail", args=[other.slug, conversation.pk])).status_code == 404


def test_neighbours_follow_the_filters_of_the_list(client: Client, assistant: Assistant, stored: Make):
    for number, text in enumerate(["soup", "tea", "soup"]):
        stored(user(text, 100.0 + number, sender=f"s{number}"))
    first, tea, last = Conversation.objects.order_by("last_event_at")
    assert address(tea) in page(client, first)
    shown = page(client, first, "?q=soup")
    assert address(last, "?q=soup") in shown and address(tea) not in shown


def test_the_model_has_the_name_people_know(client: Client, assistant: Assistant, stored: Make):
    model = make_model(assistant, "brisk-otter")
    stored(user("hi", 1.0, model="unknown-id"), user("ho", 2.0, model=model.rasa_model_id))
    shown = page(client, Conversation.objects.get())
    assert "from here on model" in shown and "brisk-otter" in shown


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "SHOWN", 10)
    monkeypatch.setattr(window, "AROUND", 5)


def test_of_an_endless_conversation_the_latest_part_is_shown(client: Client, stored: Make, small_window: None):
    stored(*(user(f"message-{n}.", float(n)) for n in range(40)))
    one = Conversation.objects.get()
    shown = page(client, one)
    assert "message-39." in shown and "message-29." not in shown and "Earlier events" in shown
    middle = one.events.get(text="message-20.")
    shown = page(client, one, f"?at={middle.pk}")
    assert "message-20." in shown and "message-39." not in shown
    assert "Earlier events" in shown and "Later events" in shown


@pytest.mark.parametrize("query", ["?at=x", "?at=None", "?m=x", "?at=9", "?events=all"])
def test_mistyped_parameters_show_the_conversation(client: Client, conversation: Conversation, query: str):
    assert "Hello!" in page(client, conversation, query)


def test_a_long_conversation_takes_no_more_queries_than_a_short_one(
    client: Client, stored: Make, django_assert_max_num_queries
):
    stored(*(event for n in range(100) for event in (user(f"{n}", n), action("utter_x", n + 0.1), bot("y", n + 0.2))))
    one = Conversation.objects.get()
    page(client, one)
    with django_assert_max_num_queries(20):
        page(client, one)


def test_events_of_one_kind_can_be_unfolded_alone(client: Client, conversation: Conversation):
    shown = page(client, conversation)
    for kind, count in (("action", 4), ("slot", 1)):
        assert f'?events={kind}">{kind} <span>{count}</span>' in shown
    shown = page(client, conversation, "?events=slot").split('id="panel"')[0]
    assert (
        "<b>day</b> = Sunday" in shown
        and "action_listen" not in shown
        and '<details class="fold fold-flat" open>' in shown
    )


def test_a_kind_of_event_that_is_not_there_unfolds_nothing(client: Client, conversation: Conversation):
    assert "fold-flat" not in page(client, conversation, "?events=nonsense")


def test_a_long_line_of_machinery_counts_its_kinds(client: Client, stored: Make):
    stored(*(slot(f"s{number}", number, 1.0 + number / 100) for number in range(9)), action("action_x", 2.0))
    assert "<span>9 slot</span><span>1 action</span>" in page(client, Conversation.objects.get())


def test_times_between_are_shown(client: Client, stored: Make):
    stored(user("hi", 1.0), bot("yes?", 1.25), user("still there?", 3601.25), bot("yes", 3602.25))
    shown = page(client, Conversation.objects.get())
    assert "0.25 s</span>" in shown and "1 h later" in shown


def test_the_panel_says_what_the_turn_changed_in_slots(client: Client, stored: Make):
    stored(
        user("Sunday", 1.0),
        slot("day", "Sunday", 1.1),
        bot("ok", 1.2),
        user("no, Monday, for four", 2.0),
        slot("day", "Monday", 2.1),
        slot("people", 4, 2.2),
        bot("ok", 2.3),
        user("thanks", 3.0),
    )
    one = Conversation.objects.get()
    for query in (f"?m={one.events.get(text__startswith='no').pk}", f"?m={one.events.filter(kind='bot').last().pk}"):
        panel = page(client, one, query).split('id="panel"')[1]
        assert '<del class="muted">Sunday</del>' in panel and '<del class="muted">not set</del>' in panel
    panel = page(client, one, f"?m={one.events.get(text='thanks').pk}").split('id="panel"')[1]
    assert "Monday" in panel and "<del" not in panel


def test_in_a_part_of_a_long_conversation_the_panel_knows_the_whole(client: Client, stored: Make, small_window: None):
    stored(*(one for n in range(20) for one in (user(f"m{n}.", float(n)), slot("n", n, n + 0.1), bot("y", n + 0.2))))
    one = Conversation.objects.get()
    for said, number in ((one.events.get(text="m12."), 13), (one.events.filter(kind="bot")[12], 0)):
        panel = page(client, one, f"?at={said.pk}&m={said.pk}").split('id="panel"')[1]
        assert '<del class="muted">11</del>' in panel and (f"message {number} " in panel) == bool(number)


def test_each_turn_says_its_model_where_there_are_several(client: Client, stored: Make):
    stored(user("hi", 1.0, model="m-1"), user("ho", 2.0, model="m-2"))
    one = Conversation.objects.get()
    shown = page(client, one)
    assert 'model <b class="mono">m-1</b>' in shown and 'from here on model <b class="mono">m-2</b>' in shown
    panel = page(client, one, f"?m={one.events.get(text='hi').pk}").split('id="panel"')[1]
    assert "m-1" in panel


def test_a_page_takes_few_queries_however_many_events_and_marks(
    client: Client, stored: Make, django_assert_max_num_queries
):
    stored(*small_talk())
    one = Conversation.objects.get()
    page(client, one)
    with django_assert_max_num_queries(19):
        page(client, one)
