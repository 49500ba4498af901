"""Migrations newer than a baseline run beside old code: docs/operations.md, CONTRIBUTING.md."""

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, RemoveIndexConcurrently
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Q
from django.db.models.functions import Now, Random

from tests.house.migration_safety import problems_of

pytestmark = pytest.mark.django_db  # the SQL of an operation is asked for; none of it runs

# The last file of each app when the check came; what came before has run everywhere.
BASELINE = {
    "access": "0006_answers_kept_for_requests_that_come_again",
    "audit": "0003_owned_by_another_role",
    "conversations": "0030_limits_of_runs",
    "environments": "0006_cut_logs_of_slots",
    "jobs": "0001_initial",
    "models_app": "0007_tests_of_models",
    "rasa": "0002_versions_side_by_side",
}
FILES = MigrationLoader(None, replace_migrations=False)
FOREIGN = {"auth", "contenttypes", "sessions", "admin"}
OURS = {(app, name) for app, name in FILES.disk_migrations if app not in FOREIGN}
NEWER = sorted((app, name) for app, name in OURS if name > BASELINE.get(app, "") and "_squashed_" not in name)


def test_newer_files_run_beside_old_code() -> None:
    found = {".".join(key): problems_in(key) for key in NEWER}
    wrong = [f"{name}: {problem}" for name, problems in found.items() for problem in problems]
    assert not wrong, "Change it, or say on the migration why it is safe (beside_old_code = …):\n" + "\n".join(wrong)


def problems_in(key: tuple[str, str]) -> list[str]:
    """Of a file of ours, with the tables that it finds."""
    parents = [parent.key for parent in FILES.graph.node_map[key].parents]
    return problems_of(FILES.disk_migrations[key], FILES.project_state(parents) if parents else ProjectState())


def test_the_baseline_names_files_that_are_there() -> None:
    assert set(BASELINE.items()) <= set(FILES.disk_migrations)


def test_every_app_with_migrations_is_looked_at() -> None:
    assert {app for app, _name in OURS} == set(BASELINE)


ROOM = {"on_delete": models.CASCADE, "to": "inn.room", "null": True}


def guest(**fields: models.Field) -> ProjectState:
    """A table that is there already, of an app `inn`."""
    state = ProjectState()
    everything = {
        "id": models.BigAutoField(primary_key=True),
        "name": models.CharField(max_length=10),
        "age": models.IntegerField(),
        "number": models.IntegerField(unique=True),
        "floor": models.IntegerField(db_index=True),
        "room": models.ForeignKey(db_index=False, db_constraint=False, **ROOM),
    }
    rules = [
        models.UniqueConstraint(fields=["name"], name="guest_one_name"),
        models.CheckConstraint(condition=Q(age__gte=18), name="guest_is_old"),
    ]
    operations.CreateModel("Room", [("id", models.BigAutoField(primary_key=True))]).state_forwards("inn", state)
    fields = everything | fields
    operations.CreateModel("Guest", list(fields.items()), {"constraints": rules}).state_forwards("inn", state)
    return state


def problems(
    *wanted: operations.base.Operation, reason: str = "", kind: type[Migration] = Migration, **fields: models.Field
) -> str:
    migration = kind("0002_next", "inn")
    migration.operations = list(wanted)
    if reason:
        migration.beside_old_code = reason
    return "\n".join(problems_of(migration, guest(**fields)))


def add(field: models.Field) -> operations.AddField:
    return operations.AddField("guest", "new", field)


def alter(field: models.Field, name: str = "name") -> operations.AlterField:
    return operations.AlterField("guest", name, field)


INDEX = models.Index(fields=["name"], name="guest_name")
IS_NAMED = models.CheckConstraint(condition=~Q(name=""), name="guest_is_named")

REFUSED = {
    "a column is dropped": (operations.RemoveField("guest", "name"), "old code still uses it"),
    "a table is dropped": (operations.DeleteModel("guest"), "old code still uses it"),
    "a column is renamed": (operations.RenameField("guest", "name", "title"), "old name"),
    "a table is renamed": (operations.RenameModel("Guest", "Visitor"), "old name"),
    "a column without a default": (add(models.CharField(max_length=9)), "old code inserts rows without it"),
    "a default of Python's alone": (add(models.IntegerField(default=0)), "give it null=True or a db_default"),
    "a default of its own for each row": (add(models.FloatField(db_default=Random())), "writes the whole table anew"),
    "a column with an index": (add(models.IntegerField(null=True, db_index=True)), "concurrently"),
    "a foreign key with its index": (add(models.ForeignKey(**ROOM)), "db_index=False"),
    "another type": (alter(models.IntegerField()), "its type changes from varchar(10) to integer"),
    "less room": (alter(models.CharField(max_length=5)), "its type changes from varchar(10) to varchar(5)"),
    "another column": (alter(models.CharField(max_length=10, db_column="title")), "old name"),
    "a unique column": (alter(models.CharField(max_length=10, unique=True)), "an index is made"),
    "an index": (operations.AddIndex("guest", INDEX), "concurrently"),
    "a check": (operations.AddConstraint("guest", IS_NAMED), "AddConstraintNotValid"),
    "a type with a check": (alter(models.PositiveIntegerField(), "age"), "checks every row"),
    "a column of a type with a check": (add(models.PositiveIntegerField(null=True)), "checks every row"),
    "another collation": (alter(models.CharField(max_length=10, db_collation="C")), "another collation"),
    "a key that is compared from now on": (
        alter(models.ForeignKey(db_index=False, **ROOM), "room"),
        'does not know that it is quick: ALTER TABLE "inn_guest" ADD CONSTRAINT',
    ),
    "a column that is unique no longer": (alter(models.IntegerField(), "number"), "ON CONFLICT"),
    "an index of a column less": (alter(models.IntegerField(), "floor"), "its index is dropped"),
    "a unique constraint less": (operations.RemoveConstraint("guest", "guest_one_name"), "ON CONFLICT"),
    "SQL": (operations.RunSQL("SELECT 1"), "nobody can read off it"),
    "Python": (operations.RunPython(operations.RunPython.noop), "nobody can read off it"),
}
ALLOWED = {
    "a column that may be empty": add(models.IntegerField(null=True)),
    "a default of the database": add(models.IntegerField(db_default=0)),
    "the time as default": add(models.DateTimeField(db_default=Now())),
    "a foreign key without an index": add(models.ForeignKey(db_index=False, **ROOM)),
    "more room": alter(models.CharField(max_length=20)),
    "any room": alter(models.TextField()),
    "a column that may be empty now": alter(models.CharField(max_length=10, null=True)),
    "an index made concurrently": AddIndexConcurrently("guest", INDEX),
    "a check for new rows": AddConstraintNotValid("guest", IS_NAMED),
    "a check less": operations.RemoveConstraint("guest", "guest_is_old"),
    "another default": alter(models.IntegerField(db_default=1), "age"),
    "other words about it": alter(models.CharField(max_length=10, db_comment="as they sign")),
    "a new table": operations.CreateModel("Key", [("id", models.BigAutoField(primary_key=True))]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name) -> None:
    operation, why = REFUSED[name]
    assert why in problems(operation)


def test_not_null_is_refused() -> None:
    assert "NOT NULL reads the whole table" in problems(
        alter(models.IntegerField(), "age"), age=models.IntegerField(null=True)
    )


def test_taking_a_default_away_is_refused() -> None:
    taken = alter(models.IntegerField(), "age")
    assert "relies on its db_default" in problems(taken, age=models.IntegerField(db_default=0))


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(name) -> None:
    assert problems(ALLOWED[name]) == ""


def test_all_is_allowed_on_a_table_of_the_same_file() -> None:
    made = operations.CreateModel("Key", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())])
    assert problems(made, operations.AddIndex("key", models.Index(fields=["name"], name="key_name"))) == ""


NOT_ATOMIC = type("Migration", (Migration,), {"atomic": False})


def test_what_waits_without_a_limit_is_an_index_alone() -> None:
    """Django's own default is a transaction, in which studio/migrating.py limits each statement."""
    index = AddIndexConcurrently("guest", INDEX)
    assert problems(index, RemoveIndexConcurrently("guest", "guest_name"), kind=NOT_ATOMIC) == ""
    beside = problems(index, ALLOWED["a column that may be empty"], kind=NOT_ATOMIC)
    assert "Add field new to guest: with atomic = False it waits for ever" in beside and beside.count("\n") == 0
    dropped = operations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS guest_name")
    assert problems(dropped, index, kind=NOT_ATOMIC, reason="what a killed build left is dropped") == ""


@pytest.mark.parametrize("name", [name for name in ALLOWED if name != "an index made concurrently"])
def test_nothing_else_is_allowed_beside_it(name) -> None:
    assert "with atomic = False it waits for ever" in problems(ALLOWED[name], kind=NOT_ATOMIC)


def test_a_reason_is_a_sentence() -> None:
    dropped = operations.RemoveField("guest", "name")
    assert problems(dropped, reason="no code has read it since 0.1") == ""
    assert problems(dropped, reason="safe") != ""


def test_files_before_the_baseline_are_not_all_safe() -> None:
    """The check finds something in real files: it is not blind."""
    assert problems_in(("models_app", "0002_kinds_and_settings_of_trainings"))
