"""Real processes against a database of another version; migrations of which two are started at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.conf import settings

from studio import migrating
from studio.embedded import child
from studio.embedded.ports import free_port
from tests.stack.programs import eventually
from tests.stack.stage import PATIENCE, Stage, stage

pytestmark = pytest.mark.stack

LAST = "conversations", "0031_when_talks_were_answered"  # tests/house/test_migrations.py says when there is a later one
TABLE = "conversations_talksession"
UNDO = f"ALTER TABLE {TABLE} DROP COLUMN answered_at"
PROCESSES = {
    "worker": ["manage.py", "worker", "background"],
    "ingest": ["manage.py", "ingest"],
    "schedule": ["manage.py", "schedule"],
    "controller": ["manage.py", "controller"],
    "web": ["-m", "gunicorn", "--config", "studio/gunicorn_conf.py", "studio.wsgi:application"],
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage")) as made:
        made.environment |= {"PORT": str(free_port()), "PARLEY_WEB_WORKERS": "1"}
        yield made


@contextmanager
def recorded(house: Stage, name: str) -> Iterator[None]:
    house.write("INSERT INTO django_migrations (app, name, applied) VALUES ('conversations', %s, now())", name)
    try:
        yield
    finally:
        house.write("DELETE FROM django_migrations WHERE name = %s", name)


@pytest.fixture
def older(house) -> Iterator[Stage]:
    """The last migration and the squashed one that stands for it are not there."""
    rows = "app = 'conversations' AND (name = %s OR starts_with(name, '0001_squashed'))"
    house.write("CREATE TABLE kept AS SELECT * FROM django_migrations")
    house.write(f"DELETE FROM django_migrations WHERE {rows}", LAST[1])
    yield house
    house.write("TRUNCATE django_migrations; INSERT INTO django_migrations OVERRIDING SYSTEM VALUE TABLE kept")
    house.write("DROP TABLE kept")


@pytest.fixture
def newer(house) -> Iterator[Stage]:
    with recorded(house, "9999_of_the_next_version"):
        yield house


def start(house: Stage, arguments: list[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", sys.executable, *arguments]
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=house.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    house.running.append(process)  # type: ignore[arg-type]
    return process


def check(house: Stage) -> tuple[int, str]:
    process = start(house, ["manage.py", "migrate", "--check"])
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize("name", PROCESSES)
def test_none_starts_on_an_older_schema(older, name) -> None:
    process = start(older, PROCESSES[name])
    said, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 3), said
    assert f"1 migration is not applied ({'.'.join(LAST)}). Run `manage.py migrate`" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", [name for name in PROCESSES if name != "web"])
def test_without_a_database_one_waits_and_ends_when_told_to(house, monkeypatch, name) -> None:
    monkeypatch.setitem(house.environment, "DATABASE_URL", f"postgresql://a:b@127.0.0.1:{free_port()}/c")
    process = start(house, PROCESSES[name])
    assert process.stdout is not None
    assert any("this process waits for it" in line for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in said, said


def test_every_one_runs_on_a_newer_schema(newer) -> None:
    started = [start(newer, arguments) for arguments in PROCESSES.values()]
    kinds = "SELECT array_agg(DISTINCT kind::text ORDER BY kind::text) FROM jobs_heartbeat"
    eventually(lambda: newer.one(kinds) == ["background-worker", "controller", "ingest", "schedule"], PATIENCE)
    eventually(lambda: answers(newer, "healthz") and answers(newer, "readyz"), PATIENCE)
    for process in started:
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
    for process in started:
        said, _ = process.communicate(timeout=60)
        assert "not applied" not in said


def answers(house: Stage, path: str) -> bool:
    import urllib.request
    from contextlib import suppress

    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{house.environment['PORT']}/{path}") as answer:
        return answer.status == 200
    return False


class TestCheck:
    def test_up_to_date(self, house) -> None:
        assert check(house) == (0, "The database is up to date.\n")

    def test_behind(self, older) -> None:
        assert check(older) == (1, f"Behind: 1 migration is not applied: {'.'.join(LAST)}.\n")

    def test_ahead(self, newer) -> None:
        code, said = check(newer)
        assert code == 3 and "newer than this program by 1 migration: conversations.9999_of" in said

    def test_unknown_without_a_database(self, house, monkeypatch) -> None:
        monkeypatch.setitem(house.environment, "DATABASE_URL", f"postgresql://a:b@127.0.0.1:{free_port()}/c")
        code, said = check(house)
        assert code == 2 and "PostgreSQL does not answer" in said


@contextmanager
def somebody_migrates(house: Stage) -> Iterator[psycopg.Connection]:
    with psycopg.connect(house.database, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [migrating.LOCK])
        session.execute("SET application_name = 'parley migrate 2/7 45% conversations.0031_big'")
        yield session


def test_the_second_of_two_waits_and_says_for_whom(older) -> None:
    older.write(UNDO)
    with somebody_migrates(older):
        process = start(older, ["manage.py", "migrate"])
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "this waits for its end: conversations.0031_big, 2 of 7, 45 % done" in line
        assert "In use: conversations.0031_big, 2 of 7, 45 % done." in check(older)[1]
        assert process.poll() is None
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and f"Applying {'.'.join(LAST)}... OK" in said
    assert check(older)[0] == 0


def test_a_second_one_that_will_not_wait_ends(house) -> None:
    with somebody_migrates(house):
        process = start(house, ["manage.py", "migrate", "--wait", "0"])
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The schema is in use: conversations.0031_big, 2 of 7, 45 % done. Nothing was done here" in said


def test_a_table_in_use_is_not_waited_for_with_everybody_behind(older) -> None:
    """Who reads meanwhile waits for seconds, and the migration is applied once the table is free."""
    older.write(UNDO)
    read = f"SELECT count(*) FROM {TABLE}"
    with psycopg.connect(older.database, autocommit=True) as holder, psycopg.connect(older.database) as reader:
        holder.execute(f"SET application_name = 'a long report'; BEGIN; {read}")
        process = start(older, ["manage.py", "migrate"])
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        eventually(lambda: holder.execute(waits).fetchone() == (1,), PATIENCE)
        began = time.monotonic()
        reader.execute(read)
        assert time.monotonic() - began < 60  # without a limit, for ever
        assert process.stdout is not None
        assert any("tried again in 10 s" in line and "of a long report" in line for line in process.stdout)
        reader.rollback()
        holder.execute("ROLLBACK")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and f"Applying {'.'.join(LAST)}... OK" in said
    assert check(older)[0] == 0


def test_a_killed_migration_lets_go_of_the_lock(house) -> None:
    with psycopg.connect(house.database, autocommit=True) as session:
        session.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        process = start(house, ["manage.py", "migrate"])
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid::bigint = %s"
        eventually(lambda: session.execute(held, [migrating.LOCK & 0xFFFFFFFF]).fetchone() == (1,), PATIENCE)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        session.execute("ROLLBACK")
    house.eventually(lambda: check(house)[1] == "The database is up to date.\n")
