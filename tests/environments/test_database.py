"""Roles and schemas for Rasa's SQL event broker and tracker store, in the real PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from environments.models import Environment
from environments.services import database
from environments.services.database import SqlAccess
from environments.services.restored import make_roles
from studio.embedded.keys import encryption_key
from tests.factories import environment_of, make_assistant


def connect(access: SqlAccess) -> psycopg.Connection:
    return psycopg.connect(
        host=access.host,
        port=access.port,
        dbname=access.name,
        user=access.username,
        password=access.password,
        autocommit=True,
    )


@pytest.fixture
def environment(transactional_db: None) -> Iterator[Environment]:
    environment = environment_of(make_assistant())
    yield environment
    connection.close()
    for made in Environment.objects.exclude(database_key=""):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {database.events_role(made)}.events")
        database.drop_intake(made)


def test_rasa_can_add_events_and_learns_their_ids(environment: Environment) -> None:
    access = database.ensure_intake(environment)
    assert access is not None
    with connect(access) as session:
        row = session.execute("INSERT INTO events (sender_id, data) VALUES ('a', '{}') RETURNING id").fetchone()
    assert row == (1,)


def test_rasa_cannot_read_events_again(environment: Environment) -> None:
    access = database.ensure_intake(environment)
    assert access is not None
    with connect(access) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT data FROM events")


def test_we_take_the_events_away(environment: Environment) -> None:
    access = database.ensure_intake(environment)
    assert access is not None
    with connect(access) as session:
        session.execute("INSERT INTO events (sender_id, data) VALUES ('a', '{}')")
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {access.schema}.events RETURNING sender_id, data")
        assert cursor.fetchall() == [("a", "{}")]


def test_the_tracker_store_makes_its_own_tables_beside(environment: Environment) -> None:
    database.ensure_intake(environment)
    access = database.tracker_access(environment)
    assert access is not None
    with connect(access) as session:
        session.execute("CREATE SEQUENCE events_seq")
        session.execute("CREATE TABLE events (id integer PRIMARY KEY, type_name varchar(255))")
        session.execute("INSERT INTO events VALUES (nextval('events_seq'), 'user')")
        assert session.execute("SELECT count(*) FROM events").fetchone() == (1,)


@pytest.mark.parametrize("access_of", [database.events_access, database.tracker_access])
def test_neither_role_sees_our_tables_or_the_other_schema(environment: Environment, access_of) -> None:
    database.ensure_intake(environment)
    other = {database.events_role(environment), database.tracker_role(environment)} - {access_of(environment).schema}
    with connect(access_of(environment)) as session:
        for table in ("public.access_user", f"{other.pop()}.events"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
                session.execute(f"SELECT * FROM {table}")


def test_a_second_call_changes_nothing(environment: Environment) -> None:
    assert database.ensure_intake(environment) == database.ensure_intake(Environment.objects.get(pk=environment.pk))


def test_roles_that_a_restored_backup_lacks_are_made_again_with_their_password(environment: Environment) -> None:
    first = database.ensure_intake(environment)
    assert first is not None
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {first.schema} CASCADE")
        cursor.execute(f"DROP ROLE {first.username}")
    assert database.ensure_intake(environment) == first
    connect(first).close()


def test_passwords_that_no_key_opens_are_made_anew(environment: Environment, settings) -> None:
    first = database.ensure_intake(environment)
    assert first is not None
    settings.ENCRYPTION_KEYS = [encryption_key()]
    assert make_roles() == (1, [])
    again = database.events_access(Environment.objects.get(pk=environment.pk))
    assert again is not None
    assert again.username == first.username
    connect(again).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(first)


@pytest.mark.django_db
def test_an_environment_whose_roles_are_somebody_elses_is_named_and_stops_nothing() -> None:
    environment = environment_of(make_assistant())
    access = database.ensure_intake(environment)
    assert access is not None
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {access.schema} CASCADE")
        cursor.execute("CREATE ROLE parley_stranger CREATEROLE")
        cursor.execute("GRANT parley_stranger TO current_user")
        cursor.execute(f'GRANT CREATE ON DATABASE "{access.name}" TO parley_stranger')
        cursor.execute("GRANT SELECT, UPDATE ON environments_environment, models_app_assistant TO parley_stranger")
        cursor.execute("SET LOCAL ROLE parley_stranger")
        assert make_roles() == (0, [str(environment)])
        cursor.execute("RESET ROLE")


def test_two_environments_share_nothing(environment: Environment) -> None:
    other = environment_of(environment.assistant, "worker")
    first, second = database.ensure_intake(environment), database.ensure_intake(other)
    assert first is not None
    assert second is not None
    with connect(first) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(f"INSERT INTO {second.schema}.events (sender_id) VALUES ('a')")


def remove(environment: Environment, minutes: int) -> None:
    removed_at = timezone.now() - timedelta(minutes=minutes)
    Environment.objects.filter(pk=environment.pk).update(removed_at=removed_at)


def test_a_removed_environment_loses_its_roles_once_its_events_were_taken(environment: Environment) -> None:
    access = database.ensure_intake(environment)
    assert access is not None
    with connect(access) as session:
        session.execute("INSERT INTO events (sender_id, data) VALUES ('a', '{}')")
    remove(environment, minutes=11)
    database.drop_removed()
    assert database.is_made(environment)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {access.schema}.events")
    database.drop_removed()
    assert not database.is_made(environment)
    assert database.events_access(Environment.objects.get(pk=environment.pk)) is None


def test_the_rasa_of_an_environment_removed_just_now_may_still_write(environment: Environment) -> None:
    database.ensure_intake(environment)
    remove(environment, minutes=1)
    database.drop_removed()
    assert database.is_made(environment)


@pytest.mark.django_db
def test_without_the_right_to_make_roles_the_sql_for_the_administrator_is_given() -> None:
    environment = environment_of(make_assistant())
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE parley_modest")
        cursor.execute("GRANT parley_modest TO current_user")
        cursor.execute("GRANT SELECT, UPDATE ON environments_environment TO parley_modest")
        cursor.execute("SET LOCAL ROLE parley_modest")
        assert database.ensure_intake(environment) is None
        printed = database.sql_for_administrator(environment)
        cursor.execute("RESET ROLE")
        for statement in printed.splitlines():
            cursor.execute(statement)
        cursor.execute("SET LOCAL ROLE parley_modest")
        access = database.ensure_intake(environment)
        cursor.execute("RESET ROLE")
    assert access is not None
    assert access.password not in printed
    assert "SCRAM-SHA-256$" in printed


@pytest.mark.django_db
def test_a_rasa_on_this_machine_uses_tcp_although_we_use_the_socket(settings, monkeypatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/run/postgresql")
    monkeypatch.setitem(connection.settings_dict, "PORT", "5433")
    assert database.address() == ("127.0.0.1", 5433)


@pytest.mark.django_db
def test_the_address_for_rasa_servers_elsewhere_is_a_setting(settings) -> None:
    settings.INTAKE_DATABASE_HOST = "db.example.com"
    settings.INTAKE_DATABASE_PORT = 6432
    assert database.address() == ("db.example.com", 6432)
