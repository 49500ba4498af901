"""The application's own connection cannot alter, delete or empty what the audit log holds."""

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction

from studio.audit import ownership
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> AuditEvent:
    with transaction.atomic():
        return record(None, Action.TAG_SET, reason="because")


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def the_owner_again() -> None:
    with connection.schema_editor() as editor:
        ownership.open_for_change(None, editor)


def state() -> ownership.State:
    with connection.cursor() as cursor:
        return ownership.state(cursor)


def test_another_role_owns_the_table_and_nobody_signs_in_as_it() -> None:
    assert state() == ownership.State(f"{connection.settings_dict['NAME']}_audit", False, False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = %s", [state().owner])
        assert cursor.fetchone() == (False, False, False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET reason = 'x'",
        "DELETE FROM audit_auditevent",
        "TRUNCATE audit_auditevent",
        "ALTER TABLE audit_auditevent DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_append_only ON audit_auditevent",
        "ALTER TABLE audit_auditevent OWNER TO CURRENT_USER",
        "CREATE RULE quiet AS ON INSERT TO audit_auditevent DO INSTEAD NOTHING",
        "CREATE TRIGGER quiet BEFORE INSERT ON audit_auditevent FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
        "SELECT * FROM audit_auditevent FOR UPDATE",
        "INSERT INTO audit_auditevent SELECT * FROM audit_auditevent ON CONFLICT (id) DO UPDATE SET reason = 'x'",
    ],
)
def test_the_applications_connection_may_not(event, statement) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner|must be able to SET ROLE"):
        run(statement)
    event.refresh_from_db()
    assert event.reason == "because"


def test_it_may_not_act_as_the_owner() -> None:
    with pytest.raises(ProgrammingError, match="permission denied to set role"):
        run(f'SET ROLE "{state().owner}"')


@pytest.mark.parametrize("statement", ["UPDATE audit_auditevent SET id = id", "TRUNCATE audit_auditevent"])
def test_the_owner_itself_is_refused_by_the_triggers(event, statement) -> None:
    the_owner_again()
    with pytest.raises(DatabaseError, match="append-only"):
        run(statement)


def test_a_migration_takes_the_table_for_its_change_and_hands_it_over_again(event) -> None:
    closed = state()
    the_owner_again()
    run("ALTER TABLE audit_auditevent ADD COLUMN more text")
    assert state().may_alter
    with connection.schema_editor() as editor:
        ownership.hand_over(None, editor)
    assert state() == closed
    with transaction.atomic():
        record(None, Action.TAG_SET)


def test_the_script_for_administrators_does_the_same_without_joining_a_role() -> None:
    script = ownership.as_script("parley", "parley")
    assert script.splitlines()[0] == 'CREATE ROLE "parley_audit" NOLOGIN;'
    assert 'ALTER TABLE "audit_auditevent" OWNER TO "parley_audit";' in script
    assert script.endswith('GRANT SELECT, INSERT ON "audit_auditevent" TO "parley";')
