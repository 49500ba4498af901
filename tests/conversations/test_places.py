"""Whose an event is: by its source, the assistant that it names, and the name of its environment."""

import pytest

from conversations.ingest.places import NOT_SET, SourcePlaces
from conversations.ingest.records import Binding
from conversations.models import IntakeSource
from environments.models import Environment
from environments.services.environments import update_environment
from models_app.models import Assistant, Model
from tests.factories import environment_of, make_assistant, make_model, source_of


@pytest.fixture
def source(environment: Environment) -> IntakeSource:
    return source_of(environment.assistant)


@pytest.fixture
def bakery() -> Assistant:
    """Another assistant, whose models say `bread` of themselves."""
    bakery = make_assistant()
    Model.objects.filter(pk=make_model(bakery).pk).update(rasa_assistant_id="bread")
    return bakery


def place(source: IntakeSource, claimed: str, rasa_assistant_id: str = "cafe") -> Binding:
    places = SourcePlaces(source)
    places.refresh()
    return places.binding(claimed, rasa_assistant_id)


def test_an_event_is_of_the_environment_that_it_names(source, environment):
    assert place(source, "production") == Binding(source.assistant_id, environment.pk, "production")


def test_a_name_nobody_has_is_kept_without_an_environment(source):
    assert place(source, "somewhere") == Binding(source.assistant_id, None, "somewhere")


def test_a_former_name_still_counts(source, environment):
    update_environment(actor=None, environment=environment, name="live")
    assert place(source, "production").environment_id == environment.pk


def test_what_names_none_is_of_the_environment_that_the_source_says(source, environment):
    assert place(source, NOT_SET).environment_id is None
    source.environment = environment
    assert place(source, NOT_SET).environment_id == environment.pk
    assert place(source, "").environment_id == environment.pk
    assert place(source, "somewhere").environment_id is None


def test_the_metadata_chooses_among_the_assistants_of_the_source(source, bakery):
    source.other_assistants.add(bakery)
    production = environment_of(bakery)
    assert place(source, "production", "bread") == Binding(bakery.pk, production.pk, "production")
    assert place(source, "production", "cafe").assistant_id == source.assistant_id


def test_the_metadata_chooses_nobody_else(source, bakery):
    assert place(source, "production", "bread").assistant_id == source.assistant_id
