"""Who gets a slot when, and what becomes of it; the worker is these tests themselves."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from environments.models import Environment, Slot
from environments.services import slots, trying
from environments.services.address import NoSlot, slot_of
from models_app.models import Assistant, Model
from models_app.services import training
from models_app.services.models import delete_model
from models_app.services.revisions import newest_revision, save_revision
from studio.access.models import User
from studio.errors import Conflict
from studio.jobs import silence
from studio.jobs.models import Heartbeat
from tests.factories import make_assistant, make_model, make_person

State = Slot.State
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("long_connected")]


@pytest.fixture
def assistant() -> Assistant:
    return make_assistant("cafe")


@pytest.fixture
def anna() -> User:
    return make_person("admin", username="anna")


@pytest.fixture(autouse=True)
def _redis(redis_client: object) -> None:
    """Workers are woken there."""


def workers(number: int) -> None:
    now = timezone.now()
    for one in range(number):
        Heartbeat.objects.create(kind=slots.WORKER, name=f"host:{one}", at=now, started_at=now)


def run(model: Model, actor: User | None = None, *, quiet: float = 0) -> Slot:
    """A slot that answers, and was used `quiet` minutes ago."""
    slots.ask(actor=actor, model=model)
    slot = slots.claim(worker="host:0")
    assert slot is not None and slot.model_id == model.pk
    slots.begin(slot, host="127.0.0.1", port=5005, token="t", rasa="3.6.21", rasa_version="3.6.21")
    assert slots.ready(slot)
    ago = timezone.now() - timedelta(minutes=quiet)
    Slot.objects.filter(pk=slot.pk).update(used_at=ago, ready_at=ago)
    return Slot.objects.get(pk=slot.pk)


def state(slot: Slot) -> str:
    return Slot.objects.get(pk=slot.pk).state


def test_two_people_on_one_model_share_a_slot(assistant: Assistant, anna: User):
    model = make_model(assistant)
    assert slots.ask(actor=anna, model=model) == slots.ask(actor=make_person("annotator"), model=model)


def test_a_slot_that_runs_is_found_by_its_model_and_is_in_use_then(assistant: Assistant, anna: User):
    model = make_model(assistant)
    with pytest.raises(NoSlot, match="does not run any more"):
        slot_of(model)
    slot = run(model, anna, quiet=5)
    address = slot_of(model)
    assert (address.url, address.token, address.hosts) == ("http://127.0.0.1:5005", "t", ("127.0.0.1",))
    used = Slot.objects.get(pk=slot.pk).used_at
    assert used is not None and timezone.now() - used < timedelta(seconds=10)


def test_a_deleted_model_is_not_tried(assistant: Assistant, anna: User):
    model = make_model(assistant)
    delete_model(actor=anna, model=model)
    with pytest.raises(Conflict, match="was deleted"):
        slots.ask(actor=anna, model=model)


def test_the_longest_idle_slot_makes_room_and_says_for_whom(assistant: Assistant, anna: User):
    workers(2)
    long_idle = run(make_model(assistant, "old"), anna, quiet=9)
    idle = run(make_model(assistant, "less-old"), anna, quiet=4)
    slots.ask(actor=anna, model=make_model(assistant, "fresh"))
    assert (state(long_idle), state(idle)) == (State.STOPPING, State.RUNNING)
    assert "needed for fresh" in Slot.objects.get(pk=long_idle.pk).message
    slots.make_room()  # one that ends already is room enough
    assert state(idle) == State.RUNNING


def test_no_slot_in_use_makes_room_and_the_place_in_line_is_known(assistant: Assistant, anna: User):
    workers(1)
    used = run(make_model(assistant, "used"), anna)
    first = slots.ask(actor=anna, model=make_model(assistant, "first"))
    second = slots.ask(actor=anna, model=make_model(assistant, "second"))
    assert state(used) == State.RUNNING
    assert [slots.place_in_line(one) for one in (first, second)] == [1, 2]
    ago = timezone.now() - timedelta(minutes=3)
    Slot.objects.filter(pk=used.pk).update(used_at=ago, ready_at=ago)
    assert slots.make_room() == 1
    assert state(used) == State.STOPPING


def test_a_free_worker_is_room_enough(assistant: Assistant, anna: User):
    workers(2)
    idle = run(make_model(assistant, "old"), anna, quiet=9)
    slots.ask(actor=anna, model=make_model(assistant, "new"))
    assert state(idle) == State.RUNNING


def test_what_a_person_asks_for_does_not_wait_behind_others_because_nobody_had_asked(assistant: Assistant, anna: User):
    former = run(make_model(assistant, "former"), anna, quiet=5)
    model = make_model(assistant, "trained")
    trained(assistant, anna, model, free=2)
    Heartbeat.objects.filter(name="host:1").delete()  # a worker goes; now none is free
    assert state(former) == State.RUNNING
    slots.ask(actor=anna, model=model)
    assert state(former) == State.STOPPING
    assert Slot.objects.get(model=model).requested_by == anna


def test_a_name_of_another_assistants_model_is_not_told(assistant: Assistant, anna: User):
    workers(1)
    idle = run(make_model(assistant, "ours"), anna, quiet=5)
    slots.ask(actor=anna, model=make_model(make_assistant("inn"), "theirs"))
    message = Slot.objects.get(pk=idle.pk).message
    assert "theirs" not in message
    assert "another assistant" in message


def test_a_stop_is_not_undone_by_a_start(assistant: Assistant, anna: User):
    slots.ask(actor=anna, model=make_model(assistant))
    held = slots.claim(worker="host:0")
    assert held is not None
    slots.stop(actor=anna, slot=held, why="anna stopped it.")
    with pytest.raises(slots.StopRequested):
        slots.begin(held, host="127.0.0.1", port=5005, token="t", rasa="3.6.21", rasa_version="3.6.21")
    assert state(held) == State.STOPPING


def test_people_come_before_what_nobody_asked_for(assistant: Assistant, anna: User):
    trained(assistant, anna, make_model(assistant, "trained"), free=1)
    asked = slots.ask(actor=anna, model=make_model(assistant, "asked"))
    claimed = slots.claim(worker="host:0")
    assert claimed == asked


def trained(assistant: Assistant, actor: User | None, model: Model, free: int = 0) -> Slot | None:
    """A training of that person ends with `model`."""
    workers(free)
    files = {"config.yml": b"language: en\n", "data/of.txt": model.name.encode()}  # not the same twice
    newest = newest_revision(assistant)
    parent = newest.number if newest else None
    save_revision(actor=None, assistant=assistant, message="", files=files, parent_number=parent)
    training.request_training(actor=actor, assistant=assistant)
    job = training.claim(worker="w", versions=["3.6.21"])
    assert job is not None
    with transaction.atomic():
        training.finish(job, model)
    return Slot.objects.filter(model=model).first()


def test_what_a_person_trained_starts_in_a_free_slot_and_replaces_the_former(assistant: Assistant, anna: User):
    former = run(make_model(assistant, "former"), anna, quiet=5)
    slot = trained(assistant, anna, make_model(assistant, "new"), free=2)
    assert slot is not None and slot.is_automatic and slot.replaces == former
    assert state(former) == State.RUNNING
    claimed = slots.claim(worker="host:1")
    assert claimed == slot
    slots.begin(claimed, host="127.0.0.1", port=5006, token="t", rasa="3.6.21", rasa_version="3.6.21")
    assert slots.ready(claimed)
    assert state(former) == State.STOPPING


def test_the_former_stays_while_somebody_uses_it(assistant: Assistant, anna: User):
    former = run(make_model(assistant, "former"), anna)
    slot = trained(assistant, anna, make_model(assistant, "new"), free=2)
    assert slot is not None
    claimed = slots.claim(worker="host:1")
    assert claimed is not None
    slots.begin(claimed, host="127.0.0.1", port=5006, token="t", rasa="3.6.21", rasa_version="3.6.21")
    slots.ready(claimed)
    assert state(former) == State.RUNNING


def test_without_a_free_slot_it_takes_its_assistants_idle_one(assistant: Assistant, anna: User):
    former = run(make_model(assistant, "former"), anna, quiet=5)
    slot = trained(assistant, anna, make_model(assistant, "new"), free=1)
    assert slot is not None
    assert state(former) == State.STOPPING


def test_it_never_takes_one_in_use_nor_another_assistants(assistant: Assistant, anna: User):
    used = run(make_model(assistant, "former"), anna)
    other = run(make_model(make_assistant("inn"), "other"), anna, quiet=30)
    assert trained(assistant, anna, make_model(assistant, "new"), free=2) is None
    assert (state(used), state(other)) == (State.RUNNING, State.RUNNING)


def test_neither_an_automatic_training_nor_a_switched_off_setting_starts_one(assistant: Assistant, anna: User):
    assert trained(assistant, None, make_model(assistant, "nightly"), free=1) is None
    trying.change_settings(
        actor=anna, assistant=assistant, start_after_training=False, idle_minutes=None, action_server_url=""
    )
    assert trained(assistant, anna, make_model(assistant, "by-hand")) is None


def test_one_that_waits_is_stopped_at_once_and_one_that_runs_by_its_worker(assistant: Assistant, anna: User):
    waiting = slots.ask(actor=anna, model=make_model(assistant, "waits"))
    slots.stop(actor=anna, slot=waiting, why="anna stopped it.")
    assert state(waiting) == State.ENDED
    running = run(make_model(assistant, "runs"), anna)
    slots.stop(actor=anna, slot=running, why="anna stopped it.")
    assert state(running) == State.STOPPING
    with pytest.raises(Conflict):
        slots.stop(actor=anna, slot=running, why="again")
    assert slots.ask(actor=anna, model=running.model) != running  # the next one waits while this one ends
    slots.end(running)
    assert "anna stopped it." in Slot.objects.get(pk=running.pk).message


def test_a_worker_that_went_silent_is_replaced_once(assistant: Assistant, anna: User):
    slot = run(make_model(assistant), anna)
    silent(slot)
    assert slots.reap() == 1
    assert state(slot) == State.WAITING
    again = slots.claim(worker="host:1")
    assert again == slot and again is not None and again.attempt == 2
    with pytest.raises(slots.Superseded):  # the first worker comes back
        slots.beat(slot)
    silent(slot)
    assert slots.reap() == 1
    ended = Slot.objects.get(pk=slot.pk)
    assert ended.state == State.FAILED
    assert "went silent twice" in ended.message


def silent(slot: Slot) -> None:
    Slot.objects.filter(pk=slot.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))


def test_who_is_freshly_connected_judges_nobody(assistant: Assistant, anna: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(silence, "connected_for", lambda: timedelta(seconds=1))
    silent(run(make_model(assistant), anna))
    assert slots.reap() == 0


def test_after_an_outage_no_slot_makes_room_before_free_workers_could_speak(
    assistant: Assistant, anna: User, monkeypatch: pytest.MonkeyPatch
):
    workers(2)
    idle = run(make_model(assistant, "old"), anna, quiet=9)
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5))
    with monkeypatch.context() as patched:
        patched.setattr(silence, "connected_for", lambda: timedelta(seconds=1))
        slots.ask(actor=anna, model=make_model(assistant, "new"))
        assert slots.make_room() == 0
        assert state(idle) == State.RUNNING
    assert slots.make_room() == 1, "they are silent for good"


def test_slots_of_a_deleted_model_are_stopped(assistant: Assistant, anna: User):
    slot = run(make_model(assistant), anna)
    delete_model(actor=anna, model=slot.model)
    slots.tidy()
    assert state(slot) == State.STOPPING


def test_old_logs_and_old_rows_are_forgotten(assistant: Assistant, anna: User):
    slot = run(make_model(assistant), anna)
    slots.beat(slot, log="hello\0there")
    slots.end(slot)
    Slot.objects.filter(pk=slot.pk).update(ended_at=timezone.now() - timedelta(days=2))
    slots.tidy()
    assert Slot.objects.get(pk=slot.pk).log == ""
    Slot.objects.filter(pk=slot.pk).update(ended_at=timezone.now() - timedelta(days=40))
    slots.tidy()
    assert not Slot.objects.filter(pk=slot.pk).exists()


def test_where_models_are_tried_is_no_deployment(assistant: Assistant, anna: User):
    place = trying.place_of(assistant)
    assert trying.place_of(assistant) == place
    assert place not in Environment.objects.current()
    assert place not in Environment.objects.visible_to(anna)
    assert place in Environment.objects.in_use()


def test_a_worker_is_woken_for_what_redis_forgot(assistant: Assistant, anna: User, redis_client):
    slots.ask(actor=anna, model=make_model(assistant))
    redis_client.flushdb()
    assert slots.wake_workers() == 1
