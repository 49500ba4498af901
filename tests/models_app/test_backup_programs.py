"""What pg_dump and its like are started with: every user of a machine can read that."""

import os

import pytest

from models_app.backup.errors import BackupRefused
from models_app.backup.programs import Database
from studio import env


def reached_by(monkeypatch, url: str) -> Database:
    monkeypatch.setenv("A_DATABASE", url)
    return Database.of(env.database("A_DATABASE"))


@pytest.mark.parametrize("url", ["postgresql://ann:of-ann@db/inn", "postgresql://db/inn?user=ann&password=of-ann"])
def test_the_password_is_in_no_command_line(monkeypatch, url) -> None:
    found = reached_by(monkeypatch, url)
    assert "of-ann" not in found.address and "user=ann" in found.address
    assert found.environment["PGPASSWORD"] == "of-ann"
    assert found.environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("name", ["sslpassword", "oauth_client_secret", "scram_client_key"])
def test_a_secret_that_has_no_variable_is_refused(monkeypatch, name) -> None:
    with pytest.raises(BackupRefused, match=rf"DATABASE_URL has {name} in its query.*PGSERVICEFILE"):
        reached_by(monkeypatch, f"postgresql://ann:of-ann@db/inn?sslmode=require&{name}=of-her-key")


def test_a_service_file_s_name_is_handed_on(monkeypatch) -> None:
    assert "service=inn" in reached_by(monkeypatch, "postgresql:///inn?service=inn").address
