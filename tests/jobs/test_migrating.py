"""Who has the schema, how far that is, and who waits."""

import os
import signal
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from models_app.backup.programs import Database
from studio import health, migrating, schema
from studio.errors import Conflict
from studio.schema import newer_than_files

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other() -> Iterator[psycopg.Connection]:
    """A session of somebody else in the same database."""
    database = Database.of(connection.settings_dict)
    with psycopg.connect(
        database.address, password=settings.DATABASES["default"]["PASSWORD"], autocommit=True
    ) as session:
        yield session


def hold(other: psycopg.Connection, name: str) -> None:
    other.execute("SELECT set_config('application_name', %s, false)", [name])
    other.execute("SELECT pg_advisory_lock(%s)", [migrating.LOCK])


def test_nobody_has_it() -> None:
    assert migrating.running(connection) is None
    assert health.schema_in_words() == "up to date"


def test_how_far_a_migration_is_is_seen_by_others(other) -> None:
    with migrating.alone(connection, wait=0, say=print):
        migrating.tell(connection, 2, 7, "conversations.0031_words")
        assert migrating.running(connection).in_words == "conversations.0031_words, 2 of 7"
        migrating.tell_part(connection, 450, 1000)
        found = migrating.running(connection)
        assert (found.percent, found.in_words) == (45.0, "conversations.0031_words, 2 of 7, 45 % done")
        name = other.execute(
            "SELECT application_name FROM pg_stat_activity WHERE pid = %s", [connection.connection.info.backend_pid]
        ).fetchone()
        assert name == ("parley migrate 2/7 45% conversations.0031_words",)
    assert migrating.running(connection) is None


def test_the_name_is_given_back() -> None:
    before = migrating._name_of(connection)
    with migrating.alone(connection, wait=0, say=print):
        migrating.tell(connection, 1, 1, "a.0001_initial")
    assert migrating._name_of(connection) == before


@pytest.fixture
def stranger() -> Iterator[psycopg.Connection]:
    """A session of a role that ours does not belong to: PostgreSQL hides most of it."""
    database = Database.of(connection.settings_dict)
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE parley_migrator LOGIN PASSWORD 'of-another'")
    try:
        with psycopg.connect(
            database.address, user="parley_migrator", password="of-another", autocommit=True
        ) as session:
            yield session
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP ROLE parley_migrator")


def test_who_migrates_with_another_role_is_seen_too(stranger) -> None:
    hold(stranger, "parley migrate 1/3 a.0001_initial")
    found = migrating.running(connection)
    assert (found.in_words, found.seconds) == ("a.0001_initial, 1 of 3", 0.0)


def test_a_backup_that_has_the_schema_is_not_called_a_migration(other) -> None:
    hold(other, "a backup")
    assert health._what_goes_on(migrating.running(connection)).startswith("The schema is in use: a backup (process ")


def test_who_will_not_wait_is_told_who_has_it(other) -> None:
    hold(other, "a backup")
    with pytest.raises(Conflict, match=r"The schema is in use: a backup \(process \d+ of PostgreSQL\)"):
        migrating.alone(connection, wait=0, say=print).__enter__()


def test_who_waits_gets_it(other, monkeypatch) -> None:
    hold(other, "parley migrate 1/1 a.0001_initial")
    said: list[str] = []

    def look(_seconds: float) -> None:
        other.execute("SELECT pg_advisory_unlock_all()")

    monkeypatch.setattr("studio.migrating.time.sleep", look)
    with migrating.alone(connection, wait=None, say=said.append):
        assert said == ["The schema is in use; this waits for its end: a.0001_initial, 1 of 1"]


class TestTablesInUse:
    """A statement that waits for a table lets nobody else to it: it does not wait for long."""

    @pytest.fixture(autouse=True)
    def _briefly(self, monkeypatch) -> None:
        monkeypatch.setattr(migrating, "LOCK_SECONDS", 0.1)
        monkeypatch.setattr(migrating, "LOCK_PAUSE", 0.01)
        monkeypatch.setattr(migrating, "LOCK_TRIES", 3)

    def alter(self) -> None:
        migrating.limit_waiting(connection, is_atomic=True)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE jobs_heartbeat IN ACCESS EXCLUSIVE MODE")
        migrating.limit_no_longer(connection)

    def test_it_is_tried_again_until_the_table_is_free(self, other) -> None:
        other.execute("SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM jobs_heartbeat")
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            if len(said) == 2:
                other.execute("ROLLBACK")

        migrating.patiently(connection, self.alter, say)
        assert len(said) == 2
        assert "in use by others for more than 0.1 s; the longest transactions are of a long report (process" in said[1]

    def test_it_is_given_up_with_who_holds_it(self, other) -> None:
        other.execute("SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM jobs_heartbeat")
        with pytest.raises(Conflict, match=r"Given up after 3 tries: .* of a long report \(process .* pg_terminate"):
            migrating.patiently(connection, self.alter, print)

    def test_other_errors_are_not_tried_again(self) -> None:
        def broken() -> None:
            raise OperationalError("away")

        with pytest.raises(OperationalError, match="away"):
            migrating.patiently(connection, broken, pytest.fail)

    def test_the_session_waits_as_before_at_the_end(self) -> None:
        self.alter()
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)

    def test_an_index_that_is_made_concurrently_waits_for_others_transactions(self) -> None:
        migrating.limit_waiting(connection, is_atomic=True)
        migrating.limit_waiting(connection, is_atomic=False)
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)


def test_a_long_name_is_cut_and_still_read() -> None:
    with migrating.alone(connection, wait=0, say=print):
        migrating.tell(connection, 10, 12, f"conversations.0031_{'x' * 80}")
        migrating.tell_part(connection, 1, 3)
        found = migrating.running(connection)
        assert (found.number, found.count, found.percent) == (10, 12, 33.0)


def test_names_from_before_a_squashed_file_are_not_newer() -> None:
    class Loader:
        disk_migrations = {("inn", "0001_squashed_0030_last"): None, ("inn", "0031_next"): None}

    applied = {("inn", "0007_old"), ("inn", "0031_next"), ("inn", "0032_later"), ("bar", "0001_initial")}
    assert list(newer_than_files(Loader(), applied)) == ["bar.0001_initial", "inn.0032_later"]


def test_an_older_schema_is_said_in_words() -> None:
    names = tuple(f"inn.{number:04}_x" for number in range(5))
    assert (
        schema.Schema(names, (), 9).in_words
        == "5 migrations are not applied: inn.0000_x, inn.0001_x, inn.0002_x and 2 more"
    )


def test_a_database_that_is_away_is_waited_for_and_then_asked(monkeypatch) -> None:
    answers = iter([OperationalError("away"), OperationalError("away"), schema.Schema(("inn.0002_x",), (), 2)])

    def read(connection: object) -> schema.Schema:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(schema, "read", read)
    monkeypatch.setattr(schema, "LOOK_SECONDS", 0.0)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(schema.OlderSchema, match=r"1 migration is not applied \(inn.0002_x\)"):
        schema.await_schema()
    assert list(answers) == [] and signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_database_that_hangs_holds_no_process_for_long(silent, monkeypatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", str(silent))
    began = time.monotonic()
    schema.refuse_older()
    assert time.monotonic() - began < 60  # without a limit, for ever


def test_a_connection_that_breaks_without_a_word_is_given_up(monkeypatch) -> None:
    """By the network's own clocks, which the kernel keeps."""
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    with schema.connected() as made:
        made.ensure_connection()
        with socket.socket(fileno=os.dup(made.connection.fileno())) as wire:
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
            assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
