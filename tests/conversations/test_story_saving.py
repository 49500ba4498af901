"""A conversation is kept as stories in a new revision of the training data."""

from typing import Any

import pytest
from django.test import Client
from ruamel.yaml import YAML

from conversations.models import Conversation, Correction
from conversations.services.corrections import Verdict, correct
from models_app.data.domain_names import domain_names
from models_app.data.story_edits import add_stories, new_stories
from models_app.models import Assistant, Revision
from models_app.services.revisions import file_of, save_revision
from tests.conversations.events import small_talk, user
from tests.factories import make_person

DOMAIN = b"""version: "3.1"
intents:
  - greet
  - inform:
      use_entities: [day]
entities: [day, people]
slots:
  day:
    type: text
    mappings: []
actions: [action_order]
forms:
  table_form:
    required_slots: [day]
responses:
  utter_greet:
  - text: Hello
  utter_faq/hours:
  - text: Nine
"""
STORIES = b"""version: "3.1"

# Ours
stories:
  - story: first   # keep me
    steps:
      - intent: greet
      - action: utter_greet

# At the end
"""
FILES = {"domain.yml": DOMAIN, "data/stories.yml": STORIES, "config.yml": b"pipeline: []\npolicies: []\n"}


@pytest.fixture
def conversation(assistant: Assistant, stored) -> Conversation:
    save_revision(actor=None, assistant=assistant, files=FILES, message="", parent_number=None)
    stored(*small_talk())
    return Conversation.objects.get()


def dialog(client: Client, conversation: Conversation, kind: str = "training", **data: str) -> Any:
    address = f"/a/{conversation.assistant.slug}/conversations/{conversation.pk}/story?kind={kind}"
    return client.post(address, data) if data else client.get(address)


def newest() -> Revision:
    return Revision.objects.order_by("-number").first()  # type: ignore[return-value]


@pytest.fixture
def author(client: Client, conversation: Conversation) -> Client:
    client.force_login(make_person("admin"))
    return client


def test_the_dialog_shows_the_yaml_and_offers_files(author: Client, conversation: Conversation):
    page = dialog(author, conversation).content.decode()
    assert "- story: conversation" in page
    assert '<option value="data/stories.yml" selected>' in page
    assert "Save as a new revision" in page
    tests = dialog(author, conversation, "test").content.decode()
    assert "data/stories.yml" not in tests
    assert 'value="tests/test_conversations.yml"' in tests


def test_it_is_added_to_a_file_that_stays_as_it_was(author: Client, conversation: Conversation):
    saved = dialog(author, conversation, name="A Sunday", file="data/stories.yml")
    assert saved.status_code == 200
    revision = newest()
    assert (revision.number, revision.message) == (2, f"Story “A Sunday” from conversation {conversation.pk}")
    assert f"/data/revisions/{revision.number}" in saved.content.decode()
    assert "data/stories.yml#L" in saved.content.decode()
    content = file_of(revision, "data/stories.yml")
    assert content is not None
    before, after = content.decode().split("      - action: utter_greet\n", 1)
    assert STORIES.decode().startswith(before)
    assert after.endswith("\n# At the end\n")
    [first, second] = YAML(typ="safe").load(content.decode())["stories"]
    assert (first["story"], second["story"]) == ("first", "A Sunday")
    assert second["steps"] == [{"intent": "greet"}, {"slot_was_set": [{"day": "Sunday"}]}, {"action": "utter_greet"}]


def test_a_new_file_is_made_for_test_stories(author: Client, conversation: Conversation):
    saved = dialog(author, conversation, "test", name="hi", file="", path="tests/test_conversations.yml")
    assert saved.status_code == 200
    content = file_of(newest(), "tests/test_conversations.yml")
    assert content is not None
    [story] = YAML(typ="safe").load(content.decode())["stories"]
    assert {key: value.strip() for key, value in story["steps"][0].items()} == {"user": "hi", "intent": "greet"}
    begins = [line.strip() for line in content.decode().split("\n")].index("- story: hi") + 1
    assert f"tests/test_conversations.yml#L{begins}" in saved.content.decode()


def test_a_test_storys_name_is_taken_among_tests_alone(author: Client, conversation: Conversation):
    path = "tests/test_conversations.yml"
    assert dialog(author, conversation, "test", name="first", file="", path=path).status_code == 200
    page = refused(author, conversation, "test", name="first", file=path)
    assert f"There is a story called “first” already, in {path}, line" in page


def test_what_was_corrected_counts(author: Client, conversation: Conversation):
    event = conversation.events.get(kind="user")
    correct(actor=make_person("annotator"), event=event, verdict=Verdict("inform"))
    assert Correction.objects.get().intent == "inform"
    page = dialog(author, conversation).content.decode()
    assert "- intent: inform" in page
    assert "- intent: greet" not in page


def refused(client: Client, conversation: Conversation, kind: str = "training", **data: str) -> str:
    count = Revision.objects.count()
    response = dialog(client, conversation, kind, **data)
    assert response.status_code == 422
    assert Revision.objects.count() == count
    return response.content.decode().replace("&#x27;", "'")


def test_a_name_that_is_taken_is_refused(author: Client, conversation: Conversation):
    page = refused(author, conversation, name="first", file="data/stories.yml")
    assert "There is a story called “first” already, in data/stories.yml, line 5" in page


def test_what_the_domain_does_not_know_is_refused_in_words(author: Client, conversation: Conversation, stored):
    found = [{"entity": "city", "value": "Rome", "start": 0, "end": 4}]
    stored(user("Rome", 1_790_000_050.0, intent="travel", entities=found))
    page = refused(author, conversation, name="x", file="data/stories.yml")
    assert "has no intent travel, entity city" in page
    assert "entity city" in refused(author, conversation, "test", name="x", file="", path="tests/test_x.yml")


@pytest.mark.parametrize(
    ("kind", "path", "sentence"),
    [
        ("test", "tests/kept.yml", "begins with test_"),
        ("training", "tests/test_kept.yml", "takes this file for tests"),
        ("training", "../x.yml", ""),
        ("training", "data/kept.txt", "end"),
        ("training", "domain.yml", "no list of stories"),
        ("training", "", ""),
    ],
)
def test_a_file_that_rasa_would_not_take_is_refused(
    author: Client, conversation: Conversation, kind: str, path: str, sentence: str
):
    assert sentence in refused(author, conversation, kind, name="x", file="", path=path)


def test_a_name_is_needed(author: Client, conversation: Conversation):
    assert "Give the story a name" in refused(author, conversation, name=" ", file="data/stories.yml")


def test_without_the_permission_it_is_only_shown(client: Client, conversation: Conversation):
    client.force_login(make_person("tester"))
    assert dialog(client, conversation).status_code == 404
    person = make_person("annotator", username="ann")
    role = person.grants.get().role
    role.permissions = [one for one in role.permissions if one != "stories.modify"]
    role.save(update_fields=["permissions"])
    client.force_login(person)
    page = dialog(client, conversation).content.decode()
    assert "- story:" in page
    assert "Save as a new revision" not in page
    assert dialog(client, conversation, name="x", file="data/stories.yml").status_code == 403


def test_stories_are_put_where_the_list_ends():
    one = b'version: "3.1"\nstories:\n- story: a\n  steps:\n  - intent: x\n- story: b\n  steps:\n  - intent: y\nrules: []\n'
    added = add_stories(one, ["- story: c", "  steps:", "  - intent: z"])
    assert added is not None
    assert added.decode().endswith("  - intent: y\n- story: c\n  steps:\n  - intent: z\nrules: []\n")
    assert add_stories(b"stories: []\n", ["- story: c"]) is None
    assert add_stories(b"rules: []\n", ["- story: c"]) is None
    assert b"\r\n- story: c\r\n" in (add_stories(one.replace(b"\n", b"\r\n"), ["- story: c"]) or b"")
    assert YAML(typ="safe").load(new_stories(["- story: c", "  steps: []"]))["stories"][0]["story"] == "c"


def test_the_names_of_a_domain_are_read_as_people_write_them():
    names = domain_names(
        {"domain.yml": DOMAIN, "more.yml": b"actions:\n- 'action_x' # ours\n- action_y:\n    send_domain: true\n"}
    )
    assert all(names.has_intent(one) for one in ("greet", "inform", "restart", "greet/formal"))
    assert all(
        names.has_action(one)
        for one in ("utter_greet", "utter_faq", "table_form", "action_order", "action_x", "action_y", "action_back")
    )
    assert not names.has_action("utter_nothing")
    assert names.has_slot("day")
    assert not names.has_slot("type")
    assert names.has_form("table_form")
    assert names.has_entity("people")
