"""What pg_dump and its like are started with: every user of a machine can read that."""

import os

import pytest
from psycopg.pq import Conninfo

from models_app.backup.errors import BackupRefused
from models_app.backup.programs import Database
from studio import env

KNOWN = {one.keyword.decode() for one in Conninfo.get_defaults()}


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
    if name not in KNOWN:
        pytest.skip(f"This libpq knows no {name}, and refuses it itself.")
    with pytest.raises(BackupRefused, match=rf"DATABASE_URL has {name} in its query.*PGSERVICEFILE"):
        reached_by(monkeypatch, f"postgresql://ann:of-ann@db/inn?sslmode=require&{name}=of-her-key")


def test_a_service_file_s_name_is_handed_on(monkeypatch) -> None:
    assert "service=inn" in reached_by(monkeypatch, "postgresql:///inn?service=inn").address


def test_a_server_that_is_slow_is_not_given_up_but_one_that_is_gone(monkeypatch) -> None:
    """A COPY sends nothing on while the other side's disk is busy, and that is no reason to cut it."""
    address = reached_by(monkeypatch, "postgresql://ann@db/inn").address
    assert "tcp_user_timeout" not in address
    assert "connect_timeout=5" in address and "keepalives_idle=15" in address


def test_what_the_operator_says_of_it_is_handed_on(monkeypatch) -> None:
    assert "tcp_user_timeout=90000" in reached_by(monkeypatch, "postgresql://ann@db/inn?tcp_user_timeout=90000").address
