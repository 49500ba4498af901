"""The controller as a process of its own, real Rasa servers, real polls of a real web server."""

import html
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from conversations.ingest import sql_source
from conversations.ingest.readable_share import InvalidShare
from environments.models import Environment, ManagedServer, Replica
from environments.services import database, managed, server_logs
from environments.services.promotion import promote
from models_app.models import Model
from models_app.services.models import add_model
from studio import redis
from studio.rasa import proc
from studio.rasa.runtime import Runtime
from tests.environments.installation import Installation, is_alive, wait_for
from tests.factories import environment_of, make_assistant, make_person

# Each test looks from within a transaction of its own, so what it wants written for others goes through `committed`.
pytestmark = [pytest.mark.rasa, pytest.mark.django_db]


@pytest.fixture(scope="module")
def house(
    django_db_setup: None, django_db_blocker, rasa_runtime: Runtime, trained_model: Path
) -> Iterator[Installation]:
    """One for all tests of this module: a server takes its time to start."""
    with django_db_blocker.unblock():
        environment = environment_of(make_assistant("default"))
        managed.run_here(actor=None, environment=environment)
        promote(actor=None, environment=environment, model=_add(environment, trained_model))
        environment.refresh_from_db()
        house = Installation(environment)
    try:
        with django_db_blocker.unblock():
            house.start_web()
            house.start_controller()
            house.wait_until_running()
        yield house
    finally:
        house.stop()
        with django_db_blocker.unblock():
            _clean(environment)


@pytest.fixture(autouse=True)
def fresh_redis() -> None:
    """The web server's pointers stay between these tests too."""


def _add(environment: Environment, archive: Path) -> Model:
    with archive.open("rb") as source:
        return add_model(
            actor=None,
            assistant=environment.assistant,
            source=source,
            file_name="starter.tar.gz",
            origin=Model.Origin.UPLOADED,
        ).model


def _clean(environment: Environment) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {database.events_role(environment)}.events")
    database.drop_intake(environment)
    call_command("flush", verbosity=0, interactive=False)
    redis.client().flushdb()


def committed(service: Callable[..., object], environment: Environment) -> None:
    """Call a service on a connection of its own."""

    def run() -> None:
        service(actor=None, environment=environment)
        connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(run).result()


def senders_of(environment: Environment) -> set[str]:
    """Who said something, as Rasa's event broker wrote it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT sender_id FROM {database.events_role(environment)}.events")
        return {sender for (sender,) in cursor.fetchall()}


def test_it_pulls_its_model_and_tells_so_by_polling(house: Installation) -> None:
    model = house.environment.tag.model
    replica = wait_for(lambda: Replica.objects.filter(key="managed", model=model).first(), "its polls")
    assert replica.named
    assert house.client().status().model_file == "starter.tar.gz"


def test_it_answers_in_its_channel_and_its_events_arrive(house: Installation) -> None:
    replies = house.say("anna", "hello")
    assert any(reply.get("text") for reply in replies)
    wait_for(lambda: "anna" in senders_of(house.environment), "events")


def test_a_talk_is_answered_at_once_and_comes_back_as_a_conversation(house: Installation, client: Client) -> None:
    """Promoted by the fixture, spoken to through Talk's own addresses, ingested, shown."""
    client.force_login(make_person("annotator"))
    answer = client.post("/a/default/talk/production/say", {"text": "hello"}).json()
    assert "Café Lumen" in answer["html"]
    news = wait_for(lambda: turns_that_came(client, answer["addresses"]["news"]), "the turn's events")
    [turn] = news["turns"]
    assert turn["text"] == "hello"
    assert set(answer["said"]) <= set(turn["said"]), "the page knows them as one"
    page = client.get(news["conversation"]).content.decode()
    assert "hello" in page
    assert answer["said"][0] in html.unescape(page)
    again = client.post(answer["addresses"]["say"], {"text": "/restart"})
    assert again.status_code == 200


def turns_that_came(client: Client, address: str) -> dict[str, Any] | None:
    """What the page is told, once the whole turn is here; takes waiting events in as the ingest process does."""
    for intake in sql_source.intakes():
        sql_source.move_batch(intake, InvalidShare())
    news = client.get(address).json()
    return news if news["turns"] and news["turns"][-1]["complete"] else None


def test_who_has_not_its_token_learns_nothing(house: Installation) -> None:
    assert house.client().is_secured()
    keeper = house.wait_until_running().pid
    for pid in (keeper, *(one.pid for one in proc.descendants(keeper))):
        assert house.client().token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_killed_it_is_started_again_and_remembers_every_dialogue(house: Installation) -> None:
    house.say("berta", "hello")
    before = [event for event in house.client().tracker("berta")["events"] if event["event"] == "user"]
    killed = house.wait_until_running()
    os.kill(killed.pid, signal.SIGKILL)
    house.wait_until_running(not_pid=killed.pid)
    after = [event for event in house.client().tracker("berta")["events"] if event["event"] == "user"]
    assert after == before != []


def test_its_log_is_there_to_read_and_nobody_else_may(house: Installation) -> None:
    assert "Starting Rasa server on" in server_logs.read_server_log(house.environment).text
    assert managed.log_path(house.environment).stat().st_mode & 0o077 == 0


def test_a_killed_controller_leaves_no_rasa_and_the_next_starts_one(house: Installation) -> None:
    orphan = house.wait_until_running()
    controller = house.processes.pop()
    controller.kill()
    controller.wait()
    wait_for(lambda: not is_alive(orphan), "the end of its server", seconds=60)
    house.start_controller()
    successor = house.wait_until_running(not_pid=orphan.pid)
    assert servers_of_this_run() == [successor.pid]


def test_a_second_controller_waits_and_starts_nothing(house: Installation) -> None:
    only = house.wait_until_running()
    second = house.start_controller()
    with pytest.raises(AssertionError):
        wait_for(lambda: servers_of_this_run() != [only.pid], "another server", seconds=6)
    house.processes.remove(second)
    second.terminate()
    second.wait(90)
    assert servers_of_this_run() == [only.pid]


def test_stopped_it_is_gone_and_started_it_is_back(house: Installation) -> None:
    committed(managed.stop_server, house.environment)
    wait_for(lambda: house.server().state == ManagedServer.State.STOPPED, "its end")
    assert servers_of_this_run() == []
    committed(managed.start_server, house.environment)
    house.wait_until_running()


def servers_of_this_run() -> list[int]:
    """Processes whose command line names our folder of servers; of a Rasa and its keeper the keeper alone."""
    ours = str(settings.SERVERS_DIR).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if ours in line and b"--enable-api" in line:
            found.append(int(path.parent.name))
    kept = {one.pid for one in proc.table() if one.parent in found}
    return [pid for pid in found if pid not in kept]
