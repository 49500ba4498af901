"""The embedded PostgreSQL: who may do what, and where its files are."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from studio.embedded import postgres
from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders
from studio.embedded.ports import free_port
from studio.embedded.postgres import APPLICATION, SUPERUSER, Postgres
from tests.services import FORGETFUL

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")


def test_the_application_may_make_roles_and_databases_and_is_no_superuser(folders: Folders) -> None:
    with _running(folders) as server, psycopg.connect(server.url()) as connection:
        rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(rights).fetchone() == (False, True, True)


def test_the_application_owns_its_database_and_no_other_lets_it_in(folders: Folders) -> None:
    with _running(folders) as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE SCHEMA of_our_own")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(server.url(APPLICATION, "postgres"))


@pytest.mark.parametrize("host", ["socket", "127.0.0.1"])
def test_nobody_gets_in_without_a_password(folders: Folders, host: str) -> None:
    with _running(folders) as server:
        place = str(server.sockets) if host == "socket" else host
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=place, port=server.port, user=SUPERUSER, dbname=SUPERUSER, password="guess")


def test_a_program_on_this_machine_gets_in_by_port_with_the_password(folders: Folders) -> None:
    with _running(folders) as server:
        password = server.application_password
        psycopg.connect(host="127.0.0.1", port=server.port, user="parley", dbname="parley", password=password).close()


def test_port_and_passwords_stay_the_same(folders: Folders) -> None:
    assert postgres.prepare(folders) == postgres.prepare(folders)


def test_another_port_can_be_wished_and_is_kept(folders: Folders) -> None:
    wished = free_port()
    assert postgres.prepare(folders, port=wished).port == wished
    assert postgres.prepare(folders).port == wished


def test_an_initialisation_that_was_cut_short_is_done_again(folders: Folders) -> None:
    unfinished = postgres.prepare(folders).data.rename(folders.postgres.resolve() / "data.new")
    (unfinished / "PG_VERSION").unlink()
    assert (postgres.prepare(folders).data / "PG_VERSION").is_file()
    assert not unfinished.exists()


def test_data_of_a_version_that_we_have_not_got_is_refused(folders: Folders) -> None:
    (postgres.prepare(folders).data / "PG_VERSION").write_text("9\n")
    with pytest.raises(LaunchError, match="made by PostgreSQL 9"):
        postgres.prepare(folders)


@as_root
def test_below_a_closed_folder_the_files_go_elsewhere_and_a_link_shows_where(private_folders: Folders) -> None:
    closed = private_folders.data.parent
    with _running(private_folders) as server:
        assert private_folders.postgres.is_symlink()
        assert server.data == private_folders.postgres.resolve() / "data"
        assert not server.data.is_relative_to(closed)
    assert closed.stat().st_mode & 0o777 == 0o700, "a folder of somebody else was opened"


@as_root
def test_a_link_to_nowhere_is_refused_rather_than_begun_anew(private_folders: Folders) -> None:
    private_folders.postgres.symlink_to("/nowhere/to/be/found")
    with pytest.raises(LaunchError, match="is gone"):
        postgres.prepare(private_folders)


@as_root
def test_programs_that_its_user_cannot_reach_are_copied(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = postgres.may_enter
    monkeypatch.setattr(
        postgres, "may_enter", lambda place, user: "site-packages" not in str(place) and allowed(place, user)
    )
    with _running(folders) as server:
        assert server.programs.is_relative_to(folders.postgres)
        psycopg.connect(server.url()).close()


@contextmanager
def _running(folders: Folders) -> Iterator[Postgres]:
    server = postgres.prepare(folders)
    with (folders.logs / "postgres.log").open("wb") as log:
        command = postgres.wrapped(server.command(FORGETFUL), server.user, "SIGKILL")
        process = subprocess.Popen(command, stderr=log, cwd=server.data.parent)
    try:
        postgres.wait_until_ready(server, _patience(process, Path(log.name)))
        postgres.ensure_application(server)
        yield server
    finally:
        process.send_signal(2)
        process.wait(20)


def _patience(process: subprocess.Popen[bytes], log: Path) -> Callable[[str], None]:
    deadline = time.monotonic() + 30

    def wait(why: str) -> None:
        assert process.poll() is None and time.monotonic() < deadline, f"{why}\n{log.read_text()}"
        time.sleep(0.05)

    return wait
