"""The panel beside a Talk, typed intents, and what is said of an action server that is not there."""

from typing import Any

import pytest
from django.test import Client

from conversations.chat.actions import health_address, missed
from conversations.chat.typed import entities_of, intents_of, problem_of
from conversations.models import TalkSession
from conversations.presentation.explained import Decision
from environments.models import Environment
from models_app.models import Assistant
from tests.conversations.events import action, bot, slot, small_talk, user
from tests.conversations.fake_channel import Channel, say
from tests.factories import make_model, make_person
from tests.rasa.servers import Reply, SmallServer


def why(client: Client, addresses: dict[str, str], **query: str) -> str:
    response = client.get(addresses["why"], query)
    assert response.status_code == 200
    return str(response.content.decode())


def sender() -> str:
    return TalkSession.objects.get().sender_id


def test_the_last_turn_is_explained_from_its_events(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    page = why(client, addresses)
    assert 'data-why-place="1790000001.0"' in page
    for words in ("greet", "0.97", "utter_greet", "RulePolicy", "Sunday"):
        assert words in page
    assert "memory" not in page


def test_until_the_events_come_rasa_is_asked_itself(client: Client, base: str, channel: Channel, stored):
    channel.memory = {}
    addresses = say(client, f"{base}say", "good morning").json()["addresses"]
    page = why(client, addresses)
    assert "good morning" in page
    assert "utter_hello" in page
    assert "From Rasa’s memory" in page


def test_a_turn_that_was_known_before_is_not_taken_for_the_new_one(client: Client, base: str, channel: Channel, stored):
    channel.memory = {}
    addresses = say(client, f"{base}say", "first").json()["addresses"]
    stored(*small_talk(sender=sender()))
    say(client, addresses["say"], "second")
    page = why(client, addresses, after="1790000001.3")
    assert '<h2 class="anywhere">second</h2>' in page


def test_each_turn_has_an_address(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    more = [user("two people", 1_790_000_100.0, intent="inform", sender=sender())]
    more += [
        slot("people", "2", 1_790_000_100.1, sender=sender()),
        action("action_listen", 1_790_000_100.2, sender=sender()),
    ]
    stored(*more)
    assert "inform" in why(client, addresses)
    first = why(client, addresses, turn="1790000001.0")
    assert "utter_greet" in first
    assert "inform" not in first
    assert "not among what is known here" in why(client, addresses, turn="1.0")


def test_the_round_trip_is_shown_when_the_page_measured_it(client: Client, base: str, channel: Channel, stored):
    answer = say(client, f"{base}say").json()
    stored(*small_talk(sender=sender()))
    assert "0.5 s with the way there and back" in why(client, answer["addresses"], took="0.5")
    for odd in ("nan", "-1", "x", "1e9"):
        assert "there and back" not in why(client, answer["addresses"], took=odd)


def test_before_the_first_answer_there_is_nothing_to_explain(client: Client, base: str, channel: Channel):
    addresses = say(client, f"{base}say").json()["addresses"]
    assert "Say something" in why(client, addresses)


def test_nobody_looks_into_somebody_elses_talk(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    client.force_login(make_person("admin"))
    assert client.get(addresses["why"]).status_code == 404


def test_whoever_may_correct_is_asked_what_was_meant(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    assert "data-correction" in why(client, addresses)


def test_whoever_may_only_talk_sees_why_and_corrects_nothing(client: Client, base: str, channel: Channel, stored):
    client.force_login(make_person("tester", username="tom"))
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    page = why(client, addresses)
    assert "utter_greet" in page
    assert "data-correction" not in page


def test_an_action_leads_to_its_lines_in_the_data(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    page = why(client, addresses)
    assert f'href="{base.removesuffix("talk/production/")}data/find?q=%22utter_greet%22"' in page
    assert "%22action_listen%22" not in page  # to wait is no answer to find


def test_who_may_see_no_data_is_not_led_there(client: Client, base: str, channel: Channel, stored):
    client.force_login(make_person("tester", username="tom"))
    addresses = say(client, f"{base}say").json()["addresses"]
    stored(*small_talk(sender=sender()))
    assert "/data/find" not in why(client, addresses)


def test_a_short_form_for_comparing(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say").json()["addresses"]
    assert client.get(addresses["why"], {"brief": "1"}).status_code == 204
    stored(*small_talk(sender=sender()))
    page = why(client, addresses, brief="1")
    assert 'data-fact="intent" data-value="greet"' in page
    assert 'data-value="utter_greet;action_listen;"' in page


def test_the_panel_needs_few_queries(
    client: Client, base: str, channel: Channel, stored, django_assert_max_num_queries: Any
):
    addresses = say(client, f"{base}say").json()["addresses"]
    for start in range(30):
        stored(*small_talk(1_790_000_000.0 + 10 * start, sender=sender()))
    with django_assert_max_num_queries(16):
        why(client, addresses)


# --- Typed intents ---


@pytest.mark.parametrize(
    "text", ["hello", "/greet", '/inform{"city": "Rome"}', '/inform@0.9{"city": "Rome"}', "/tmp is full", "{not json"]
)
def test_what_rasa_reads_is_no_problem(text: str):
    assert problem_of(text) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('/inform{"city": Rome}', "at character 17"),
        ("/inform{'city': 'Rome'}", "not JSON"),
        ('/inform{"city": "Rome"} now', "not JSON"),
        ("/inform{", "not JSON"),
        ("/inform" + "{" * 5000, "not JSON"),
    ],
)
def test_bad_json_is_said_before_it_is_sent(client: Client, base: str, channel: Channel, text: str, sentence: str):
    assert sentence in problem_of(text)
    if len(text) < 4000:
        response = say(client, f"{base}say", text)
        assert (response.status_code, channel.heard) == (422, [])


def test_the_models_intents_are_offered(client: Client, base: str, assistant: Assistant, environment: Environment):
    model = make_model(assistant, "otter")
    model.domain = {"intents": {"greet": "1", "inform": "2"}, "entities": {"city": "3"}}
    assert intents_of(model) == ["back", "greet", "inform", "restart", "session_start"]
    assert entities_of(model) == ["city"]
    assert intents_of(None) == []


def test_an_intent_is_shown_as_one(client: Client, base: str, channel: Channel, stored):
    addresses = say(client, f"{base}say", "/greet").json()["addresses"]
    stored(
        user("/greet", 1.0, sender=sender()),
        bot("Hi", 2.0, sender=sender()),
        action("action_listen", 3.0, sender=sender()),
    )
    page = client.get(addresses["page"]).content.decode()
    assert "bubble-intent" in page


# --- The action server ---


@pytest.fixture
def with_actions(environment: Environment, assistant: Assistant) -> SmallServer:
    model = make_model(assistant, "otter")
    model.domain = {"intents": {"hi": "1"}, "actions": {"utter_x": "1", "action_order": "2", "utter_hello": "3"}}
    model.save(update_fields=["domain"])
    environment.tag.model = model
    environment.tag.save(update_fields=["model"])
    return SmallServer()


def point_to(environment: Environment, server: SmallServer) -> None:
    Environment.objects.filter(pk=environment.pk).update(action_server_url=f"{server.url}/webhook")


def test_a_missing_action_server_is_said_where_it_was_needed(
    client: Client, base: str, channel: Channel, environment: Environment, with_actions: SmallServer
):
    channel.memory = {}
    point_to(environment, with_actions)
    page = client.get(base).content.decode()
    assert "data-may-miss-actions" in page
    addresses = say(client, f"{base}say").json()["addresses"]
    with_actions.close()
    assert client.get(addresses["actions"]).status_code == 204  # utter_hello needs none
    [events] = channel.memory.values()
    events[-3]["name"] = "action_order"
    text = client.get(addresses["actions"]).content.decode()
    assert "action_order should have run" in text
    assert str(with_actions.port) not in text
    assert "action server of production does not answer" in client.get(f"{base}server").content.decode()


def test_one_that_answers_is_not_mentioned(
    client: Client, base: str, channel: Channel, environment: Environment, with_actions: SmallServer
):
    channel.memory = {}
    point_to(environment, with_actions)
    with_actions.replies["/health"] = Reply(body={"status": "ok"})
    addresses = say(client, f"{base}say").json()["addresses"]
    [events] = channel.memory.values()
    events[-3]["name"] = "action_order"
    assert client.get(addresses["actions"]).status_code == 204
    assert "action server" not in client.get(f"{base}server").content.decode()
    with_actions.replies["/health"] = Reply(502, "Bad Gateway")
    assert "action server" in client.get(f"{base}server").content.decode()
    with_actions.close()


def test_a_forms_validation_needs_it_too():
    form = Decision("table_form", "RulePolicy", 1.0, 0.1)
    assert missed([form], frozenset({"validate_table_form"})) == "validate_table_form"
    assert missed([form], frozenset({"action_other"})) == ""


@pytest.mark.parametrize(
    ("url", "health"),
    [
        ("http://actions:5055/webhook", "http://actions:5055/health"),
        ("https://x.example/rasa/webhook/", "https://x.example/rasa/health"),
        ("http://actions:5055", "http://actions:5055/health"),
    ],
)
def test_where_its_health_is_asked(url: str, health: str):
    assert health_address(url) == health
