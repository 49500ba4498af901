"""A squashed migration makes what those that it replaces make, and is done wherever they are."""

import pytest
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tests.stack.test_schema import LAST

FILES = MigrationLoader(None, replace_migrations=False)
SQUASHED = sorted(FILES.replacements)


@pytest.mark.parametrize("key", SQUASHED, ids=lambda key: key[0])
def test_models_are_those_of_the_replaced(key) -> None:
    """What no model says, as triggers, is compared by tests/stack/test_squashed_migrations.py."""
    former = FILES.project_state(FILES.replacements[key].replaces[-1])
    changes = MigrationAutodetector(former, FILES.project_state(key)).changes(FILES.graph)
    assert [one.operations for one in changes.get(key[0], [])] == []


@pytest.mark.parametrize("key", SQUASHED, ids=lambda key: key[0])
def test_nothing_before_the_last_is_left_out(key) -> None:
    label, name = key
    last = FILES.replacements[key].replaces[-1][1]
    assert name == f"0001_squashed_{last}"
    before = {(label, one) for app, one in FILES.disk_migrations if app == label and one <= last and (app, one) != key}
    assert set(FILES.replacements[key].replaces) == before


def test_the_stack_takes_the_last_one_back() -> None:
    """tests/stack/test_schema.py undoes it by hand: LAST, TABLE and UNDO there are of the newest."""
    assert LAST in FILES.graph.leaf_nodes("conversations")


def applied():
    return MigrationRecorder(connection).migration_qs


def database(client) -> dict[str, str]:
    return client.get("/readyz").json()["parts"]["database"]


def test_a_database_of_the_replaced_is_ready(client, db) -> None:
    for label, name in SQUASHED:
        applied().filter(app=label, name=name).delete()
    assert database(client) == {"status": "ok"}


def test_one_that_stopped_among_them_has_the_rest_to_do(client, db) -> None:
    squashed = applied().filter(app="conversations", name__startswith="0001_squashed")
    rest = applied().filter(app="conversations", name__gt="0015")
    left = rest.count()
    assert left > 10
    squashed.delete()
    rest.delete()
    assert database(client)["message"].startswith(f"{left} migrations are not applied")
