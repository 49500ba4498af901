"""A team's own interpreter, named by a setting: asked which Rasa it has, and given its licence and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import OwnFailed
from studio.rasa.runtime import Own, probe
from studio.rasa.services import find_runtime, request_removal, runtime_named, why_kept
from tests.rasa.test_runtime import program
from tests.rasa.test_versions_page import Shelf

FACTS = {"version": "3.9.1", "python": "3.10.4", "minimum_compatible_version": "3.8.0"}


@pytest.fixture
def python(tmp_path: Path, settings) -> Path:
    """A Rasa Pro that starts only with its licence."""
    said = (
        f"[ -n \"$RASA_PRO_LICENSE\" ] || {{ echo 'License key not found' >&2; exit 1; }}\necho '{json.dumps(FACTS)}'"
    )
    settings.RASA_DIR = tmp_path / "rasa"
    settings.RASA_OWN = [("pro", str(tmp_path / "python"))]
    settings.RASA_OWN_VARIABLES = [("pro", "RASA_PRO_LICENSE")]
    return program(tmp_path / "python", said)


def look() -> RasaRuntime:
    """What the controller does when it starts, for the own one alone."""
    installer = Installer(lambda: Shelf("3.6.21"))  # type: ignore[arg-type, return-value]
    installer.look()
    installer.do_now(runtime_named("pro"))
    return runtime_named("pro")


def test_it_says_what_it_is_with_the_variables_that_the_settings_name(python: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RASA_PRO_LICENSE", "key")
    found = probe(Own("pro", python, ("RASA_PRO_LICENSE",)), tmp_path / "home")
    assert (found.name, found.version, found.python) == ("pro", "3.9.1", python)
    assert found.label == "pro (3.9.1)"
    assert found.environment == {"RASA_PRO_LICENSE": "key"}


def test_nothing_else_of_our_environment_reaches_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RASA_PRO_LICENSE", "key")
    seen = tmp_path / "seen"
    teller = program(tmp_path / "teller", f"env > {seen}\necho '{json.dumps(FACTS)}'")
    probe(Own("pro", teller, ("RASA_PRO_LICENSE",)), tmp_path / "home")
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME", "RASA_TELEMETRY_ENABLED", "RASA_PRO_LICENSE"}


def test_without_its_licence_the_failure_names_the_variable(python: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("RASA_PRO_LICENSE", raising=False)
    with pytest.raises(OwnFailed) as failure:
        probe(Own("pro", python, ("RASA_PRO_LICENSE",)), tmp_path / "home")
    assert "License key not found" in failure.value.details
    assert "RASA_PRO_LICENSE of PARLEY_RASA_OWN_VARIABLES is not set." in failure.value.details


@pytest.mark.parametrize("says", ["echo no json", "exit 1", 'echo \'{"version": "3.9.1"}\''])
def test_what_is_no_rasa_fails_with_what_to_do(tmp_path, says: str) -> None:
    with pytest.raises(OwnFailed, match="does not run Rasa") as failure:
        probe(Own("pro", program(tmp_path / "python", says)), tmp_path / "home")
    assert "PARLEY_RASA_OWN" in failure.value.mend


def test_a_path_to_nothing_fails(tmp_path) -> None:
    with pytest.raises(OwnFailed) as failure:
        probe(Own("pro", tmp_path / "none"), tmp_path / "home")
    assert failure.value.details == "There is no such file."


@pytest.mark.django_db
def test_the_controller_asks_it_and_assistants_can_be_trained_with_it(python: Path, monkeypatch) -> None:
    monkeypatch.setenv("RASA_PRO_LICENSE", "key")
    assert find_runtime("pro") is None
    row = look()
    assert (row.state, row.release, row.minimum_compatible_version, str(row)) == (
        "ready",
        "3.9.1",
        "3.8.0",
        "pro (Rasa 3.9.1)",
    )
    found = find_runtime("pro")
    assert found is not None
    assert (found.python, found.version) == (python, "3.9.1")


@pytest.mark.django_db
def test_one_that_stops_running_is_no_longer_used(python: Path, monkeypatch) -> None:
    monkeypatch.setenv("RASA_PRO_LICENSE", "key")
    look()
    monkeypatch.delenv("RASA_PRO_LICENSE")
    row = look()
    assert row.state == "failed"
    assert find_runtime("pro") is None


@pytest.mark.django_db
def test_it_is_never_removed_and_goes_with_its_setting(python: Path, settings, monkeypatch) -> None:
    monkeypatch.setenv("RASA_PRO_LICENSE", "key")
    row = look()
    assert "team's own" in why_kept(row)
    with pytest.raises(Exception, match="PARLEY_RASA_OWN"):
        request_removal(actor=None, row=row)
    settings.RASA_OWN = []
    Installer(lambda: Shelf("3.6.21")).look()  # type: ignore[arg-type, return-value]
    assert not RasaRuntime.objects.filter(version="pro").exists()
    assert python.exists()


@pytest.mark.parametrize(
    ("own", "variables", "why"),
    [
        ("3.6.20=/opt/python", "", "a small letter"),
        ("pro=/opt/a,pro=/opt/b", "", "each name once"),
        ("pro=bin/python", "", "whole path"),
        ("pro=/opt/python", "por=LICENSE", "that PARLEY_RASA_OWN does not have"),
        ("pro=/opt/python", "pro=PARLEY_SECRET_KEY", "Parley's own"),
        ("pro=/opt/python", "pro=DATABASE_URL", "Parley's own"),
    ],
)
def test_settings_that_make_no_sense_stop_the_start(own: str, variables: str, why: str) -> None:
    environment = {**os.environ, "PARLEY_RASA_OWN": own, "PARLEY_RASA_OWN_VARIABLES": variables}
    command = [sys.executable, "-c", "import studio.settings"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode
    assert why in ended.stderr
