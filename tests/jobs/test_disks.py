"""What `manage.py doctor` says of folders that cannot be written to."""

import os
from pathlib import Path

import pytest

from studio import examinations
from studio.doctor import Status
from studio.rasa.runtime import MARKER


@pytest.fixture
def closed(tmp_path: Path, settings, monkeypatch) -> Path:
    """A folder for Rasa on a file system that is mounted read-only."""
    folder = tmp_path / "rasa"
    folder.mkdir()
    settings.RASA_DIR = folder
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and access(path, mode))
    return folder


def of_rasa() -> list[tuple[Status, str]]:
    return [(one.status, one.message) for one in examinations.disks() if one.message.startswith("PARLEY_RASA ")]


def test_where_rasa_is_still_to_be_installed_that_is_a_failure(closed: Path) -> None:
    assert of_rasa() == [(Status.FAIL, "PARLEY_RASA cannot be written to.")]


def test_where_one_is_whole_it_is_none(closed: Path) -> None:
    place = closed / "3.6.21"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    (place / MARKER).write_text('{"minimum_compatible_version": "3.6.0"}')
    [(status, message)] = of_rasa()
    assert status == Status.OK and "Rasa 3.6.21 is there" in message
