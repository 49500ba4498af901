"""One slot on its worker, with processes and looks whose fate the test decides. The real ones: test_slots_real.py."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from environments.models import Slot
from environments.running import hold
from environments.running.hold import Holder, folder_of
from environments.services import slots
from environments.serving.watch import Answer
from models_app.models import Model
from models_app.storage import store
from studio.rasa.process import Handle, LogChunk, Status
from studio.rasa.runtime import Runtime
from tests.clock import Clock
from tests.environments.serving.fakes import FakeProcesses
from tests.factories import make_assistant, make_model, make_person
from tests.rasa.implementations import eventually

State = Slot.State
pytestmark = pytest.mark.django_db
RUNS = Answer(True, has_model=True)


@dataclass
class Stage:
    """`looks` are the answers of Rasa, one after the other, or what is to happen instead; the last one goes on."""

    slot: Slot
    processes: "Written" = field(default_factory=lambda: Written())
    looks: Iterator[object] = field(default_factory=lambda: iter(()))
    free: int | None = None
    asked: list[str] = field(default_factory=list)

    def hold(self) -> Slot:
        Holder(self.slot, self.processes, ask=self._ask, free_memory=lambda: self.free).hold()
        return Slot.objects.get(pk=self.slot.pk)

    def _ask(self, host: str, _port: int, _token: str, _prove: bool) -> Answer:
        self.asked.append(host)
        look = next(self.looks)
        if callable(look):
            look = look()
        return look if isinstance(look, Answer) else Answer(False)


@dataclass
class Written(FakeProcesses):
    """Writes `text` into its log at each start."""

    text: str = ""

    def read_log(self, handle: Handle, offset: int = 0, limit: int = 65536) -> LogChunk:
        return LogChunk(self.text[offset:], len(self.text))


@pytest.fixture
def model() -> Model:
    return make_model(make_assistant("cafe"))


@pytest.fixture
def stage(model: Model, settings, tmp_path, monkeypatch: pytest.MonkeyPatch, redis_client: object) -> Stage:
    settings.SERVERS_DIR = tmp_path
    monkeypatch.setattr(hold, "runtime_for", lambda model: Runtime("3.6.21", Path("/rasa"), "3.5.0"))
    for pause in ("STARTING_LOOK", "SERVING_LOOK", "BEAT_SECONDS", "ASK_SECONDS"):
        monkeypatch.setattr(hold, pause, 0)
    slots.ask(actor=make_person("admin"), model=model)
    slot = slots.claim(worker="here")
    assert slot is not None
    return Stage(slot)


def stop(stage: Stage) -> None:
    slots.stop(actor=None, slot=stage.slot, why="anna stopped it.")


def test_it_fetches_the_model_serves_it_and_ends_when_it_is_stopped(stage: Stage):
    seen: list[Slot] = []

    def serving() -> Answer:
        seen.append(Slot.objects.get(pk=stage.slot.pk))
        stop(stage)
        return RUNS

    stage.looks = iter([Answer(False), RUNS, serving])
    ended = stage.hold()
    [spec] = stage.processes.started
    archive = folder_of(stage.slot) / stage.slot.model.file_name
    assert spec.arguments[spec.arguments.index("--model") + 1] == str(archive)
    with store().open(stage.slot.model.artifact_id) as stored:
        assert archive.read_bytes() == stored.read()
    assert seen[0].state == State.RUNNING
    assert (ended.state, ended.message) == (State.ENDED, "anna stopped it.")
    assert stage.processes.alive == {}
    assert bytes(ended.token_encrypted) == b""


def test_one_of_a_cluster_is_asked_where_it_is_once_that_is_known(stage: Stage):
    seen: list[str] = []

    def serving() -> Answer:
        seen.append(Slot.objects.get(pk=stage.slot.pk).host)
        stop(stage)
        return RUNS

    stage.processes.hosts = [None, None, "10.1.2.3"]
    stage.looks = iter([RUNS, serving])
    stage.hold()
    assert seen == ["10.1.2.3"]
    assert set(stage.asked) == {"10.1.2.3"}


def test_what_it_waits_for_the_cluster_is_none_of_its_start(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    clock = Clock()
    monkeypatch.setattr(hold, "time", clock)
    stage.processes.waits = "It waits for a node."

    def waits() -> None:
        clock.passed += 0.75 * hold.START_SECONDS

    def begins() -> None:
        stage.processes.waits = ""

    steps: list[str] = []

    def note() -> Answer:
        steps.append(Slot.objects.get(pk=stage.slot.pk).step)
        return RUNS

    stage.looks = iter([waits, waits, waits, begins, note, lambda: stop(stage), RUNS])
    assert stage.hold().deaths == 0
    assert "Waiting for the cluster. It waits for a node." not in steps


def test_it_says_that_it_waits_for_the_cluster(stage: Stage):
    stage.processes.waits = "It waits for a node."
    steps: list[str] = []

    def note() -> None:
        steps.append(Slot.objects.get(pk=stage.slot.pk).step)

    stage.looks = iter([note, note, lambda: stop(stage), RUNS])
    stage.hold()
    assert steps[-1] == "Waiting for the cluster. It waits for a node."


def test_a_cluster_that_is_away_when_it_starts_is_said(stage: Stage):
    stage.processes.refuses = "Kubernetes did not take the Job. Kubernetes does not answer: it took too long."
    slot = stage.hold()
    assert (slot.state, slot.message) == (State.FAILED, stage.processes.refuses)


@pytest.mark.django_db(transaction=True)
def test_it_lives_on_while_its_end_takes_long(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("studio.jobs.patience.BEAT_SECONDS", 0.05)
    beats: list[datetime | None] = []
    end = stage.processes.stop

    def beat() -> datetime | None:
        return Slot.objects.get(pk=stage.slot.pk).heartbeat_at

    def takes_long(handle: Handle, grace: float = 10.0) -> Status:
        beats.append(beat())
        eventually(lambda: beat() != beats[0])
        beats.append(beat())
        return end(handle, grace)

    monkeypatch.setattr(stage.processes, "stop", takes_long)
    stage.looks = iter([RUNS, lambda: stop(stage), RUNS])
    stage.hold()
    assert beats[0] is not None and beats[1] is not None and beats[0] < beats[1]


def test_it_ends_when_nobody_speaks(stage: Stage):
    def long_ago() -> Answer:
        ago = timezone.now() - timedelta(minutes=16)
        Slot.objects.filter(pk=stage.slot.pk).update(used_at=ago, ready_at=ago)
        return RUNS

    stage.looks = iter([RUNS, long_ago])
    ended = stage.hold()
    assert (ended.state, ended.message) == (State.ENDED, "Nobody spoke for 15 minutes.")


def test_a_process_that_dies_is_replaced_once_and_then_says_why(stage: Stage):
    def die() -> Answer:
        stage.processes.die(1)
        return Answer(False)

    stage.processes.text = "2026-01-01 10:00:00 ERROR    rasa  - The pipeline broke.\n"
    stage.looks = iter([RUNS, die, die])
    ended = stage.hold()
    assert len(stage.processes.started) == 2
    assert ended.state == State.FAILED
    assert "The pipeline broke." in ended.message
    assert "The pipeline broke." in ended.log


def test_a_port_that_somebody_took_is_no_death(stage: Stage):
    def taken() -> Answer:
        stage.processes.text = "error while attempting to bind: address already in use\n"
        stage.processes.die(0)
        return Answer(False)

    def serve() -> Answer:
        stop(stage)
        return RUNS

    stage.looks = iter([taken, RUNS, serve])
    ended = stage.hold()
    assert (ended.state, ended.deaths) == (State.ENDED, 0)
    assert len(stage.processes.started) == 2


def test_a_machine_without_memory_says_so_and_starts_nothing(stage: Stage):
    stage.free = 100 * 10**6
    ended = stage.hold()
    assert ended.state == State.FAILED
    assert "100 MB of memory left" in ended.message
    assert stage.processes.started == []


def test_what_a_model_took_before_is_what_it_needs(stage: Stage, model: Model):
    Slot.objects.create(
        environment=stage.slot.environment,
        model=model,
        state=State.ENDED,
        peak_memory=2 * 10**9,
        requested_by_label="x",
    )
    stage.free = 10**9
    assert "needs 2000 MB" in stage.hold().message


def test_a_missing_archive_is_said(stage: Stage, model: Model):
    store().delete(model.artifact_id)
    ended = stage.hold()
    assert ended.state == State.FAILED
    assert "is not in the artifact store" in ended.message


def test_a_model_that_rasa_does_not_load_is_said_and_not_tried_again(stage: Stage):
    stage.processes.text = "2026-01-01 10:00:00 ERROR    rasa  - Component not found.\n"
    stage.looks = iter([Answer(True, has_model=False)])
    ended = stage.hold()
    assert ended.state == State.FAILED
    assert "could not load" in ended.message
    assert "Component not found." in ended.message
    assert len(stage.processes.started) == 1


def test_one_that_answers_nobody_is_replaced(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hold, "SILENT_SECONDS", -1)
    stage.looks = iter([RUNS, Answer(False), RUNS, Answer(False)])
    ended = stage.hold()
    assert (ended.state, ended.deaths, ended.message) == (State.FAILED, 2, "It did not answer for a minute.")


def test_a_stop_while_the_model_is_fetched_is_heard(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    fetch = hold.fetch_archive

    def stopped_meanwhile(model: Model, target: Path) -> None:
        fetch(model, target)
        stop(stage)

    monkeypatch.setattr(hold, "fetch_archive", stopped_meanwhile)
    ended = stage.hold()
    assert (ended.state, ended.message) == (State.ENDED, "anna stopped it.")
    assert stage.processes.started == []


def test_who_starts_beside_others_leaves_them_their_memory(stage: Stage):
    other = make_model(stage.slot.model.assistant, "other")
    slots.ask(actor=None, model=other)
    beside = slots.claim(worker="host:2")
    Slot.objects.filter(pk=stage.slot.pk).update(worker="host:1")
    assert beside is not None
    stage.slot = beside
    stage.free = 900 * 10**6  # enough for one
    assert "of memory left" in stage.hold().message


def test_what_a_serving_rasa_wrote_is_for_who_may_read_logs(stage: Stage):
    def die() -> Answer:
        stage.processes.die(1)
        return Answer(False)

    stage.processes.text = "2026-01-01 10:00:00 ERROR    rasa  - my secret\n"
    stage.looks = iter([RUNS, die, RUNS, die])
    ended = stage.hold()
    assert "my secret" not in ended.message
    assert "my secret" in ended.log


def test_a_log_that_was_forgotten_is_not_written_back(stage: Stage):
    seen: list[str] = []
    file = folder_of(stage.slot) / "rasa.log"

    def erased() -> Answer:
        file.write_text("my secret\n")
        seen.append(Slot.objects.get(pk=stage.slot.pk).log)
        slots.forget_logs([stage.slot.environment_id])
        return RUNS

    def said_more() -> Answer:
        stage.processes.text += "and more\n"
        stop(stage)
        return RUNS

    stage.processes.text = "my secret\n"
    stage.looks = iter([RUNS, RUNS, erased, RUNS, said_more])
    ended = stage.hold()
    assert seen == ["my secret\n"]
    assert ended.log == "and more\n"
    assert file.read_text() == ""


def test_an_error_of_ours_is_said_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    def broken(_model: Model) -> None:
        raise ValueError("a mistake")

    monkeypatch.setattr(hold, "runtime_for", broken)
    ended = stage.hold()
    assert (ended.state, "error of Parley's" in ended.message) == (State.FAILED, True)


def test_a_word_said_in_the_last_moment_keeps_it(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    def long_ago() -> Answer:
        ago = timezone.now() - timedelta(minutes=16)
        Slot.objects.filter(pk=stage.slot.pk).update(used_at=ago, ready_at=ago)
        return RUNS

    leave = slots.leave

    def used_meanwhile(slot: Slot, why: str, **more: datetime | None) -> bool:
        Slot.objects.filter(pk=slot.pk).update(used_at=timezone.now())
        return leave(slot, why, **more)

    def stopped() -> Answer:
        stop(stage)
        return RUNS

    monkeypatch.setattr(slots, "leave", used_meanwhile)
    stage.looks = iter([RUNS, long_ago, stopped])
    assert stage.hold().message == "anna stopped it."


def test_who_was_given_up_writes_nothing_any_more(stage: Stage):
    def given_up() -> Answer:
        Slot.objects.filter(pk=stage.slot.pk).update(attempt=9)
        return RUNS

    stage.looks = iter([RUNS, given_up])
    with pytest.raises(slots.Superseded):
        stage.hold()
    assert stage.processes.alive == {}
