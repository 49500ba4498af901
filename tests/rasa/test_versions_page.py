"""The Rasa versions of an installation: their page, what adds, retries and removes them, and the terminal."""

import io
import shlex
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from models_app.models import TrainingJob
from models_app.services.revisions import save_revision
from models_app.services.training import request_training
from models_app.services.training_settings import save_settings
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from studio.rasa import index
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import NoSuchVersion
from studio.rasa.services import add_version, current_runtime, request_removal, runtime_named
from tests.docs.pages import block_of
from tests.factories import make_assistant, make_person
from tests.rasa.test_installer import Disk

State = RasaRuntime.State
PAGE = "/settings/rasa/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


@pytest.fixture
def on_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that has everything but 3.6.99."""

    def check(version: str) -> None:
        if version == "3.6.99":
            raise NoSuchVersion(version, "3.6.21")

    monkeypatch.setattr(index, "check_exists", check)


def ready(version: str, **facts: object) -> RasaRuntime:
    known = {"state": State.READY, "release": version, "python": "3.10.13", "minimum_compatible_version": "3.5.0"}
    return RasaRuntime.objects.create(version=version, **{**known, **facts})


def test_the_page_says_what_is_known_of_each(admin: Client) -> None:
    ready("3.6.20", size=2_700_000_000, freed=80_000_000)
    cafe = make_assistant("cafe", "Café Lumen")
    save_settings(actor=None, assistant=cafe, values={"rasa_version": "3.6.20"})
    page = admin.get(PAGE).content.decode()
    for words in ("3.6.20", "3.6.21", "default", "3.10.13", "3.5.0 and later", "2.5 GB", ">Café Lumen</a>"):
        assert words in page
    assert 'hx-trigger="every 2s"' not in page


def test_one_hundred_assistants_cost_no_more_queries(admin: Client, django_assert_max_num_queries) -> None:
    for number in range(12):
        assistant = make_assistant()
        save_settings(actor=None, assistant=assistant, values={"rasa_version": f"3.6.{number}"})
        ready(f"3.6.{number}")
    admin.get(PAGE)
    with django_assert_max_num_queries(16):
        admin.get(PAGE)


def test_it_asks_again_while_something_is_under_way(admin: Client) -> None:
    ready("3.6.20", state=State.INSTALLING, step="Downloading tensorflow", done=1, total=4)
    page = admin.get(PAGE, headers={"HX-Request": "true", "HX-Target": "live"}).content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert "Downloading tensorflow" in page
    assert "<html" not in page


def test_a_version_that_the_index_has_is_installed(admin: Client, on_index) -> None:
    assert admin.post(f"{PAGE}add", {"version": " 3.6.20 "})["Location"] == PAGE
    assert RasaRuntime.objects.get(version="3.6.20").state == State.WANTED
    assert AuditEvent.objects.filter(action="rasa-install-requested").count() == 1


def test_a_version_that_cannot_be_found_says_so_and_what_can_be_done(admin: Client, on_index) -> None:
    answer = admin.post(f"{PAGE}add", {"version": "3.6.99"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "The package index has no Rasa 3.6.99. The newest that it has is 3.6.21." in page
    assert "UV_DEFAULT_INDEX" in page
    assert 'value="3.6.99"' in page
    assert not RasaRuntime.objects.filter(version="3.6.99").exists()


@pytest.mark.parametrize("version", ["4.0.0", "2.8.34", "3.6", "newest", "3.6.20; rm", "rasa==3.6.20", "../3.6.20"])
def test_what_is_no_version_of_rasa_3_is_refused(on_index, version: str) -> None:
    with pytest.raises(Invalid, match=r"such as 3\.6\.20"):
        add_version(actor=None, version=version)


def test_what_is_here_is_not_added_twice(on_index) -> None:
    ready("3.6.20")
    with pytest.raises(Conflict, match=r"Rasa 3\.6\.20 is here already"):
        add_version(actor=None, version="3.6.20")


def test_what_failed_is_tried_again(admin: Client) -> None:
    ready("3.6.20", state=State.FAILED, message="No network.\nuv: dns error", mend="Check it.")
    page = admin.get(PAGE).content.decode()
    assert all(words in page for words in ("No network.", "Check it.", "uv: dns error", "Try again"))
    admin.post(f"{PAGE}3.6.20/install", headers={"HX-Request": "true"})
    row = RasaRuntime.objects.get(version="3.6.20")
    assert (row.state, row.message) == (State.WANTED, "")


def test_removing_names_the_bytes_and_is_done_by_the_installer(admin: Client) -> None:
    ready("3.6.20", size=2_700_000_000, freed=80_000_000)
    page = admin.get(f"{PAGE}3.6.20/remove").content.decode()
    assert "That frees 76.3 MB" in page
    assert "2.4 GB of its files are shared" in page
    admin.post(f"{PAGE}3.6.20/remove")
    assert RasaRuntime.objects.get(version="3.6.20").state == State.REMOVING
    assert AuditEvent.objects.filter(action="rasa-removal-requested").count() == 1


@pytest.mark.parametrize("version", ["3.6.21", "3.6.20"])
def test_what_is_used_is_not_removed(admin: Client, version: str) -> None:
    current_runtime()
    ready("3.6.20")
    cafe = make_assistant("cafe", "Café")
    save_settings(actor=None, assistant=cafe, values={"rasa_version": "3.6.20"})
    answer = admin.post(f"{PAGE}{version}/remove")
    assert answer.status_code == 422
    said = "PARLEY_RASA_VERSION names it" if version == "3.6.21" else "is used by the assistant Café"
    assert said in answer.content.decode()
    assert RasaRuntime.objects.get(version=version).state != State.REMOVING


def test_a_running_training_keeps_its_version(on_index) -> None:
    row = ready("3.6.20")
    cafe = make_assistant("cafe", "Café")
    save_revision(actor=None, assistant=cafe, files={"domain.yml": b"{}\n"}, message="", parent_number=None)
    job = request_training(actor=None, assistant=cafe)
    TrainingJob.objects.filter(pk=job.pk).update(state="training", rasa_version="3.6.20")
    with pytest.raises(Conflict, match="training 1 of Café"):
        request_removal(actor=None, row=row)


def test_used_by_many_names_some(admin: Client) -> None:
    row = ready("3.6.20")
    for number in range(9):
        assistant = make_assistant(title=f"Café {number}")
        save_settings(actor=None, assistant=assistant, values={"rasa_version": "3.6.20"})
    with pytest.raises(Conflict, match="and 5 more"):
        request_removal(actor=None, row=row)


def test_the_status_of_a_version_that_is_gone_offers_to_install_it(admin: Client) -> None:
    cafe = make_assistant("cafe")
    save_settings(actor=None, assistant=cafe, values={"rasa_version": "3.6.20"})
    page = admin.get("/rasa/status?version=3.6.20").content.decode()
    assert "Install Rasa 3.6.20" in page
    assert admin.post("/rasa/install", {"version": "3.6.20"}).status_code == 200
    assert RasaRuntime.objects.get(version="3.6.20").state == State.WANTED


def test_a_version_that_nobody_chose_is_not_installed_by_address(admin: Client) -> None:
    assert admin.post("/rasa/install", {"version": "3.6.20"}).status_code == 404
    assert admin.post("/rasa/install", {"version": "pro"}).status_code == 404


# --- The installer ------------------------------------------------------------------------------------------------


class Shelf(Disk):
    """A disk that holds the versions of `names`."""

    def __init__(self, *names: str, folder: Path = Path("/nowhere")) -> None:
        super().__init__()
        self.names, self.folder, self.removed = set(names), folder, []

    def find(self, version):
        from studio.rasa.runtime import Runtime

        return Runtime(version, self.folder, "3.5.0", "3.10.13") if version in self.names else None

    def installed(self):
        return sorted(self.names)

    def remove(self, version, report, is_free):
        if not is_free():
            return False
        self.removed.append(version)
        return True


def turn(shelf: Shelf) -> None:
    installer = Installer(lambda: shelf)  # type: ignore[arg-type, return-value]
    row = RasaRuntime.objects.exclude(version=current_runtime().version).get()
    installer.do_now(row)


def test_what_lies_on_the_disk_is_listed_when_the_controller_starts(tmp_path) -> None:
    Installer(lambda: Shelf("3.6.21", "3.6.20")).look()  # type: ignore[arg-type, return-value]
    assert {row.version: row.state for row in RasaRuntime.objects.all()} == {"3.6.21": "ready", "3.6.20": "ready"}


def test_what_failed_waits_for_somebody_who_asks(tmp_path) -> None:
    ready("3.6.20", state=State.FAILED, message="No network.")
    Installer(lambda: Shelf("3.6.21")).look()  # type: ignore[arg-type, return-value]
    assert (runtime_named("3.6.20").state, runtime_named("3.6.20").message) == (State.FAILED, "No network.")


def test_it_removes_what_nothing_uses() -> None:
    request_removal(actor=None, row=ready("3.6.20"))
    shelf = Shelf("3.6.20")
    turn(shelf)
    assert shelf.removed == ["3.6.20"]
    assert not RasaRuntime.objects.filter(version="3.6.20").exists()


def test_a_version_that_was_chosen_meanwhile_is_kept() -> None:
    request_removal(actor=None, row=ready("3.6.20"))
    save_settings(actor=None, assistant=make_assistant("cafe", "Café"), values={"rasa_version": "3.6.20"})
    turn(Shelf("3.6.20"))
    row = runtime_named("3.6.20")
    assert (row.state, row.message) == (State.READY, "It is kept, because it is used again by the assistant Café.")


def test_its_room_is_measured(tmp_path) -> None:
    (tmp_path / "whole").write_bytes(b"x" * 100_000)
    ready("3.6.20")
    turn(Shelf("3.6.20", folder=tmp_path))
    row = runtime_named("3.6.20")
    assert row.size == row.freed
    assert row.size is not None and row.size >= 100_000


# --- The terminal -------------------------------------------------------------------------------------------------


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_terminal_lists_them() -> None:
    ready("3.6.20", size=2_700_000_000)
    lines = said("rasa_versions").splitlines()
    assert lines[0].split()[:3] == ["RASA", "STATE", "PYTHON"]
    assert [line.split()[0] for line in lines[1:]] == ["3.6.21", "3.6.20"]
    assert "2.5 GB" in lines[2]


def test_the_terminal_says_why_a_version_is_kept() -> None:
    current_runtime()
    with pytest.raises(CommandError, match="PARLEY_RASA_VERSION names it"):
        said("rasa_versions", "--remove", "3.6.21")
    with pytest.raises(CommandError, match=r"There is no Rasa 3\.4\.2 here"):
        said("rasa_versions", "--remove", "3.4.2")


def test_the_terminal_says_that_a_version_cannot_be_found(on_index) -> None:
    with pytest.raises(CommandError, match=r"no Rasa 3\.6\.99"):
        said("install_rasa", "3.6.99")


@pytest.mark.django_db(transaction=True)
def test_the_terminal_installs_and_removes(on_index, monkeypatch, settings, tmp_path) -> None:
    settings.RASA_DIR = tmp_path
    shelf = Disk()
    monkeypatch.setattr("studio.rasa.installer.runtimes", lambda: shelf)
    monkeypatch.setattr(Installer.__init__, "__defaults__", (lambda: shelf,))
    install, look, remove = (
        shlex.split(line)[1:] for line in block_of("docs/rasa-versions.md", "manage.py install_rasa").splitlines()
    )
    text = said(*install)
    assert "Rasa 3.6.20 is ready: Python" in text
    assert "loads models of 3.5.0 and later" in text
    assert [line.split()[0] for line in said(*look).splitlines()] == ["RASA", "3.6.21", "3.6.20"]
    monkeypatch.setattr(Disk, "remove", lambda self, version, report, is_free: is_free(), raising=False)
    assert "Rasa 3.6.20 is being removed." in said(*remove)
    assert not RasaRuntime.objects.filter(version="3.6.20").exists()
