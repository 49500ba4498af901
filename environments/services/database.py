"""Rasa's own corner of our PostgreSQL: for each environment two roles with one schema each.

Rasa's SQL event broker and its SQL tracker store both call their table `events`, so they never share a schema, and the
role that can write events cannot read dialogues. We own both schemas; the roles only use them. That needs no membership
in them, which CREATEROLE gives differently before and after PostgreSQL 16.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString, cast

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from psycopg import sql

from environments.models import Environment
from studio.crypto import decrypt, encrypt, is_readable
from studio.rasa.files import Database

CONNECTIONS = 50  # of each role: every replica holds a few, and a broken one must not take them all
DEFAULT_PORT = 5432
NAMED = ["database_key", "events_password_encrypted", "tracker_password_encrypted"]
GRACE = timedelta(minutes=10)  # a removed environment's Rasa may still be writing


@dataclass(frozen=True)
class SqlAccess:
    """How a Rasa server reaches its schema; the role's search_path chooses it."""

    host: str
    port: int
    name: str
    username: str
    password: str
    schema: str

    def as_block(self) -> Database:
        """For studio.rasa.files, with the password in it."""
        return Database(self.host, self.port, self.name, self.username, self.password)


def ensure_intake(environment: Environment) -> SqlAccess | None:
    """Make what is missing of the environment's roles, schemas and table, and return the access of its event broker.

    None when we may not make roles here; `sql_for_administrator` then says what has to be run.
    """
    with transaction.atomic():
        row = Environment.objects.select_for_update().get(pk=environment.pk)
        _name_once(row)
        ready = is_made(row) or _make(row)
    environment.refresh_from_db(fields=NAMED)
    return events_access(environment) if ready else None


def renew_intake(environment: Environment) -> SqlAccess | None:
    """`ensure_intake` where no key opens the passwords any more: the roles keep their names, and get new ones.

    They are committed first, so that the SQL for an administrator has them when we may not give them to the roles.
    """
    with transaction.atomic():
        row = Environment.objects.select_for_update().get(pk=environment.pk)
        _give_passwords(row)
    environment.refresh_from_db(fields=NAMED)
    with transaction.atomic():
        return events_access(environment) if _make(environment) else None


def has_lost_passwords(environment: Environment) -> bool:
    """Whether it has passwords that no key of this installation opens."""
    return not (
        is_readable(environment.events_password_encrypted) and is_readable(environment.tracker_password_encrypted)
    )


def events_access(environment: Environment) -> SqlAccess | None:
    """For Rasa's SQL event broker; None while `ensure_intake` was never called for this environment."""
    if not environment.database_key:
        return None
    return _access(events_role(environment), decrypt(environment.events_password_encrypted))


def tracker_access(environment: Environment) -> SqlAccess | None:
    """For Rasa's SQL tracker store; None while `ensure_intake` was never called for this environment."""
    if not environment.database_key:
        return None
    return _access(tracker_role(environment), decrypt(environment.tracker_password_encrypted))


def events_role(environment: Environment) -> str:
    """Name of the role and of its schema, whose table `events` ingestion empties."""
    return f"parley_events_{environment.database_key}"


def tracker_role(environment: Environment) -> str:
    return f"parley_tracker_{environment.database_key}"


def is_made(environment: Environment) -> bool:
    """Whether both roles, both schemas and the table are there, by whomever they were made."""
    if not environment.database_key:
        return False
    names = [events_role(environment), tracker_role(environment)]
    return bool(
        _asked(
            "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)) = 2"
            " AND (SELECT count(*) FROM pg_namespace WHERE nspname = ANY(%s)) = 2"
            " AND EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'events')",
            names,
            names,
            names[0],
        )
    )


def sql_for_administrator(environment: Environment) -> str:
    """What a database administrator has to run in our database; holds digests of the passwords, not the passwords."""
    if not environment.database_key:
        ensure_intake(environment)
    session = _session()
    return "\n".join(f"{statement.as_string(session)};" for statement in _statements(environment))


def missing_roles(environment: Environment) -> str:
    """The SQL of `sql_for_administrator` once the roles were needed and could not be made; else nothing."""
    if not environment.database_key or is_made(environment):
        return ""
    return sql_for_administrator(environment)


def drop_removed() -> None:
    """Take down what removed environments had, once ingestion took their last events. Runs by the schedule."""
    before = timezone.now() - GRACE
    removed = Q(removed_at__lt=before) | Q(assistant__deleted_at__lt=before)
    for environment in Environment.objects.exclude(database_key="").filter(removed):
        drop_intake(environment)


def drop_intake(environment: Environment) -> bool:
    """Drop the roles and schemas; False, and nothing is dropped, while events wait in the table."""
    with transaction.atomic():
        row = Environment.objects.select_for_update().get(pk=environment.pk)
        if not row.database_key or (is_made(row) and not _drop(row)):
            return False
        Environment.objects.filter(pk=row.pk).update(
            database_key="", events_password_encrypted=b"", tracker_password_encrypted=b""
        )
    return True


def _drop(environment: Environment) -> bool:
    """The lock keeps a Rasa that still runs from adding a row between the look and the drop."""
    table = sql.Identifier(events_role(environment), "events")
    if not _may_make():
        return False
    session = _session()
    session.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
    if session.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table)).fetchone() is not None:
        return False
    _execute(_undo(environment))
    return True


def _undo(environment: Environment) -> Iterator[sql.Composed]:
    database = sql.Identifier(connection.settings_dict["NAME"])
    for role in (sql.Identifier(events_role(environment)), sql.Identifier(tracker_role(environment))):
        yield sql.SQL("DROP SCHEMA {} CASCADE").format(role)
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, role)
        yield sql.SQL("DROP ROLE {}").format(role)


def _name_once(environment: Environment) -> None:
    if environment.database_key:
        return
    environment.database_key = secrets.token_hex(6)  # in a role's name: letters and digits only
    _give_passwords(environment)


def _give_passwords(environment: Environment) -> None:
    environment.events_password_encrypted = encrypt(secrets.token_urlsafe(24))
    environment.tracker_password_encrypted = encrypt(secrets.token_urlsafe(24))
    environment.save(update_fields=NAMED)


def _access(role: str, password: str) -> SqlAccess:
    host, port = address()
    return SqlAccess(host, port, connection.settings_dict["NAME"], role, password, role)


def address() -> tuple[str, int]:
    """Host and port at which Rasa servers reach our PostgreSQL.

    Ours may be the folder of a unix socket; the same server listens on 127.0.0.1, which a Rasa on this machine uses.
    """
    ours = connection.settings_dict
    host = settings.INTAKE_DATABASE_HOST or ours["HOST"] or "127.0.0.1"
    port = settings.INTAKE_DATABASE_PORT or int(ours["PORT"] or DEFAULT_PORT)
    return ("127.0.0.1" if host.startswith("/") else host), port


def _make(environment: Environment) -> bool:
    """False when we may not make roles here."""
    if not _may_make():
        return False
    _execute(_statements(environment))
    return True


def _may_make() -> bool:
    return bool(
        _asked(
            "SELECT (rolcreaterole OR rolsuper) AND has_database_privilege(current_database(), 'CREATE')"
            " FROM pg_roles WHERE rolname = current_user"
        )
    )


def _statements(environment: Environment) -> Iterator[sql.Composed]:
    """Everything to make, in order. What a former run or an administrator made already is left out."""
    yield from _role_and_schema(events_role(environment), decrypt(environment.events_password_encrypted))
    yield from _role_and_schema(tracker_role(environment), decrypt(environment.tracker_password_encrypted))
    events, tracker = sql.Identifier(events_role(environment)), sql.Identifier(tracker_role(environment))
    table = sql.Identifier(events_role(environment), "events")
    yield sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {schema}").format(schema=events)
    yield sql.SQL(
        "CREATE TABLE IF NOT EXISTS {} (id bigint GENERATED BY DEFAULT AS IDENTITY, sender_id text, data text)"
    ).format(table)
    yield sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, _ourselves())
    # Rasa asks for the id of what it inserted, and may read nothing else.
    yield sql.SQL("GRANT INSERT, SELECT (id) ON {} TO {}").format(table, events)
    yield sql.SQL("GRANT USAGE, CREATE ON SCHEMA {schema} TO {schema}").format(schema=tracker)


def _role_and_schema(name: str, password: str) -> Iterator[sql.Composed]:
    role = sql.Identifier(name)
    # Only the digest goes over the wire: a statement that fails is written to the server's log.
    digest = sql.Literal(_password_digest(name, password))
    if _has_role(name):  # with a password that may be of lost keys
        yield sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, digest)
    else:
        limit = sql.Literal(CONNECTIONS)
        yield sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}").format(role, limit, digest)
    yield sql.SQL("ALTER ROLE {} SET search_path = {}").format(role, role)
    if not _everybody_may_connect():
        yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            sql.Identifier(connection.settings_dict["NAME"]), role
        )
    yield sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(role, _ourselves())


def _ourselves() -> sql.Identifier:
    return sql.Identifier(str(_asked("SELECT current_user")))


def _has_role(name: str) -> bool:
    return bool(_asked("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", name))


def _everybody_may_connect() -> bool:
    return bool(_asked("SELECT has_database_privilege('public', current_database(), 'CONNECT')"))


def _asked(query: LiteralString, *parameters: object) -> object:
    row = _session().execute(query, parameters).fetchone()
    return row[0] if row else None


def _password_digest(role: str, password: str) -> str:
    return _session().pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()


def _execute(statements: Iterator[sql.Composed]) -> None:
    session = _session()
    for statement in statements:
        session.execute(statement)


def _session() -> psycopg.Connection[tuple[object, ...]]:
    """psycopg's own connection, in Django's transaction: Django's cursor takes no composed statements."""
    connection.ensure_connection()
    return cast(psycopg.Connection[tuple[object, ...]], connection.connection)
