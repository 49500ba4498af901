"""What the training settings say of the environments before another Rasa is chosen."""

import pytest
from django.test import Client

from environments.models import Environment, ManagedServer
from environments.services.environments import note_server
from environments.services.managed import run_here
from environments.services.promotion import promote
from environments.services.rasa_change import Effect, effects, uses_by_servers
from models_app.models import Model
from models_app.services.training_settings import save_settings
from studio.rasa.models import RasaRuntime
from tests.factories import environment_of, make_assistant, make_model, make_person

pytestmark = pytest.mark.django_db
PAGE = "/a/cafe/environments/rasa/"


@pytest.fixture
def production() -> Environment:
    """Managed, and running a model of 3.6.20 on Rasa 3.6.20."""
    environment = environment_of(make_assistant("cafe"))
    run_here(actor=None, environment=environment)
    model = make_model(environment.assistant, "otter")
    Model.objects.filter(pk=model.pk).update(rasa_version="3.6.20")
    promote(actor=None, environment=environment, model=model)
    ManagedServer.objects.update(rasa="3.6.20", rasa_version="3.6.20", state="running")
    for version, minimum in (("3.6.20", "3.5.0"), ("3.6.21", "3.6.21"), ("3.4.2", "3.4.0")):
        RasaRuntime.objects.create(
            version=version, release=version, state="ready", minimum_compatible_version=minimum, python="3.10.13"
        )
    return environment


def effect_on(environment: Environment, version: str) -> Effect:
    row = Environment.objects.select_related("tag__model", "server").filter(pk=environment.pk)
    return effects(row, RasaRuntime.objects.get(version=version))[0]


def test_what_it_runs_already_changes_nothing(production: Environment) -> None:
    assert effect_on(production, "3.6.20").word == "Stays"


def test_a_version_that_loads_the_live_model_restarts_its_server(production: Environment) -> None:
    told = effect_on(production, "3.4.2")
    assert (told.word, told.text) == ("Restarts", "Its server starts again with Rasa 3.4.2, which loads otter.")


def test_a_version_that_does_not_load_it_waits_for_a_newer_model(production: Environment) -> None:
    told = effect_on(production, "3.6.21")
    assert told.word == "Waits"
    assert (
        "It goes on with Rasa 3.6.20 until a newer model is promoted: otter was trained with Rasa 3.6.20" in told.text
    )
    ManagedServer.objects.update(rasa="", rasa_version="")
    assert effect_on(production, "3.6.21").word == "Would not load"


def test_what_is_not_ready_leaves_everything_as_it_is(production: Environment) -> None:
    RasaRuntime.objects.filter(version="3.4.2").update(state="installing")
    assert effect_on(production, "3.4.2").text.startswith("Rasa 3.4.2 is not ready.")


def test_a_server_of_the_teams_own_is_told_where_a_promotion_would_not_load(production: Environment) -> None:
    Environment.objects.filter(pk=production.pk).update(kind="connected")
    note_server(environment=production, version="3.6.21", minimum_compatible_version="3.6.21")
    told = effect_on(production, "3.6.20")
    assert told.word == "Would not load"
    assert "A model trained with Rasa 3.6.20 cannot be promoted here." in told.text
    assert effect_on(production, "3.6.21").word == "Loads"
    Environment.objects.filter(pk=production.pk).update(server_minimum_version="")
    assert effect_on(production, "3.6.20").word == "Not known"


def test_the_page_shows_it_for_what_is_chosen_in_the_form(client: Client, production: Environment) -> None:
    client.force_login(make_person("admin"))
    page = client.get(PAGE, {"rasa_version": "3.6.21"}).content.decode()
    assert "With Rasa 3.6.21" in page
    assert "Waits" in page
    settings = client.get("/a/cafe/settings/training").content.decode()
    assert f'hx-get="{PAGE}"' in settings
    assert '<option value="3.4.2">Rasa 3.4.2</option>' in settings


def test_a_choice_that_is_no_longer_here_stays_in_the_form_and_no_other_can_be_made_up(
    client: Client, production: Environment
) -> None:
    save_settings(actor=None, assistant=production.assistant, values={"rasa_version": "3.2.1"})
    client.force_login(make_person("admin"))
    page = client.get("/a/cafe/settings/training").content.decode()
    assert "Rasa 3.2.1, not ready" in page
    answer = client.post("/a/cafe/settings/training", {"rasa_version": "9.9.9", "held_out_percent": "20"})
    assert answer.status_code == 422


def test_a_server_that_still_runs_another_version_keeps_it(production: Environment) -> None:
    save_settings(actor=None, assistant=production.assistant, values={"rasa_version": "3.6.20"})
    assert uses_by_servers() == {}
    save_settings(actor=None, assistant=production.assistant, values={"rasa_version": "3.6.21"})
    assert [use.text for use in uses_by_servers()["3.6.20"]] == ["the environment production of Café"]
