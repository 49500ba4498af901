"""The installation of the Rasa runtime, from the wish to the end, as its row tells it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from studio.errors import Conflict
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import NoPython, RuntimeProblem
from studio.rasa.runtime import Progress, Runtime
from studio.rasa.services import current_runtime, request_install
from tests.factories import make_person

State = RasaRuntime.State


@dataclass
class Disk:
    """Runtimes whose installation is told by the test: the real one takes minutes and a network."""

    problem: RuntimeProblem | None = None
    is_there: bool = False
    seen: list[str] = field(default_factory=list)

    def find(self, version: str) -> Runtime | None:
        return Runtime(version, Path("/nowhere"), "3.5.0") if self.is_there else None

    def installed(self) -> list[str]:
        return [current_runtime().version] if self.is_there else []

    def install(self, version: str, report: Callable[[Progress], None]) -> Runtime:
        report(Progress("packages", 1_300_000_000, 2_600_000_000, "Downloading tensorflow"))
        self.seen.append(current_runtime().step)
        if self.problem:
            raise self.problem
        report(Progress("check", 0, 0, "Checking that it runs"))
        self.seen.append(current_runtime().step)
        self.is_there = True
        return Runtime(version, Path("/nowhere"), "3.5.0")


def run(disk: Disk) -> RasaRuntime:
    """One installation to its end."""
    installer = Installer(lambda: disk)  # type: ignore[arg-type, return-value]
    installer.tick()
    installer.wait(10)
    return current_runtime()


pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_missing_is_wanted_when_the_controller_starts() -> None:
    Installer(Disk).look()  # type: ignore[arg-type]
    assert current_runtime().state == State.WANTED


def test_what_is_there_is_ready_without_an_installation() -> None:
    Installer(lambda: Disk(is_there=True)).look()  # type: ignore[arg-type, return-value]
    assert current_runtime().state == State.READY


def test_an_installation_shows_its_step_and_ends_ready() -> None:
    request_install(actor=None)
    disk = Disk()
    row = run(disk)
    assert disk.seen == ["Downloading tensorflow", "Checking that it runs"]
    assert (row.state, row.step, row.message) == (State.READY, "", "")


def test_a_failure_says_why_and_what_to_do() -> None:
    request_install(actor=None)
    row = run(Disk(problem=NoPython("uv: no interpreter found")))
    assert row.state == State.FAILED
    assert row.message.splitlines()[0] == NoPython().message
    assert "uv: no interpreter found" in row.message
    assert row.mend == NoPython().mend


def test_a_failed_installation_is_tried_again_on_request_only() -> None:
    request_install(actor=None)
    disk = Disk(problem=NoPython())
    run(disk)
    assert run(disk).state == State.FAILED
    assert len(disk.seen) == 1
    disk.problem = None
    request_install(actor=None)
    assert run(disk).state == State.READY


def test_an_installation_that_was_killed_is_taken_up_again() -> None:
    RasaRuntime.objects.create(version=current_runtime().version + "-other")
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(state=State.INSTALLING, step="Downloading keras")
    assert run(Disk()).state == State.READY


def test_a_runtime_whose_folder_was_removed_is_installed_again() -> None:
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(state=State.READY)
    disk = Disk()
    assert run(disk).state == State.READY
    assert len(disk.seen) == 2


def test_what_is_installed_cannot_be_asked_for_again() -> None:
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(state=State.READY)
    with pytest.raises(Conflict):
        request_install(actor=None)


def test_the_fragment_shows_progress_and_asks_again(client) -> None:
    client.force_login(make_person("admin"))
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(
        state=State.INSTALLING, step="Downloading tensorflow", done=1, total=2
    )
    page = client.get("/rasa/status").content.decode()
    assert "hx-get" in page
    assert "controller" in page  # none runs in this test, and the page says so


def test_the_fragment_of_a_failure_offers_to_try_again(client) -> None:
    client.force_login(make_person("admin"))
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(
        state=State.FAILED, message="No Python.\nuv said so", mend="Install it."
    )
    page = client.get("/rasa/status").content.decode()
    assert "No Python." in page
    assert "Install it." in page
    assert "Try again" in page
    assert "hx-get" not in page
    answer = client.post("/rasa/install")
    assert answer.status_code == 200
    assert current_runtime().state == State.WANTED


def test_a_tester_may_not_have_it_installed(client) -> None:
    client.force_login(make_person("tester"))
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(state=State.FAILED, message="No Python.")
    assert "Try again" not in client.get("/rasa/status").content.decode()
    assert client.post("/rasa/install").status_code == 403
