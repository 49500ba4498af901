"""The slot of a model on its Talk page: who may stop it, and what is forgotten of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from conversations.chat.sessions import begin_talk
from conversations.chat.targets import Target
from conversations.models import Conversation, TalkSession
from conversations.services.erasing import erase
from environments.models import Slot
from environments.services import slots, trying
from models_app.models import Assistant, Model
from studio.access.models import Role, User
from studio.access.permissions import Permission
from studio.access.services.grants import grant
from tests.conversations.events import small_talk
from tests.factories import make_assistant, make_model, make_person, store_events

State = Slot.State


@pytest.fixture
def model(assistant: Assistant, redis_client: object) -> Model:
    return make_model(assistant, "otter")


@pytest.fixture
def talker(client: Client, db: None) -> User:
    """May talk to models, and no more; signed in."""
    person = make_person(username="talker")
    role = Role.objects.create(name="talker", permissions=[Permission.TALK, Permission.MODELS_VIEW])
    grant(actor=None, person=person, role=role)
    client.force_login(person)
    return person


def run(model: Model, log: str = "") -> Slot:
    slots.ask(actor=None, model=model)
    slot = slots.claim(worker="here")
    assert slot is not None
    slots.begin(slot, host="127.0.0.1", port=5005, token="t", rasa="3.6.21", rasa_version="3.6.21")
    slots.ready(slot)
    slots.beat(slot, log=log)
    return slot


def state(slot: Slot) -> str:
    return Slot.objects.get(pk=slot.pk).state


def speak(model: Model, person: User, minutes_ago: float = 0) -> None:
    session = begin_talk(actor=person, target=Target(trying.place_of(model.assistant), model))
    TalkSession.objects.filter(pk=session.pk).update(last_at=timezone.now() - timedelta(minutes=minutes_ago))


def stop(client: Client, model: Model) -> str:
    response = client.post(f"/a/{model.assistant.slug}/try/{model.name}/slot/stop")
    assert response.status_code == 200
    return response.content.decode()


def test_trying_a_model_leads_back_to_it_and_on_to_its_promotion(client: Client, model: Model):
    client.force_login(make_person("admin"))
    slug = model.assistant.slug
    page = client.get(f"/a/{slug}/try/otter/").content.decode()
    assert f'<a href="/a/{slug}/models/otter">otter</a>' in page
    assert f"/a/{slug}/models/otter/promote" in page


def test_who_may_not_promote_is_not_offered_to(client: Client, model: Model, talker: User):
    page = client.get(f"/a/{model.assistant.slug}/try/otter/").content.decode()
    assert "/promote" not in page


def test_whoever_may_talk_stops_a_slot_that_nobody_else_uses(client: Client, model: Model, talker: User):
    slot = run(model)
    speak(model, talker)
    speak(model, make_person("admin"), minutes_ago=3)
    assert ">Stop</button>" in client.get(f"/a/{model.assistant.slug}/try/{model.name}/slot").content.decode()
    stop(client, model)
    assert state(slot) == State.STOPPING


def test_a_slot_that_others_use_is_not_stopped_by_whoever_may_only_talk(client: Client, model: Model, talker: User):
    slot = run(model)
    speak(model, make_person("admin"), minutes_ago=1)
    page = client.get(f"/a/{model.assistant.slug}/try/{model.name}/slot").content.decode()
    assert ">Stop</button>" not in page and "others talk to it now" in page
    assert "Others talk to it now" in stop(client, model)
    assert state(slot) == State.RUNNING


def test_whoever_may_modify_environments_stops_it_all_the_same(client: Client, model: Model, talker: User):
    slot = run(model)
    speak(model, talker)
    client.force_login(make_person("annotator"))
    stop(client, model)
    assert state(slot) == State.STOPPING


# --- Logs -------------------------------------------------------------------------------------------------------------


def erase_of(sender: str) -> None:
    with transaction.atomic():
        ids = list(Conversation.objects.filter(sender_id=sender).values_list("pk", flat=True))
        assert erase(ids, Conversation.objects.all()).conversations == 1


def test_what_was_said_to_a_model_leaves_the_logs_when_it_is_erased(model: Model, assistant: Assistant):
    ended = run(model, "ended: my secret\n")
    slots.fail(ended, "It ended.")
    running = run(model, "running: my secret\n")
    other = run(make_model(make_assistant("inn")), "another assistant's\n")
    place = trying.place_of(assistant)
    store_events(place, *small_talk(sender="anna"))
    Conversation.objects.update(environment=place)  # as its own intake does, and no other
    erase_of("anna")
    assert set(Slot.objects.filter(log__contains="secret")) == set()
    assert Slot.objects.get(pk=other.pk).log == "another assistant's\n"
    row = slots.beat(running, log="running: my secret\nand more\n")  # its worker does not know yet
    assert (row.log_cuts, Slot.objects.get(pk=running.pk).log) == (1, "")
    slots.beat(row, log="and more\n")
    assert Slot.objects.get(pk=running.pk).log == "and more\n"


def test_a_conversation_elsewhere_leaves_the_logs_alone(
    model: Model, stored: Callable[..., object], redis_client: object
):
    slot = run(model, "what was said to the model\n")
    stored(*small_talk(sender="anna"))
    erase_of("anna")
    assert Slot.objects.get(pk=slot.pk).log == "what was said to the model\n"
