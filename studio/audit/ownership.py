"""Who owns the audit table: not the application, which may therefore only read it and add to it.

A role named `<database>_audit`, which cannot log in, owns the table. The application's role keeps SELECT and INSERT.
So even SQL that somebody smuggles in cannot change, delete or truncate an event; a trigger of the table says the same
to its owner. A migration that changes the table takes it back for its transaction: `open_for_change`, the change,
`hand_over`. What remains possible, and how to close that: docs/security.md.
"""

from dataclasses import dataclass

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from psycopg import sql

TABLE = "audit_auditevent"
_LONGEST = 63 - len("_audit")
_SPLIT_GRANTS = 160_000  # from PostgreSQL 16 on, belonging to a role, acting as it and inheriting from it are three


@dataclass(frozen=True, slots=True)
class State:
    """How well the table is closed to the role of a connection."""

    owner: str
    may_alter: bool  # UPDATE, DELETE or TRUNCATE
    is_superuser: bool


def owner_of(database: str) -> str:
    return f"{database[:_LONGEST]}_audit"


def state(cursor: CursorWrapper) -> State:
    cursor.execute(
        "SELECT pg_get_userbyid(c.relowner), has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE'), r.rolsuper"
        " FROM pg_class c, pg_roles r WHERE c.oid = %s::regclass AND r.rolname = current_user",
        [TABLE],
    )
    owner, may_alter, is_superuser = cursor.fetchone()
    return State(owner, may_alter, is_superuser)


def hand_over(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the table to its own role, which is made when missing; without CREATEROLE the trigger alone protects it."""
    with schema_editor.connection.cursor() as cursor:
        _run(cursor, handing_over(cursor))


def handing_over(cursor: CursorWrapper) -> list[sql.Composed]:
    """What gives the table of this database away, in this order; nothing where we may not."""
    cursor.execute(
        "SELECT current_user, current_database(), rolcreaterole AND NOT rolsuper FROM pg_roles"
        " WHERE rolname = current_user"
    )
    me, database, can = cursor.fetchone()
    owner = owner_of(database)
    made = _making_role(cursor, owner) if can else None
    return [] if made is None else [*made, *statements(me, owner, cursor.connection.info.server_version)]


def open_for_change(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the table back; nothing to do where it was never handed over."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (me,) = cursor.fetchone()
        owner = state(cursor).owner
        if owner == me:
            return
        version = cursor.connection.info.server_version
        _run(cursor, [_join(owner, me, version), _alter(me), sql.SQL("REVOKE {} FROM {}").format(*_names(owner, me))])


def statements(me: str, owner: str, version: int) -> list[sql.Composed]:
    """What makes `owner` the table's owner and leaves `me` SELECT and INSERT, in this order."""
    role, application = _names(owner, me)
    return [
        _join(owner, me, version),
        sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(role),  # who owns a table must be able to
        _alter(owner),
        sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(role),
        sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(sql.Identifier(TABLE), application),
        sql.SQL("GRANT SELECT, INSERT ON {} TO {}").format(sql.Identifier(TABLE), application),
        sql.SQL("REVOKE {} FROM {}").format(role, application),
    ]


def as_script(me: str, database: str) -> str:
    """The same for an administrator to run as superuser, who joins no role first."""
    owner = owner_of(database)
    made = sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(owner))
    lines = [made, *statements(me, owner, _SPLIT_GRANTS)[1:-1]]
    return "\n".join(f"{line.as_string(None)};" for line in lines)


def _making_role(cursor: CursorWrapper, owner: str) -> list[sql.Composed] | None:
    """Nothing to do where it is there; None when a role of that name is there and somebody else's."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.admin_option"
        " AND m.member = current_user::regrole)"
        " OR current_setting('server_version_num')::int < %s FROM pg_roles r WHERE r.rolname = %s",
        [_SPLIT_GRANTS, owner],
    )
    found = cursor.fetchone()
    if found is None:
        return [sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(owner))]
    return [] if found[0] else None


def _join(owner: str, me: str, version: int) -> sql.Composed:
    options = sql.SQL(" WITH INHERIT TRUE, SET TRUE") if version >= _SPLIT_GRANTS else sql.SQL("")
    return sql.SQL("GRANT {} TO {}{}").format(*_names(owner, me), options)


def _alter(owner: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(TABLE), sql.Identifier(owner))


def _names(*roles: str) -> list[sql.Identifier]:
    return [sql.Identifier(role) for role in roles]


def _run(cursor: CursorWrapper, lines: list[sql.Composed]) -> None:
    for line in lines:
        cursor.execute(line.as_string(cursor.connection))
