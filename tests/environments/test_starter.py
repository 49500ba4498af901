"""The starter's way into production, step by step as the rows go on."""

import pytest
from django.core.management import call_command

from environments.models import Environment, Promotion
from environments.services import starter
from environments.services.promotion import promote
from models_app.models import Assistant, Revision, TrainingJob
from models_app.services.revisions import files_of, save_revision
from models_app.services.training import request_training
from tests.factories import environment_of, make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def born(settings) -> Assistant:
    settings.STARTER = True
    call_command("bootstrap", "--json")
    return Assistant.objects.get(slug="default")


def train(assistant: Assistant) -> TrainingJob:
    """The worker did its work."""
    job = TrainingJob.objects.get()
    job.state, job.model = TrainingJob.State.DONE, make_model(assistant)
    job.save()
    return job


def test_a_first_start_brings_its_data_and_asks_for_a_training(born: Assistant) -> None:
    revision = Revision.objects.get(assistant=born)
    assert {"domain.yml", "config.yml"} <= files_of(revision).keys()
    assert TrainingJob.objects.get().revision == revision
    assert environment_of(born).kind == Environment.Kind.MANAGED
    assert environment_of(born, "worker").kind == Environment.Kind.UNSET


def test_every_later_start_changes_nothing(born: Assistant) -> None:
    call_command("bootstrap", "--json")
    assert (Revision.objects.count(), TrainingJob.objects.count(), Assistant.objects.count()) == (1, 1, 1)


def test_its_first_model_goes_to_production_once(born: Assistant) -> None:
    job = train(born)
    starter.advance()
    starter.advance()
    promotion = Promotion.objects.get()
    assert (promotion.to_model, promotion.reason, promotion.actor) == (job.model, starter.REASON, None)


def test_a_failed_training_is_left_for_people_to_see(born: Assistant) -> None:
    TrainingJob.objects.update(state=TrainingJob.State.FAILED, message="Out of memory.")
    starter.advance()
    assert TrainingJob.objects.count() == 1
    assert not Promotion.objects.exists()


def test_who_changed_the_data_meanwhile_goes_their_own_way(born: Assistant) -> None:
    train(born)
    save_revision(actor=None, assistant=born, files={"domain.yml": b"a: 1"}, message="mine", parent_number=1)
    starter.advance()
    assert not Promotion.objects.exists()


def test_a_promotion_by_people_stands(born: Assistant) -> None:
    train(born)
    theirs = make_model(born)
    promote(actor=None, environment=environment_of(born), model=theirs)
    starter.advance()
    assert Promotion.objects.get().to_model == theirs


def test_an_environment_that_people_emptied_stays_empty(born: Assistant) -> None:
    train(born)
    starter.advance()
    promote(actor=None, environment=environment_of(born), model=None)
    starter.advance()
    assert environment_of(born).tag.model is None


def test_without_the_starter_there_is_an_empty_assistant(settings) -> None:
    settings.STARTER = False
    call_command("bootstrap", "--json")
    assistant = Assistant.objects.get(slug="default")
    assert not Revision.objects.exists()
    assert environment_of(assistant).kind == Environment.Kind.UNSET
    starter.advance()
    assert not TrainingJob.objects.exists()


def test_a_starter_that_was_not_wanted_does_not_come_later(settings) -> None:
    settings.STARTER = False
    call_command("bootstrap", "--json")
    settings.STARTER = True
    call_command("bootstrap", "--json")
    assert not Revision.objects.exists()


def test_peoples_own_data_is_not_trained_for_them(settings) -> None:
    settings.STARTER = False
    call_command("bootstrap", "--json")
    assistant = Assistant.objects.get(slug="default")
    save_revision(actor=None, assistant=assistant, files={"domain.yml": b"a: 1"}, message="ours", parent_number=None)
    starter.advance()
    assert not TrainingJob.objects.exists()


def test_its_server_may_start_while_it_trains_but_not_after_a_failure(born: Assistant) -> None:
    assert starter.is_coming(environment_of(born))
    assert not starter.is_coming(environment_of(born, "worker"))
    TrainingJob.objects.update(state=TrainingJob.State.FAILED)
    assert not starter.is_coming(environment_of(born))


def test_a_second_training_of_the_same_data_by_a_person_changes_nothing(born: Assistant) -> None:
    train(born)
    request_training(actor=None, assistant=born)
    starter.advance()
    assert Promotion.objects.count() == 1
