"""A database that older files made, and a new one: the same to the last index, trigger and grant."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from studio.embedded.postgres import APPLICATION
from tests.stack.stage import Stage, stage

pytestmark = pytest.mark.stack

FORMER = "former"
# What `manage.py migrate conversations 0014` was before there were squashed migrations.
HALFWAY = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
executor = MigrationExecutor(connection)
executor.loader = MigrationLoader(connection, replace_migrations=False)
executor.migrate([("conversations", "0014_moved_conversations")])
"""
SQUASHED = "starts_with(name, '0001_squashed_')"


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


def address(stage: Stage, database: str) -> str:
    return urlsplit(stage.database)._replace(path=f"/{database}").geturl()


@pytest.fixture(scope="module")
def former(new) -> Iterator[Stage]:
    """The stage, at a database that was left in the middle of the old files, and then brought up to date."""
    with psycopg.connect(new.database, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {FORMER}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new, "database", address(new, FORMER))
        patch.setitem(new.environment, "DATABASE_URL", new.database)
        new.manage("shell", "-v0", "-c", HALFWAY)
        assert recorded(new, SQUASHED) == set()
        new.manage("migrate", "-v0")
        yield new


def recorded(stage: Stage, condition: str = "true") -> set[tuple[str, str]]:
    with psycopg.connect(stage.database) as session:
        return set(session.execute(f"SELECT app, name FROM django_migrations WHERE {condition}").fetchall())


def schema(stage: Stage, database: str) -> list[list[str]]:
    """Every statement's lines; where a column stands in its table does not matter."""
    server = next(Path(word) for word in stage.postgres.args if word.endswith("/bin/postgres"))
    command = [server.with_name("pg_dump"), "--schema-only", "--dbname", address(stage, database)]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    dump = re.sub(r"^\\(un)?restrict .*\n", "", dump, flags=re.MULTILINE)  # a random word against smuggled commands
    statements = [one.splitlines() for one in dump.replace(f"{database}_audit", "the_audit_role").split("\n\n")]
    return [sorted(line.rstrip(",") for line in one) if is_table(one) else one for one in statements]


def is_table(statement: list[str]) -> bool:
    return any(line.startswith("CREATE TABLE ") for line in statement)


def test_one_that_stopped_halfway_goes_on_by_the_old_files_to_the_same_schema(former) -> None:
    assert schema(former, FORMER) == schema(former, APPLICATION)


def test_one_at_the_end_of_the_old_files_has_only_the_squashed_recorded(former) -> None:
    everything, squashed = recorded(former), recorded(former, SQUASHED)
    assert len(squashed) >= 5
    former.write(f"DELETE FROM django_migrations WHERE {SQUASHED}")
    before = schema(former, FORMER)
    former.manage("migrate", "--check")
    assert "No migrations to apply." in former.manage("migrate")
    assert recorded(former) == everything
    assert schema(former, FORMER) == before
