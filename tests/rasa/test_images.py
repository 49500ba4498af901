"""Rasas that are container images: named by a setting, asked once for their version. Real ones: tests/kubernetes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import Invalid
from studio.rasa import images, installer
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import ImageFailed
from studio.rasa.process import Handle, LogChunk, Spec, StartFailed, Status
from studio.rasa.runtime import Own
from studio.rasa.services import add_version, find_runtime, ready_runtimes, why_kept

SAYS = "Rasa Version      :         3.6.20\nMinimum Compatible Version: 3.5.0\nPython Version    :         3.10.12\n"


class Says:
    """A cluster whose every process writes `text` and ends."""

    def __init__(self, text: str, code: int = 0, refuses: str = "") -> None:
        self.text, self.status, self.refuses = text, Status(False, code), refuses
        self.specs: list[Spec] = []

    def start(self, spec: Spec) -> Handle:
        if self.refuses:
            raise StartFailed(self.refuses)
        self.specs.append(spec)
        return Handle(0, "ns/rasa-1", str(spec.log))

    def poll(self, handle: Handle) -> Status:
        return self.status

    def stop(self, handle: Handle, grace: float = 10.0) -> Status:
        return self.status

    def read_log(self, handle: Handle, offset: int = 0, limit: int = 65536) -> LogChunk:
        return LogChunk(self.text, len(self.text))


@pytest.fixture
def in_cluster(settings, tmp_path: Path) -> None:
    settings.PROCESSES, settings.RASA_VERSION = "kubernetes", "main"
    settings.RASA_IMAGES = [("main", "registry/rasa:1"), ("other", "registry/rasa:2")]
    settings.SERVERS_DIR = tmp_path / "servers"


def ask(says: Says, tmp_path: Path):
    return images.ask_image(Own("main", Path("python"), image="registry/rasa:1"), says, tmp_path)


def test_an_image_says_which_rasa_it_has(tmp_path: Path) -> None:
    says = Says(SAYS)
    runtime = ask(says, tmp_path)
    assert (runtime.name, runtime.version, runtime.minimum_compatible_version) == ("main", "3.6.20", "3.5.0")
    assert (runtime.image, runtime.python_version) == ("registry/rasa:1", "3.10.12")
    assert (says.specs[0].image, says.specs[0].arguments) == ("registry/rasa:1", ("--version",))
    assert not list((tmp_path / "images").iterdir())


def test_what_it_waits_for_its_image_is_none_of_its_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(images, "SECONDS", 0.2)
    monkeypatch.setattr(images, "LOOK_SECONDS", 0.1)
    says = Says("")
    looks = [*[Status(running=True, is_waiting=True)] * 5, Status(running=True)]

    def poll(handle: Handle) -> Status:
        says.text = SAYS if not looks else ""
        return looks.pop(0) if looks else says.status

    monkeypatch.setattr(says, "poll", poll)
    assert ask(says, tmp_path).version == "3.6.20"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (Says("No module named rasa", code=1), "No module named rasa"),
        (Says("hello"), "hello"),
        (Says("", refuses="Kubernetes did not take the Job."), "did not take"),
    ],
)
def test_one_without_a_rasa_is_refused_with_its_own_words(says: Says, words: str, tmp_path: Path) -> None:
    with pytest.raises(ImageFailed) as failure:
        ask(says, tmp_path)
    assert words in (failure.value.details or "")
    assert "registry/rasa:1" in failure.value.message


@pytest.mark.django_db
def test_the_images_are_all_the_rasas_there_are(in_cluster: None, monkeypatch) -> None:
    RasaRuntime.objects.create(version="3.6.21", state=RasaRuntime.State.READY)
    monkeypatch.setattr(installer, "processes_of", lambda *_: Says(SAYS))
    made = Installer()
    made.look()
    assert sorted(RasaRuntime.objects.values_list("version", flat=True)) == ["main", "other"]
    for row in RasaRuntime.objects.all():
        made.do_now(row)
    assert [row.version for row in ready_runtimes()] == ["main", "other"]
    found = find_runtime("other")
    assert found is not None
    assert (found.version, found.image) == ("3.6.20", "registry/rasa:2")
    assert "PARLEY_RASA_IMAGES" in why_kept(RasaRuntime.objects.get(version="other"))
    with pytest.raises(Invalid, match="PARLEY_RASA_IMAGES"):
        add_version(actor=None, version="3.6.20")


@pytest.mark.parametrize(
    ("settings_of", "why"),
    [
        ({"PARLEY_PROCESSES": "docker"}, "local or kubernetes"),
        ({"PARLEY_PROCESSES": "kubernetes", "PARLEY_RASA_IMAGES": "a=b"}, "names no image for 3.6.21"),
        ({"PARLEY_RASA_IMAGES": "a=b,a=c"}, "each name once"),
        ({"PARLEY_KUBERNETES_TEMPLATE": "/nowhere"}, "cannot be read"),
    ],
)
def test_settings_that_make_no_sense_stop_the_start(settings_of: dict[str, str], why: str) -> None:
    command = [sys.executable, "-c", "import studio.settings"]
    ended = subprocess.run(command, env={**os.environ, **settings_of}, capture_output=True, text=True, check=False)
    assert ended.returncode
    assert why in ended.stderr
