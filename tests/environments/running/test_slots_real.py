"""Slots with real workers and real Rasa servers, and what goes wrong with them."""

import io
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations.ingest import sql_source
from conversations.ingest.readable_share import InvalidShare
from conversations.models import Conversation
from environments.models import Environment, Slot
from environments.services import database, slots, trying
from environments.services.address import slot_of
from models_app.models import Model
from models_app.services.models import add_model
from models_app.storage import store
from studio import redis
from studio.jobs.models import Heartbeat
from studio.rasa.runtime import Runtime
from tests.environments.installation import Installation, wait_for
from tests.factories import environment_of, make_assistant, make_person

State = Slot.State
T = TypeVar("T")
# Each test looks from within a transaction of its own, so what it wants written for others goes through `committed`.
pytestmark = [pytest.mark.rasa, pytest.mark.django_db]


class House(Installation):
    """A web server and a schedule; workers come and go with the tests."""

    archive: Path

    def model(self, name: str) -> Model:
        def add() -> Model:
            with self.archive.open("rb") as source:
                return add_model(
                    actor=None,
                    assistant=self.environment.assistant,
                    source=source,
                    file_name=f"{name}.tar.gz",
                    origin=Model.Origin.UPLOADED,
                ).model

        return committed(add)

    def worker(self) -> subprocess.Popen[bytes]:
        process = self.start_worker()
        name = f":{process.pid}"
        wait_for(lambda: Heartbeat.objects.filter(kind=slots.WORKER, name__endswith=name).exists(), "the worker")
        return process

    def try_it(self, name: str) -> Slot:
        return committed(lambda: slots.ask(actor=None, model=self.model(name)))

    def end_workers(self) -> None:
        committed(lambda: [_stop(slot) for slot in Slot.objects.filter(state__in=Slot.USABLE)])
        for process in self.processes[2:]:
            process.terminate()
        for process in self.processes[2:]:
            process.wait(40)
        del self.processes[2:]
        committed(lambda: (Heartbeat.objects.filter(kind=slots.WORKER).delete(), Slot.objects.all().delete()))


def _stop(slot: Slot) -> None:
    slots.stop(actor=None, slot=slot, why="The test is over.")


def committed(do: Callable[[], T]) -> T:
    """On a connection of its own, so that other processes see it."""

    def run() -> T:
        try:
            return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(run).result()


def reaches(slot: Slot, *states: str) -> Slot:
    def there() -> Slot | None:
        row = Slot.objects.get(pk=slot.pk)
        assert row.state in states or not row.is_ended, f"{row.state}: {row.message}\n{row.log}"
        return row if row.state in states else None

    return wait_for(there, f"{states}")


def rasa_of(slot: Slot) -> list[psutil.Process]:
    """The Rasa servers that run in the slot's folder, and their keepers."""
    word = f"slots{os.sep}{slot.pk}-"
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(word in part for part in process.info["cmdline"] or []):
            found.append(process)
    return found


def kill_rasa(slot: Slot) -> None:
    servers = [
        process for process in rasa_of(slot) if "--enable-api" in process.cmdline() and "run" in process.cmdline()
    ]
    rasa = max(servers, key=lambda process: process.create_time())  # the keeper has the same words and is older
    rasa.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def the_house(django_db_setup: None, django_db_blocker, rasa_runtime: Runtime, trained_model: Path) -> Iterator[House]:
    with django_db_blocker.unblock():
        place = trying.place_of(make_assistant("default"))
        environment_of(place.assistant)
        house = House(place)
        house.archive = trained_model
    try:
        with django_db_blocker.unblock():
            house.start_web()
            house.start_schedule()
        yield house
    finally:
        house.stop()
        with django_db_blocker.unblock():
            _clean(place)


def _clean(place: Environment) -> None:
    place.refresh_from_db()
    if place.database_key:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {database.events_role(place)}.events")
        database.drop_intake(place)
    call_command("flush", verbosity=0, interactive=False)
    redis.client().flushdb()


@pytest.fixture
def house(the_house: House) -> Iterator[House]:
    yield the_house
    the_house.end_workers()


@pytest.fixture(autouse=True)
def fresh_redis() -> None:
    """What the workers are woken by stays between these tests too."""


@pytest.fixture
def talk(client: Client, house: House) -> Client:
    committed(lambda: client.force_login(make_person("annotator")))
    return client


def say(client: Client, slot: Slot, text: str = "hello", sender: str = "") -> dict[str, object]:
    address = f"/a/default/try/{slot.model.name}/{sender}{'/' if sender else ''}say"
    answer = committed(lambda: client.post(address, {"text": text}))
    assert answer.status_code == 200, answer.content
    found: dict[str, object] = answer.json()
    return found


def test_what_was_never_promoted_is_tried_and_what_is_said_is_ours(house: House, talk: Client) -> None:
    house.worker()
    slot = reaches(house.try_it("never-promoted"), State.RUNNING)
    assert slot.memory is None or slot.memory > 10**8
    assert "Café Lumen" in str(say(talk, slot)["html"])

    def arrived() -> Conversation | None:
        for intake in sql_source.intakes():
            sql_source.move_batch(intake, InvalidShare())
        return Conversation.objects.filter(environment=house.environment).first()

    conversation = wait_for(arrived, "the conversation")
    assert conversation.origin == Conversation.Origin.TALK


def test_a_killed_slot_is_replaced_once_goes_on_with_the_conversation_and_then_says_why(
    house: House, talk: Client
) -> None:
    house.worker()
    slot = reaches(house.try_it("killed"), State.RUNNING)
    sender = str(say(talk, slot)["addresses"]["page"]).rpartition("/")[2]  # type: ignore[index]
    kill_rasa(slot)
    wait_for(lambda: Slot.objects.get(pk=slot.pk).deaths == 1, "its death")
    again = reaches(slot, State.RUNNING)
    say(talk, again, "bye", sender)
    remembered = committed(lambda: slot_of(again.model).client(30).tracker(sender))
    assert [event["text"] for event in remembered["events"] if event["event"] == "user"] == ["hello", "bye"]
    kill_rasa(again)
    failed = reaches(slot, State.FAILED)
    assert "SIGKILL" in failed.message
    refused = committed(lambda: talk.post(f"/a/default/try/killed/{sender}/say", {"text": "hello?"}))
    assert refused.status_code == 503
    assert "SIGKILL" in refused.json()["error"]


def test_nothing_outlives_a_killed_worker_and_another_takes_over(house: House) -> None:
    worker = house.worker()
    slot = reaches(house.try_it("orphan"), State.RUNNING)
    old = rasa_of(slot)
    assert old
    worker.kill()
    worker.wait()
    _gone, alive = psutil.wait_procs(old, timeout=20)
    assert alive == []
    house.worker()
    wait_for(lambda: Slot.objects.get(pk=slot.pk).attempt == 2, "the second worker", 90)
    assert reaches(slot, State.RUNNING).deaths == 1


def test_a_machine_that_cannot_hold_one_more_says_so(house: House) -> None:
    house.worker()
    model = house.model("heavy")
    committed(
        lambda: Slot.objects.create(
            environment=house.environment, model=model, state=State.ENDED, peak_memory=2**62, requested_by_label="x"
        )
    )
    slot = committed(lambda: slots.ask(actor=None, model=model))
    failed = reaches(slot, State.FAILED)
    assert "of memory left" in failed.message
    assert rasa_of(slot) == []


def test_when_all_are_in_use_one_waits_until_one_is_idle(house: House) -> None:
    house.worker()
    used = reaches(house.try_it("used"), State.RUNNING)
    committed(lambda: slots.touch(used))
    waiting = house.try_it("waits")
    assert slots.place_in_line(waiting) == 1
    assert Slot.objects.get(pk=used.pk).state == State.RUNNING
    long_ago = timezone.now() - timedelta(minutes=5)
    committed(lambda: Slot.objects.filter(pk=used.pk).update(used_at=long_ago, ready_at=long_ago))
    reaches(waiting, State.RUNNING)
    ended = Slot.objects.get(pk=used.pk)
    assert (ended.state, "needed for waits" in ended.message) == (State.ENDED, True)


def test_a_model_whose_archive_is_gone(house: House) -> None:
    house.worker()
    model = house.model("gone")
    with store().open(model.artifact_id) as source:
        content = source.read()
    store().delete(model.artifact_id)
    try:
        failed = reaches(committed(lambda: slots.ask(actor=None, model=model)), State.FAILED)
        assert "is not in the artifact store" in failed.message
    finally:
        store().put(io.BytesIO(content))
