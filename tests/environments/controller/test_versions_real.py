"""A managed server follows its assistant from one real Rasa to the next, and never to one that does not load its model."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from environments.models import Environment
from environments.services import database, managed
from environments.services.promotion import promote
from models_app.models import Model
from models_app.services.models import add_model
from models_app.services.training_settings import save_settings
from studio import redis
from studio.rasa.commands import train_arguments
from studio.rasa.local import LocalProcesses
from studio.rasa.process import Spec
from studio.rasa.runtime import Runtime
from tests.environments.installation import Installation, wait_for
from tests.factories import environment_of, make_assistant
from tests.rasa_fixtures import OLDER, SMALL, VERSION, runtime_folder, wait_for_end

pytestmark = [pytest.mark.rasa, pytest.mark.django_db(transaction=True)]


def train_with(runtime: Runtime, folder: Path) -> bytes:
    for name, content in SMALL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    arguments = train_arguments(config="config.yml", domain="domain.yml", data=["data"], out="out", model_name="m")
    processes = LocalProcesses(runtime.python, runtime_folder() / "home")
    handle = processes.start(Spec(arguments, folder, folder / "train.log"))
    assert wait_for_end(processes, handle, 200).code == 0, (folder / "train.log").read_text()
    return (folder / "out" / "m.tar.gz").read_bytes()


def add(environment: Environment, name: str, archive: bytes) -> Model:
    return add_model(
        actor=None,
        assistant=environment.assistant,
        source=io.BytesIO(archive),
        file_name=f"{name}.tar.gz",
        origin=Model.Origin.UPLOADED,
    ).model


def choose(environment: Environment, version: str) -> None:
    save_settings(actor=None, assistant=environment.assistant, values={"rasa_version": version})


@pytest.fixture
def house(older_runtime: Runtime, tmp_path: Path) -> Iterator[Installation]:
    environment = environment_of(make_assistant("default"))
    managed.run_here(actor=None, environment=environment)
    choose(environment, OLDER)
    promote(actor=None, environment=environment, model=add(environment, "old", train_with(older_runtime, tmp_path)))
    environment.refresh_from_db()
    house = Installation(environment)
    try:
        house.start_web()
        house.start_controller()
        yield house
    finally:
        house.stop()
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {database.events_role(environment)}.events")
        database.drop_intake(environment)
        call_command("flush", verbosity=0, interactive=False)
        redis.client().flushdb()


def runs(house: Installation, version: str) -> Callable[[], bool]:
    return lambda: (house.server().state, house.server().rasa_version) == ("running", version)


def test_a_server_goes_to_the_next_version_with_the_first_model_that_it_loads(
    house: Installation, rasa_runtime: Runtime, tmp_path: Path
) -> None:
    wait_for(runs(house, OLDER), "the older server")
    first = house.wait_until_running()
    assert house.client().version().version == OLDER
    choose(house.environment, VERSION)
    wait_for(lambda: "which Rasa 3.6.21 does not load" in house.server().message, "the word that it waits")
    assert house.wait_until_running() == first
    assert [one["text"] for one in house.say("anna", "hello")] == ["Hello"]

    newer = add(house.environment, "new", train_with(rasa_runtime, tmp_path / "newer"))
    promote(actor=None, environment=house.environment, model=newer)
    wait_for(runs(house, VERSION), "the newer server")
    assert house.client().version().version == VERSION
    wait_for(lambda: house.client().status().has_model, "the newer model")
    assert [one["text"] for one in house.say("berta", "hello")] == ["Hello"]
    assert house.server().message == ""
