"""Names that no environment has: they are shown, adopted, and their conversations moved."""

import pytest
from django.test import Client

from conversations.models import Conversation, DeadLetter, IntakeStream
from conversations.services import adoption
from conversations.services.adoption import adopt_as_new, adopt_environment, move_adopted, unknown_environments
from environments.models import Environment
from environments.services.environments import remove_environment
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.access.services.grants import grant
from studio.access.services.roles import save_role
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.conversations.dead import CUT, make_letter
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_person, store_events

pytestmark = pytest.mark.django_db


def came(environment: Environment, *senders: str, under: str) -> None:
    for sender in senders:
        store_events(environment, *small_talk(sender=sender), under=under)


def names(assistant: Assistant) -> list[str]:
    return [one.name for one in unknown_environments(assistant)]


def adopt(environment: Environment, name: str) -> int:
    return adopt_environment(actor=None, assistant=environment.assistant, name=name, environment=environment)


def test_a_name_that_nobody_has_is_counted(environment: Environment):
    came(environment, "anna", "ben", under="abroad")
    came(environment, "carla", under="production")
    (one,) = unknown_environments(environment.assistant)
    assert (one.name, one.conversations, one.records, one.heir) == ("abroad", 2, 16, "")


def test_names_are_found_one_after_the_other_and_counted_up_to_a_limit(environment: Environment, monkeypatch):
    monkeypatch.setattr(adoption, "MOST_COUNTED", 2)
    came(environment, "anna", "ben", "carla", "dora", under="abroad")
    came(environment, "emil", "fritz", under="Ä")
    came(environment, "gustav", under="")
    found = {one.name: (one.counted, one.is_more) for one in unknown_environments(environment.assistant)}
    assert found == {"abroad": (2, True), "Ä": (2, False), "": (1, False)}


def test_the_name_that_rasa_says_without_a_variable_is_told_apart(environment: Environment):
    came(environment, "anna", under="RASA_ENVIRONMENT_NOT_SET")
    assert unknown_environments(environment.assistant)[0].is_unset


def test_who_adopts_a_name_has_what_came_and_what_comes(environment: Environment):
    came(environment, "anna", "ben", under="abroad")
    assert adopt(environment, "abroad") == 2
    assert names(environment.assistant) == []
    came(environment, "carla", under="abroad")
    assert set(Conversation.objects.values_list("environment", flat=True)) == {environment.pk}
    event = AuditEvent.objects.get(action=Action.ENVIRONMENT_ADOPTED)
    assert event.after == {"name": "abroad", "environment": "production"}


def test_an_environment_of_the_name_is_made_for_it(environment: Environment):
    came(environment, "anna", under="abroad")
    made, moved = adopt_as_new(actor=None, assistant=environment.assistant, name="abroad")
    assert (made.name, moved) == ("abroad", 1)
    assert Conversation.objects.get().environment == made


def test_a_great_number_moves_in_chunks_and_none_is_forgotten(environment: Environment, monkeypatch):
    monkeypatch.setattr(adoption, "AT_ONCE", 1)
    monkeypatch.setattr(adoption, "CHUNK", 2)
    came(environment, "anna", "ben", "carla", "dora", "emil", under="abroad")
    assert adopt(environment, "abroad") == 1
    (one,) = unknown_environments(environment.assistant)
    assert (one.heir, one.is_moving, one.conversations, one.moved) == ("production", True, 4, 1)
    assert move_adopted() == 4
    assert IntakeStream.objects.get(environment_name="abroad").moved == 5
    assert move_adopted() == 0
    assert not Conversation.objects.filter(environment=None).exists()


def test_periodic_work_ends_after_its_seconds_and_goes_on_the_next_time(environment: Environment, monkeypatch):
    monkeypatch.setattr(adoption, "AT_ONCE", 0)
    monkeypatch.setattr(adoption, "CHUNK", 1)
    monkeypatch.setattr(adoption, "SECONDS_EACH_TIME", -1.0)
    came(environment, "anna", "ben", under="abroad")
    adopt(environment, "abroad")
    assert [move_adopted(), move_adopted(), move_adopted()] == [1, 1, 0]


def test_dead_letters_that_came_under_the_name_are_adopted_as_well(environment: Environment, monkeypatch):
    monkeypatch.setattr(adoption, "AT_ONCE", 1)
    monkeypatch.setattr(adoption, "CHUNK", 2)
    came(environment, "anna", under="abroad")
    for _ in range(4):
        make_letter(environment, CUT, under="abroad")
    stranger = make_letter(environment, CUT, under="elsewhere")
    assert adopt(environment, "abroad") == 1
    assert DeadLetter.objects.filter(environment=environment).count() == 1
    assert move_adopted() == 3
    assert list(DeadLetter.objects.filter(environment=None)) == [stranger]


def test_conversations_of_another_assistant_stay_where_they_are(environment: Environment):
    other = environment_of(make_assistant("inn", "Inn"))
    came(environment, "anna", under="abroad")
    came(other, "berta", under="abroad")
    adopt(environment, "abroad")
    assert Conversation.objects.get(sender_id="berta").environment is None
    assert names(other.assistant) == ["abroad"]


def test_a_name_whose_heir_was_removed_is_unknown_again(environment: Environment):
    worker = environment_of(environment.assistant, "worker")
    came(environment, "anna", under="abroad")
    adopt(worker, "abroad")
    remove_environment(actor=None, environment=worker)
    came(environment, "ben", under="abroad")
    assert Conversation.objects.get(sender_id="ben").environment is None
    assert names(environment.assistant) == ["abroad"]


def test_nobody_adopts_what_never_came_or_for_another_assistant(environment: Environment):
    with pytest.raises(Conflict):
        adopt(environment, "nowhere")
    came(environment, "anna", under="abroad")
    stranger = environment_of(make_assistant("inn", "Inn"))
    with pytest.raises(Invalid):
        adopt_environment(actor=None, assistant=environment.assistant, name="abroad", environment=stranger)


def test_conversations_that_came_before_an_environment_of_their_name_can_be_adopted(environment: Environment):
    came(environment, "anna", under="worker")
    Conversation.objects.update(environment=None)
    (one,) = unknown_environments(environment.assistant)
    assert (one.heir, one.is_moving) == ("worker", False)
    assert adopt(environment_of(environment.assistant, "worker"), "worker") == 1


def test_the_dialog_adopts(client: Client, environment: Environment, redis_client: object):
    client.force_login(make_person("admin"))
    came(environment, "anna", under="staging eu/1")
    address = f"/a/{environment.assistant.slug}/intake/adopt?name=staging%20eu%2F1"
    shown = client.get(address).content.decode()
    assert "staging eu/1" in shown
    assert "a new environment" not in shown
    client.post(address, {"environment": environment.pk})
    assert Conversation.objects.get().environment == environment
    assert IntakeStream.objects.get(environment_name="staging eu/1").adopted_by == environment


def test_what_one_may_not_modify_one_may_not_adopt_into(client: Client, environment: Environment, redis_client: object):
    may = ["environments.view", "assistants.modify"]
    role = save_role(actor=None, role=None, name="keeper", description="", permissions=may)
    person = make_person()
    grant(actor=None, person=person, role=role, scope=Scope(environment.assistant_id))
    client.force_login(person)
    came(environment, "anna", under="abroad")
    answer = client.post(f"/a/{environment.assistant.slug}/intake/adopt?name=abroad", {"environment": environment.pk})
    assert answer.status_code == 422
    assert Conversation.objects.get().environment is None
