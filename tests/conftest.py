"""The ground of every test: real PostgreSQL and Redis, then Django.

DJANGO_SETTINGS_MODULE is set here and not in pyproject.toml: pytest-django would read the settings before any
conftest could start the servers that they name.
"""

import gc
import os
import sys
from collections import deque
from collections.abc import Iterator
from datetime import timedelta

import django
import pytest
import redis
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection

from studio.audit import ownership
from studio.jobs import silence
from tests.kubernetes_fixtures import cluster
from tests.services import Services, use_redis_database

__all__ = ["cluster"]
pytest_plugins = ["tests.suites"]
FEW = 8  # more than any test has environments that must differ
SUITES = ("rasa", "browser", "stack", "faults", "addresses")


def pytest_configure(config: pytest.Config) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        use_redis_database(1 + int(worker.removeprefix("gw")))
    else:
        services = Services()
        config.add_cleanup(services.stop)
        services.start()
    os.environ.setdefault("PARLEY_LOG_LEVEL", "WARNING")
    os.environ["PARLEY_METRICS_DIR"] = f"{os.environ['PARLEY_DATA']}/metrics-{worker or 'alone'}"
    os.environ["DJANGO_SETTINGS_MODULE"] = "studio.settings"
    django.setup()
    serve_static_files_from_their_source()
    hash_passwords_cheaply()
    share_a_few_key_pairs()
    # Parallel test processes inherit the environment, and must not read the settings before they got here either.
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The Makefile reads for a suite the files alone in which its mark stands, so it has to stand there."""
    marks = {(item.path, mark.name) for item in items for mark in item.iter_markers() if mark.name in SUITES}
    missed = [f"{path}: {name}" for path, name in sorted(marks) if f"mark.{name}" not in path.read_text()]
    if missed:
        complaint = f"Write pytest.mark.<name> in these files themselves: {missed}"
        print(complaint, file=sys.__stderr__)  # of one of several parallel processes nothing else is heard
        raise pytest.UsageError(complaint)


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: nobody needs to look through them for garbage again and again."""
    gc.collect()
    gc.freeze()


def serve_static_files_from_their_source() -> None:
    """Tests collect no static files, so there is no manifest of them either."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"


def hash_passwords_cheaply() -> None:
    """Of hundreds of passwords that tests try. What is started as a program hashes as dearly as everywhere."""
    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 64, 1


def share_a_few_key_pairs() -> None:
    """Each environment has one of its own, and each of thousands of tests has environments."""
    # Apps are there only now.
    from environments.services import birth, trying
    from studio.rasa.signing import KeyPair, generate_key_pair

    made: deque[KeyPair] = deque()

    def next_pair() -> KeyPair:
        made.appendleft(made.pop() if len(made) == FEW else generate_key_pair())
        return made[0]

    birth.generate_key_pair = trying.generate_key_pair = next_pair


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    """An empty Redis database of this test process's own; REDIS_URL names it."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        client.flushdb()
        yield client
        client.flushdb()


# The application cannot empty the audit log; a test joins its owner for as long as that takes.
_EMPTY_AUDIT_LOG = """
DO $$ BEGIN IF EXISTS (SELECT FROM {table}) THEN
  GRANT {owner} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;
  ALTER TABLE {table} DISABLE TRIGGER USER;
  TRUNCATE {table};
  ALTER TABLE {table} ENABLE TRIGGER USER;
  REVOKE {owner} FROM CURRENT_USER;
END IF; END $$
"""


@pytest.fixture(scope="session", autouse=True)
def flushing_empties_the_audit_log() -> Iterator[None]:
    """Transactional tests empty every table at their end: the next test begins without their events."""
    with pytest.MonkeyPatch.context() as patch:
        operations = type(connection.ops)
        flush = operations.sql_flush

        def sql_flush(self, style, tables, **options):
            others = flush(self, style, [table for table in tables if table != ownership.TABLE], **options)
            owner = ownership.owner_of(self.connection.settings_dict["NAME"])
            return [*others, _EMPTY_AUDIT_LOG.format(table=ownership.TABLE, owner=f'"{owner}"')]

        patch.setattr(operations, "sql_flush", sql_flush)
        yield


@pytest.fixture
def long_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reaper judges nobody while its connection is young, as that of a test is."""
    monkeypatch.setattr(silence, "connected_for", lambda: timedelta(hours=1))
