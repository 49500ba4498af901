"""Where the controller brings each managed server, turn by turn; the processes are fakes, the rows are real."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from environments.controller.supervisor import AWAITS_MODEL, LOADED_NOTHING, NO_CLUSTER, NO_MODEL, Supervisor
from environments.models import Environment, ManagedServer
from environments.services import database, managed
from environments.services.address import NoServer, server_of
from environments.serving.watch import Answer
from models_app.models import Artifact, Model, Tag
from models_app.services.revisions import save_revision
from models_app.services.training_settings import save_settings
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.rasa.process import Spec
from studio.rasa.runtime import Runtime
from tests.environments.serving.fakes import FakeProcesses, FakeWatch
from tests.factories import environment_of, make_assistant, make_model
from tests.rasa.implementations import eventually

State = ManagedServer.State
pytestmark = pytest.mark.django_db


@dataclass
class House:
    """One managed environment with a controller that the test turns by hand."""

    environment: Environment
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    watch: FakeWatch = field(default_factory=FakeWatch)
    free: int | None = None
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        self.new_controller()

    def new_controller(self) -> None:
        self.supervisor = Supervisor(self.processes, watch=self.watch, free_memory=lambda: self.free)

    def turn(self, times: int = 1) -> ManagedServer:
        for _ in range(times):
            wait([stop for stop, _why in self.supervisor._stops.values()], timeout=0.5)  # each ends in a thread
            self.supervisor.step()
        return self.server

    @property
    def server(self) -> ManagedServer:
        return ManagedServer.objects.get(environment=self.environment)

    @property
    def specs(self) -> list[Spec]:
        return self.processes.started


def give_model(environment: Environment) -> None:
    artifact, _ = Artifact.objects.get_or_create(sha256="a" * 64, size=1)
    model = Model.objects.create(
        assistant=environment.assistant, name="m1", artifact=artifact, size=1, origin=Model.Origin.UPLOADED
    )
    Tag.objects.filter(pk=environment.tag_id).update(model=model)


def runtimes_of(*versions: str) -> dict[str, Runtime]:
    """Installed ones; of these 3.6.21 does not load what older ones trained."""
    minimum = {"3.6.21": "3.6.21"}
    return {one: Runtime(one, Path("/rasa") / one, minimum.get(one, "3.5.0")) for one in versions}


@pytest.fixture
def environment(settings, tmp_path) -> Environment:
    settings.SERVERS_DIR = tmp_path
    environment = environment_of(make_assistant())
    managed.run_here(actor=None, environment=environment)
    return environment


@pytest.fixture
def house(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("environments.controller.versions.find_runtime", runtimes_of("3.6.21", "3.6.20").get)
    give_model(environment)
    return House(environment)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now(), tick=False) as coordinates:
        yield coordinates


def test_a_server_starts_once_there_is_a_model_and_runs_once_it_answers(house: House) -> None:
    assert house.turn().state == State.STARTING
    assert house.turn(2).state == State.RUNNING
    assert len(house.specs) == 1


def test_a_server_of_a_cluster_is_asked_and_called_where_it_is(house: House) -> None:
    house.processes.hosts = [None, "10.1.2.3"]
    assert house.turn(2).state == State.STARTING  # nobody knows yet where it is
    assert house.turn(2).state == State.RUNNING
    address = server_of(house.environment)
    assert (address.url, address.hosts) == (f"http://10.1.2.3:{house.server.port}", ("10.1.2.3",))


def test_what_a_former_controller_left_in_a_cluster_is_ended(house: House, settings) -> None:
    house.processes.left = {"17"}
    house.supervisor.take_over()
    assert house.processes.ended == [settings.SERVERS_DIR / "17"]


def test_while_nobody_can_look_what_a_former_controller_left_nothing_is_started(house: House, settings) -> None:
    house.processes.left = None
    house.supervisor.take_over()
    assert (house.turn(2).state, house.server.message, house.specs) == (State.WAITING, NO_CLUSTER, [])
    house.processes.left = {"17"}
    assert house.turn(3).state == State.RUNNING
    assert house.processes.ended == [settings.SERVERS_DIR / "17"]


def test_after_the_database_was_away_what_we_run_ourselves_goes_on(house: House) -> None:
    house.supervisor.take_over()
    house.turn(3)
    house.processes.left = {str(house.server.pk)}  # in a cluster it has our labels, too
    house.supervisor.take_over()
    assert house.processes.ended == []
    assert house.turn(3).state == State.RUNNING
    assert len(house.specs) == 1


def test_without_a_model_it_waits_and_says_so(house: House) -> None:
    Tag.objects.filter(pk=house.environment.tag_id).update(model=None)
    assert (house.turn().state, house.server.message) == (State.WAITING, NO_MODEL)
    assert house.specs == []


def test_while_the_starter_trains_its_server_starts_beside(house: House, monkeypatch, clock) -> None:
    model_id = Tag.objects.get(pk=house.environment.tag_id).model_id
    Tag.objects.filter(pk=house.environment.tag_id).update(model=None)
    monkeypatch.setattr("environments.services.starter.is_coming", lambda environment: True)
    house.watch.answers = Answer(True, has_model=False)
    assert (house.turn(3).state, house.server.message) == (State.RUNNING, AWAITS_MODEL)
    Tag.objects.filter(pk=house.environment.tag_id).update(model=model_id)
    clock.shift(3)
    assert house.turn(3).message == AWAITS_MODEL
    house.watch.answers = Answer(True, has_model=True)
    clock.shift(3)
    assert (house.turn(3).state, house.server.message) == (State.RUNNING, "")
    assert len(house.specs) == 1


def test_without_rasa_it_waits_and_says_so(house: House, monkeypatch) -> None:
    monkeypatch.setattr("environments.controller.versions.find_runtime", lambda _name: None)
    assert house.turn().state == State.WAITING
    assert house.server.message == "Rasa 3.6.21 is not installed, and the server cannot start without it."


def test_without_memory_it_waits_and_says_how_much_is_missing(house: House) -> None:
    house.free = 200 * 1024**2
    assert house.turn().state == State.WAITING
    assert "209 MB of memory left" in house.server.message


def test_without_the_right_to_make_roles_it_waits_and_says_so(house: House, monkeypatch) -> None:
    monkeypatch.setattr("environments.controller.supervisor.ensure_intake", lambda environment: None)
    assert house.turn().state == State.WAITING
    assert "database administrator" in house.server.message


def test_its_files_are_for_our_eyes_only_and_name_everything(house: House) -> None:
    house.turn()
    folder = managed.folder_of(house.environment)
    assert folder.stat().st_mode & 0o077 == 0
    for name in ("endpoints.yml", "credentials.yml", "rasa.log"):
        assert (folder / name).stat().st_mode & 0o077 == 0
    endpoints = (folder / "endpoints.yml").read_text()
    assert f"/models/tags/{house.environment.name}" in endpoints
    assert database.events_role(house.environment) in endpoints
    assert database.tracker_role(house.environment) in endpoints
    assert '"managed"' in endpoints
    assert f"/environments/{house.environment.name}" in (folder / "credentials.yml").read_text()


def test_no_secret_is_on_the_command_line(house: House) -> None:
    server = house.turn(3)
    token = server_of(house.environment).token
    assert token
    assert server.state == State.RUNNING
    assert token not in " ".join(house.specs[0].arguments)


def test_stop_ends_it_and_start_begins_anew(house: House) -> None:
    house.turn(3)
    managed.stop_server(actor=None, environment=house.environment)
    assert house.turn(4).state == State.STOPPED
    assert house.processes.alive == {}
    managed.start_server(actor=None, environment=house.environment)
    assert house.turn(3).state == State.RUNNING
    assert len(house.specs) == 2


def test_restart_is_one_end_and_one_start(house: House) -> None:
    house.turn(3)
    managed.restart_server(actor=None, environment=house.environment)
    assert house.turn(8).state == State.RUNNING
    assert len(house.specs) == 2
    assert len(house.processes.alive) == 1


def test_a_restart_asked_by_a_clock_ahead_of_ours_is_done_once(house: House) -> None:
    house.turn(3)
    ahead = timezone.now() + timedelta(hours=1)
    ManagedServer.objects.update(restart_requested_at=ahead)
    assert house.turn(10).state == State.RUNNING
    assert len(house.specs) == 2


def test_one_that_dies_is_started_again_after_a_second(house: House, clock) -> None:
    house.turn(3)
    house.processes.die(code=-9)
    server = house.turn()
    assert server.state == State.WAITING
    assert "SIGKILL" in server.message
    assert house.turn().state == State.WAITING
    clock.shift(1.1)
    assert house.turn(3).state == State.RUNNING


def test_why_it_ended_stays_readable_after_it_runs_again(house: House, clock) -> None:
    house.turn(3)
    ended = timezone.now()
    house.processes.die(code=-9)
    house.turn()
    clock.shift(1.1)
    server = house.turn(3)
    assert (server.state, server.message) == (State.RUNNING, "")
    assert "SIGKILL" in server.last_end
    assert server.last_ended_at == ended
    event = AuditEvent.objects.get(action=Action.SERVER_ENDED)
    assert (event.actor, event.after) == (None, {"why": server.last_end})


def test_one_that_goes_on_dying_is_one_line_of_the_audit_log(house: House, clock) -> None:
    for _ in range(3):
        house.turn(3)
        house.processes.die(code=1)
        house.turn()
        clock.shift(61)
    assert house.server.failures == 3
    assert AuditEvent.objects.filter(action=Action.SERVER_ENDED).count() == 1


def test_nor_does_one_that_runs_for_minutes_between_fill_it(house: House, clock) -> None:
    for _ in range(3):
        house.turn(3)
        clock.shift(120)
        house.turn()
        house.processes.die(code=-9)
        house.turn()
        clock.shift(2)
    assert AuditEvent.objects.filter(action=Action.SERVER_ENDED).count() == 1


def test_one_that_dies_every_half_hour_is_recorded_every_hour(house: House, clock) -> None:
    for _ in range(4):
        house.turn(3)
        clock.shift(31 * 60)
        house.turn()
        house.processes.die(code=-9)
        house.turn()
        clock.shift(2)
    assert AuditEvent.objects.filter(action=Action.SERVER_ENDED).count() == 2


def test_what_is_left_of_one_that_ended_by_itself_is_put_away(house: House) -> None:
    house.turn(3)
    [handle] = house.processes.alive.values()
    house.processes.die()
    assert house.turn().failures == 1
    assert house.processes.stopped == [handle]


def test_an_end_that_takes_long_holds_up_nobody_and_is_waited_for(house: House, clock, monkeypatch) -> None:
    monkeypatch.setattr("environments.controller.supervisor.END_SECONDS", 0.05)
    house.turn(3)
    house.processes.die()
    has_ended, stop = threading.Event(), house.processes.stop
    monkeypatch.setattr(house.processes, "stop", lambda *args, **more: has_ended.wait(30) and stop(*args, **more))
    server = house.turn(2)
    assert (server.state, server.failures) == (State.STOPPING, 0)
    assert "exit code 1" in server.message
    assert len(house.specs) == 1
    has_ended.set()
    assert eventually(lambda: house.turn().failures == 1)


def test_a_stop_that_breaks_off_is_done_again_and_its_failure_is_none_of_the_next(
    house: House, clock, monkeypatch
) -> None:
    house.turn(3)
    house.watch.answers = Answer(False)
    clock.shift(310)
    with monkeypatch.context() as broken:
        broken.setattr(house.processes, "stop", lambda *args, **more: 1 / 0)
        assert house.turn().failures == 0
    managed.stop_server(actor=None, environment=house.environment)
    assert eventually(lambda: house.turn().state == State.STOPPED)
    assert (house.server.failures, house.processes.alive) == (0, {})


def test_what_a_former_controller_was_stopping_is_stopped(house: House) -> None:
    house.turn(3)
    ManagedServer.objects.update(state=State.STOPPING)
    house.new_controller()
    house.supervisor.take_over()
    assert eventually(lambda: house.turn().state == State.RUNNING)
    assert (len(house.specs), len(house.processes.stopped)) == (2, 1)


def test_one_that_waits_for_the_cluster_says_so_and_its_time_begins_later(house: House, clock) -> None:
    house.processes.waits, house.processes.hosts = "It waits for a node.", [None]
    house.turn(2)
    clock.shift(500)
    assert "It waits for the cluster. It waits for a node." in house.turn().message
    clock.shift(500)
    house.turn()
    house.processes.waits = ""
    clock.shift(500)
    server = house.turn()
    assert (server.state, server.failures, server.message) == (State.STARTING, 0, "")
    clock.shift(101)
    assert house.turn().failures == 1


def test_the_pauses_grow_to_a_minute(house: House, clock) -> None:
    pauses = []
    for _ in range(8):
        house.turn()
        house.processes.die()
        server = house.turn()
        assert server.retry_at is not None
        pauses.append((server.retry_at - timezone.now()).total_seconds())
        clock.shift(61)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_failures_are_forgiven_after_a_steady_minute(house: House, clock) -> None:
    house.turn()
    house.processes.die()
    house.turn()
    clock.shift(2)
    assert house.turn(3).failures == 1
    clock.shift(61)
    assert house.turn().failures == 0


def test_start_ends_the_pause_after_a_crash(house: House) -> None:
    house.turn(3)
    house.processes.die()
    house.turn()
    managed.start_server(actor=None, environment=house.environment)
    assert house.turn().state == State.STARTING


def test_a_program_that_cannot_be_started_is_a_failure_with_its_reason(house: House) -> None:
    house.processes.refuses = "Rasa could not be started: Permission denied."
    server = house.turn()
    assert server.state == State.WAITING
    assert server.message.startswith("Rasa could not be started: Permission denied.")
    assert server.failures == 1


def test_a_server_that_never_answers_is_ended(house: House, clock) -> None:
    house.watch.answers = Answer(False)
    house.turn(3)
    clock.shift(601)
    server = house.turn()
    assert server.failures == 1
    assert house.processes.alive == {}


def test_a_server_that_hangs_is_ended(house: House, clock) -> None:
    house.turn(3)
    house.watch.answers = Answer(False)
    clock.shift(290)
    assert house.turn(3).state == State.RUNNING
    clock.shift(20)
    assert "did not answer" in house.turn().message


def test_a_model_that_does_not_load_is_told(house: House, clock) -> None:
    clock.shift(61)
    house.watch.answers = Answer(True, has_model=False)
    assert house.turn(3).message == LOADED_NOTHING
    house.watch.answers = Answer(True, has_model=True)
    clock.shift(11)
    assert house.turn(3).message == ""


def test_taking_the_environment_out_of_service_ends_its_server(house: House) -> None:
    house.turn(3)
    Tag.objects.filter(pk=house.environment.tag_id).update(model=None)
    assert house.turn(4).state == State.WAITING
    assert house.processes.alive == {}


@pytest.mark.parametrize("change", [{"removed_at": timezone.now()}, {"kind": "connected"}])
def test_a_removed_or_connected_environment_keeps_no_server_here(house: House, change) -> None:
    house.turn(3)
    Environment.objects.filter(pk=house.environment.pk).update(**change)
    house.turn(4)
    assert house.processes.alive == {}


def test_a_new_controller_takes_over_what_still_runs(house: House) -> None:
    house.turn(3)
    house.new_controller()
    house.supervisor.take_over()
    assert house.turn(3).state == State.RUNNING
    assert len(house.specs) == 1


def test_what_died_with_a_controller_starts_at_once_and_is_no_failure(house: House) -> None:
    house.turn(3)
    house.processes.die(code=-9)
    house.new_controller()
    house.supervisor.take_over()
    assert eventually(lambda: house.turn().state == State.STARTING)
    assert house.server.failures == 0


def test_what_is_left_of_it_ends_before_the_next_one_starts(house: House, monkeypatch) -> None:
    house.turn(3)
    house.processes.die(code=-9)
    has_ended, stop = threading.Event(), house.processes.stop
    monkeypatch.setattr(house.processes, "stop", lambda *args, **more: has_ended.wait(30) and stop(*args, **more))
    house.new_controller()
    house.supervisor.take_over()
    assert (house.turn(3).state, len(house.specs)) == (State.STOPPING, 1)
    has_ended.set()
    assert eventually(lambda: house.turn().state == State.STARTING)
    assert (house.server.failures, len(house.specs)) == (0, 2)


def test_a_controller_that_ends_leaves_no_server_behind(house: House) -> None:
    house.turn(3)
    house.supervisor.stop_all()
    assert house.processes.alive == {}
    assert house.server.handle is None
    with pytest.raises(NoServer, match="controller"):
        server_of(house.environment)


def promote_trained(house: House, code: bytes, parent: int | None) -> None:
    """Point the tag at a model whose data brings `code`."""
    files = {"config.yml": b"pipeline:\n- name: tagger.Tagger\n", "tagger.py": code}
    revision = save_revision(
        actor=None, assistant=house.environment.assistant, files=files, message=f"after {parent}", parent_number=parent
    )
    model = make_model(house.environment.assistant)
    Model.objects.filter(pk=model.pk).update(revision=revision)
    Tag.objects.filter(pk=house.environment.tag_id).update(model=model)


def test_its_own_python_code_is_on_its_path(house: House) -> None:
    promote_trained(house, b"class Tagger: pass", None)
    house.turn()
    (folder,) = house.specs[0].python_path
    assert (folder / "tagger.py").read_bytes() == b"class Tagger: pass"


def test_a_model_with_other_code_restarts_the_server_and_one_with_the_same_does_not(house: House) -> None:
    promote_trained(house, b"class Tagger: pass", None)
    house.turn(3)
    Tag.objects.filter(pk=house.environment.tag_id).update(model=make_model(house.environment.assistant))
    assert house.turn(6).state == State.RUNNING
    assert len(house.specs) == 1
    promote_trained(house, b"class Tagger: new = True", 1)
    assert house.turn(8).state == State.RUNNING
    assert len(house.specs) == 2


def test_trouble_with_one_server_leaves_the_others_alone(house: House, monkeypatch) -> None:
    other = environment_of(house.environment.assistant, "worker")
    managed.run_here(actor=None, environment=other)
    Tag.objects.filter(pk=other.tag_id).update(model=Model.objects.get())
    Environment.objects.filter(pk=house.environment.pk).update(model_token_encrypted=b"of another key")
    house.turn(3)
    assert ManagedServer.objects.get(environment=other).state == State.RUNNING


# --- Several Rasas ------------------------------------------------------------------------------------------------


def choose_rasa(environment: Environment, version: str) -> None:
    save_settings(actor=None, assistant=environment.assistant, values={"rasa_version": version})


def model_is_of(environment: Environment, version: str) -> None:
    Model.objects.filter(assistant=environment.assistant).update(rasa_version=version)


def rasas_of(house: House) -> list[str]:
    return [spec.python.parent.parent.name for spec in house.specs if spec.python]


def test_a_server_runs_what_its_assistant_chose_and_promotions_know_it_at_once(house: House) -> None:
    choose_rasa(house.environment, "3.6.20")
    assert (house.turn().rasa, rasas_of(house)) == ("3.6.20", ["3.6.20"])
    house.environment.refresh_from_db()
    assert (house.environment.server_version, house.environment.server_minimum_version) == ("3.6.20", "3.5.0")


def test_another_choice_starts_a_running_server_again(house: House) -> None:
    assert house.turn(3).state == State.RUNNING
    choose_rasa(house.environment, "3.6.20")
    assert eventually_runs(house, "3.6.20")
    assert rasas_of(house) == ["3.6.21", "3.6.20"]
    assert house.server.failures == 0


def eventually_runs(house: House, version: str) -> bool:
    """A stop is waited for in a thread of its own."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        server = house.turn()
        if (server.rasa, server.state) == (version, State.RUNNING):
            return True
    return False


def test_a_choice_that_does_not_load_the_live_model_waits_for_a_newer_one(house: House, clock) -> None:
    choose_rasa(house.environment, "3.6.20")
    model_is_of(house.environment, "3.6.20")
    house.turn(3)
    choose_rasa(house.environment, "3.6.21")
    clock.shift(11)
    assert house.turn(3).rasa == "3.6.20"
    assert "m1 was trained with Rasa 3.6.20, which Rasa 3.6.21 does not load." in house.server.message
    assert len(house.specs) == 1
    model_is_of(house.environment, "3.6.21")
    assert eventually_runs(house, "3.6.21")
    clock.shift(11)
    assert house.turn(3).message == ""


def test_after_a_restart_of_the_controller_the_version_that_loads_the_model_is_kept(house: House) -> None:
    choose_rasa(house.environment, "3.6.20")
    model_is_of(house.environment, "3.6.20")
    house.turn(3)
    choose_rasa(house.environment, "")
    house.processes.die()
    house.new_controller()
    house.supervisor.take_over()
    assert eventually(lambda: house.turn().state == State.STARTING)
    assert rasas_of(house) == ["3.6.20", "3.6.20"]


def test_a_choice_that_is_not_installed_leaves_a_running_server_alone(house: House, clock) -> None:
    house.turn(3)
    choose_rasa(house.environment, "3.4.2")
    clock.shift(11)
    assert house.turn(3).state == State.RUNNING
    assert house.server.message == "It runs Rasa 3.6.21 until Rasa 3.4.2 is installed."
    assert len(house.specs) == 1


def test_a_model_that_no_rasa_here_loads_is_told_before_anybody_reads_the_log(house: House, clock) -> None:
    model_is_of(house.environment, "3.6.20")
    Tag.objects.filter(pk=house.environment.tag_id).update(moved_at=timezone.now() - timedelta(hours=1))
    house.watch.answers = Answer(True, has_model=False)
    assert "which Rasa 3.6.21 does not load. Promote a model that it loads." in house.turn(3).message
