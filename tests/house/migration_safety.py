"""What a migration may do while processes of the version before still run, and people use them.

Old code inserts rows without new columns and reads old ones; every statement that waits for a table makes all others
wait behind it. What cannot be read off an operation (SQL, Python) has to say for itself why it is safe, and so does what
is refused here: `beside_old_code = "why"` on the migration.

An operation that changes a field is read twice: what it says, and the SQL that Django makes of it, of which all is refused
that is not known to be quick. Django asks the database for the names of what it drops, and there are no such tables when a
test reads: what goes (a unique constraint, an index) is read off the fields alone.
"""

import re
from collections.abc import Callable, Iterator

from django.contrib.postgres import operations as postgres
from django.db import connection
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import CheckConstraint, Field, ForeignKey, GeneratedField, ManyToManyField, Value
from django.db.models.fields import NOT_PROVIDED
from django.db.models.functions import Now

from studio.squashing import CreateModels

MARKER = "beside_old_code"
CONCURRENTLY = "make it concurrently, in a file of its own with atomic = False"
Problems = Iterator[str]


def problems_of(migration: Migration, state: ProjectState) -> list[str]:
    """What is not safe in `migration`, which finds the tables of `state`; nothing when it says why it is."""
    found, made = list(_beside_indexes(migration)), set()
    for operation in migration.operations:
        after = state.clone()
        operation.state_forwards(migration.app_label, after)
        made |= _made_by(operation)
        found += _read(operation, migration.app_label, made, state, after)
        state = after
    reason = getattr(migration, MARKER, "")
    return [] if isinstance(reason, str) and len(reason.split()) > 2 else found


def _beside_indexes(migration: Migration) -> Problems:
    """Where no transaction is, no statement's wait for its table is limited (studio/migrating.py)."""
    for operation in migration.operations:
        if not migration.atomic and type(operation) not in _CONCURRENT:
            yield f"{operation.describe()}: with atomic = False it waits for ever, and all others behind it: {_ALONE}"


def _made_by(operation: Operation) -> set[str]:
    if isinstance(operation, CreateModels):
        return {model.name.lower() for model in operation.models}
    return {operation.name.lower()} if isinstance(operation, operations.CreateModel) else set()


def _read(operation: Operation, app: str, made: set[str], before: ProjectState, after: ProjectState) -> Problems:
    if getattr(operation, "model_name", "").lower() in made:
        return  # nobody has used that table yet
    for kind, read in _READERS.items():
        if type(operation) is kind:
            for problem in read(operation, app, before, after):
                yield f"{operation.describe()}: {problem}"
            return
    yield f"{operation.describe()}: this check does not know it"


def _safe(*_: object) -> Problems:
    return iter(())


def _refused(why: str) -> Callable[..., Problems]:
    return lambda *_: iter([why])


def _add_field(operation: operations.AddField, app: str, before: ProjectState, after: ProjectState) -> Problems:
    field: Field = operation.field
    if isinstance(field, ManyToManyField):
        return
    if isinstance(field, GeneratedField):
        yield "the whole table is written anew, and nobody can use it meanwhile"
        return
    if not field.null and field.db_default is NOT_PROVIDED:
        yield "old code inserts rows without it: give it null=True or a db_default"
    if hasattr(field.db_default, "resolve_expression") and not isinstance(field.db_default, Value | Now):
        yield "a db_default that is another for each row writes the whole table anew"
    if field.unique or field.db_index:
        what = "a foreign key has an index: db_index=False" if isinstance(field, ForeignKey) else "it has an index"
        yield f"{what}, and {CONCURRENTLY}"
    if any(" CHECK (" in statement for statement in _statements(operation, app, before, after)):
        yield f"its type checks every row while nobody can use the table: {_PLAIN_TYPE}"


def _alter_field(operation: operations.AlterField, app: str, before: ProjectState, after: ProjectState) -> Problems:
    old, new = (
        state.apps.get_model(app, operation.model_name)._meta.get_field(operation.name) for state in (before, after)
    )
    found = list(_altered(old, new))
    yield from found
    if not found:
        yield from _unknown(_statements(operation, app, before, after))


def _altered(old: Field, new: Field) -> Problems:
    if old.column != new.column:
        yield "old code reads the column under its old name"
    if not _holds_as_much(old, new):
        yield f"its type changes from {old.db_type(connection)} to {new.db_type(connection)}"
    if old.null and not new.null:
        yield "NOT NULL reads the whole table, and old code may insert NULL: add a check NOT VALID, validate it later"
    if old.db_default is not NOT_PROVIDED and new.db_default is NOT_PROVIDED:
        yield "old code relies on its db_default"
    if (new.unique and not old.unique) or (new.db_index and not old.db_index):
        yield f"an index is made: {CONCURRENTLY}"
    if old.unique and not new.unique:
        yield f"what is unique no longer is: {_UNIQUE}"
    elif old.db_index and not new.db_index:
        yield f"its index is dropped while nobody can use the table: {CONCURRENTLY}"


def _statements(operation: Operation, app: str, before: ProjectState, after: ProjectState) -> list[str]:
    """The SQL that Django makes of it; nothing runs."""
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        operation.database_forwards(app, editor, before, after)
    return [statement for statement in editor.collected_sql if not statement.startswith("--")]


def _unknown(statements: list[str]) -> Problems:
    for statement in statements:
        if " CHECK (" in statement:
            yield f"its type checks every row while nobody can use the table: {_PLAIN_TYPE}"
        elif " COLLATE " in statement:
            yield "another collation writes its indexes anew, and nobody can use the table meanwhile"
        elif not _QUICK.fullmatch(statement):
            yield f"this check does not know that it is quick: {statement}"


def _holds_as_much(old: Field, new: Field) -> bool:
    """The same type, or text that may be longer: that is noted, and no row is touched."""
    before, after = old.db_type(connection), new.db_type(connection)
    if before == after:
        return True
    is_text = before is not None and before.startswith("varchar") and after is not None
    longest = new.max_length if after != "text" else None
    return is_text and (after == "text" or (after.startswith("varchar") and (longest or 0) >= (old.max_length or 0)))


def _add_constraint(operation: operations.AddConstraint, *_: object) -> Problems:
    if isinstance(operation.constraint, CheckConstraint):
        yield "all rows are read while nobody can write: AddConstraintNotValid, and ValidateConstraint in a later file"
    else:
        yield f"its index is made while nobody can write: {CONCURRENTLY}"


def _remove_constraint(
    operation: operations.RemoveConstraint, app: str, before: ProjectState, _after: ProjectState
) -> Problems:
    """A check less refuses nobody."""
    model = before.models[app, operation.model_name.lower()]
    if not isinstance(model.get_constraint_by_name(operation.name), CheckConstraint):
        yield f"what is unique no longer is: {_UNIQUE}"


_UNIQUE = (
    "old code leans on it (ON CONFLICT, get_or_create): take that out of the code in one release, and this out of the "
    "database in the next"
)
_PLAIN_TYPE = "take the type without a check of its own, and AddConstraintNotValid"
_COLUMN = r'ALTER TABLE "\w+" ALTER COLUMN "\w+"'
_QUICK = re.compile(
    rf"{_COLUMN} (DROP NOT NULL|DROP DEFAULT|SET DEFAULT [^;]*|TYPE (varchar\(\d+\)|varchar|text)( USING \"\w+\"::\w+)?);"
    r"|COMMENT ON COLUMN [^;]*;"
)
_CONCURRENT = (postgres.AddIndexConcurrently, postgres.RemoveIndexConcurrently)
_ALONE = "let indexes be alone in their file"
_GONE = "old code still uses it: take it out of the code in one release, out of the database in the next"
_READERS: dict[type[Operation], Callable[..., Problems]] = {
    operations.CreateModel: _safe,
    CreateModels: _safe,
    operations.AddField: _add_field,
    operations.AlterField: _alter_field,
    operations.AddConstraint: _add_constraint,
    operations.AddIndex: _refused(f"nobody can write meanwhile: {CONCURRENTLY}"),
    operations.RemoveIndex: _refused(f"it waits for everybody, and everybody for it: {CONCURRENTLY}"),
    operations.RemoveField: _refused(_GONE),
    operations.DeleteModel: _refused(_GONE),
    operations.RenameField: _refused("old code reads the column under its old name"),
    operations.RenameModel: _refused("old code reads the table under its old name"),
    operations.AlterModelTable: _refused("old code reads the table under its old name"),
    operations.AlterUniqueTogether: _refused(f"its index is made while nobody can write: {CONCURRENTLY}"),
    operations.AlterIndexTogether: _refused(f"its index is made while nobody can write: {CONCURRENTLY}"),
    operations.AlterOrderWithRespectTo: _refused("it adds a column that old code does not fill"),
    operations.RunSQL: _refused("nobody can read off it whether it is safe"),
    operations.RunPython: _refused("nobody can read off it whether it is safe"),
    operations.SeparateDatabaseAndState: _refused("what is done is not what is said"),
    operations.AlterConstraint: _safe,  # messages alone
    operations.RemoveConstraint: _remove_constraint,
    operations.RenameIndex: _safe,
    operations.AlterModelOptions: _safe,
    operations.AlterModelManagers: _safe,
    operations.AlterModelTableComment: _safe,
    postgres.AddIndexConcurrently: _safe,
    postgres.RemoveIndexConcurrently: _safe,
    postgres.AddConstraintNotValid: _safe,
    postgres.ValidateConstraint: _safe,
}
