"""Events leave the table that Rasa writes to exactly when they are stored, whoever and how many look for them."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from conversations.ingest import sql_source, write
from conversations.ingest.loop import TablesLoop
from conversations.ingest.readable_share import InvalidShare, TooManyInvalid
from conversations.ingest.sql_source import Intake, intakes
from conversations.ingest.sql_source import move_batch as move_batch_of
from conversations.ingest.write import Stored
from conversations.models import Conversation, DeadLetter, Event, IntakeSource
from conversations.services.intake_health import ingest_part
from environments.services.database import SqlAccess, drop_intake, ensure_intake
from studio.jobs.heartbeat import beat
from tests.conversations.events import raw, small_talk, user
from tests.factories import environment_of, make_assistant


@pytest.fixture
def access(transactional_db: None) -> Iterator[SqlAccess]:
    """The events table of an environment, as Rasa is given it; its roles outlive no test."""
    environment = environment_of(make_assistant())
    made = ensure_intake(environment)
    assert made is not None
    yield made
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {made.schema}.events")
    assert drop_intake(environment)


@pytest.fixture
def intake(access: SqlAccess) -> Intake:
    return intakes()[0]


def publish(access: SqlAccess, *records: bytes) -> None:
    """Write as Rasa's broker does: with its own role, one commit for each event."""
    with psycopg.connect(
        host=access.host,
        port=access.port,
        dbname=access.name,
        user=access.username,
        password=access.password,
        autocommit=True,
    ) as session:
        for record in records:
            session.execute("INSERT INTO events (sender_id, data) VALUES ('anna', %s) RETURNING id", [record.decode()])


def move_batch(intake: Intake, **options: int) -> Stored:
    return move_batch_of(intake, InvalidShare(), **options)


def waiting(access: SqlAccess) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {access.schema}.events")
        return cursor.fetchone()[0]


def test_what_rasa_wrote_becomes_a_conversation_and_leaves_its_table(access: SqlAccess, intake: Intake):
    publish(access, *raw(*small_talk()))
    assert move_batch(intake) == Stored(added=8)
    assert waiting(access) == 0
    assert Conversation.objects.get().events_count == 8


def test_an_empty_table_is_nothing_to_do(intake: Intake):
    assert move_batch(intake) == Stored()


def test_what_could_not_be_stored_is_still_in_the_table(
    access: SqlAccess, intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    publish(access, *raw(*small_talk()))

    def fail(*_: object) -> None:
        raise OSError("killed here")

    monkeypatch.setattr(write, "_note_source", fail)
    with pytest.raises(OSError):
        move_batch(intake)
    assert waiting(access) == 8
    assert not Event.objects.exists()


def test_rows_that_another_process_holds_are_passed_over(access: SqlAccess, intake: Intake):
    publish(access, *raw(*small_talk()))
    with psycopg.connect(dsn()) as other:
        other.execute(f"SELECT ctid FROM {access.schema}.events LIMIT 3 FOR UPDATE")
        assert move_batch(intake) == Stored(added=5)
    assert move_batch(intake) == Stored(added=3)


def dsn() -> str:
    settings = connection.settings_dict
    facts = {"host": settings["HOST"], "port": settings["PORT"], "user": settings["USER"]}
    return psycopg.conninfo.make_conninfo(
        dbname=settings["NAME"], password=settings["PASSWORD"], **{k: v for k, v in facts.items() if v}
    )


def test_two_processes_at_once_have_the_effect_of_one(access: SqlAccess, intake: Intake):
    events = [user(f"message {n}", float(n), sender=f"sender {n % 7}") for n in range(600)]
    publish(access, *raw(*events, *events[:200]))
    totals: list[Stored] = []
    threads = [threading.Thread(target=lambda: totals.append(move_all(intake))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(totals, Stored()) == Stored(added=600, known=200)
    assert waiting(access) == 0
    assert sum(Conversation.objects.values_list("user_count", flat=True)) == Event.objects.count() == 600


def move_all(intake: Intake) -> Stored:
    total = Stored()
    try:
        while (moved := move_batch(intake, limit=37)) != Stored():
            total += moved
    finally:
        connection.close()
    return total


def test_unreadable_rows_go_to_the_dead_letters(access: SqlAccess, intake: Intake):
    publish(access, b"{", *raw(user("hi", 1.0)))
    assert move_batch(intake) == Stored(added=1, dead=1)
    assert bytes(DeadLetter.objects.get().record) == b"{"


def test_nothing_is_taken_when_too_many_of_the_last_are_unreadable(access: SqlAccess, intake: Intake, settings):
    settings.INTAKE_INVALID_SHARE = 1  # percent of a thousand
    publish(access, *[b"{"] * 11)
    with pytest.raises(TooManyInvalid):
        move_batch(intake)
    assert waiting(access) == 11
    assert not DeadLetter.objects.exists()


def test_a_table_with_too_many_unreadable_rows_is_an_alarm_and_left_alone(access: SqlAccess, settings):
    settings.INTAKE_INVALID_SHARE = 1
    publish(access, *[b"{"] * 11)
    with pytest.raises(CommandError, match="could not be read"):
        call_command("ingest", "--once")
    assert "could not be read" in IntakeSource.objects.get().alarm
    assert intakes() == []
    assert waiting(access) == 11


def test_once_a_person_said_so_unreadable_rows_become_dead_letters(access: SqlAccess, intake: Intake, settings):
    settings.INTAKE_INVALID_SHARE = 1
    publish(access, *[b"{"] * 11)
    IntakeSource.objects.update(accepts_invalid=True)
    assert move_batch(intakes()[0]) == Stored(dead=11)
    assert DeadLetter.objects.count() == 11


def test_the_running_process_stores_what_arrives_soon_and_stops(access: SqlAccess):
    stop = threading.Event()
    thread = threading.Thread(target=run_ingest, args=[stop])
    thread.start()
    publish(access, *raw(*small_talk()))
    try:
        assert eventually(lambda: Event.objects.count() == 8, seconds=30)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    state = IntakeSource.objects.get()
    assert (state.events_total, state.last_error) == (8, "")
    assert state.last_event_at is not None and state.heartbeat_at is not None


def run_ingest(stop: threading.Event) -> None:
    try:
        TablesLoop(stop).run()
    finally:
        connection.close()


def eventually(condition, seconds: float) -> bool:
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        pause.wait(0.05)
    return False


def test_an_environment_whose_table_is_missing_does_not_keep_the_others_waiting(access: SqlAccess):
    broken = environment_of(make_assistant())
    broken.database_key = "missing"
    broken.save(update_fields=["database_key"])
    publish(access, *raw(*small_talk()))
    stop = threading.Event()
    thread = threading.Thread(target=run_ingest, args=[stop])
    thread.start()
    try:
        assert eventually(lambda: Event.objects.count() == 8, seconds=30)
        assert eventually(
            lambda: IntakeSource.objects.filter(last_error__contains="does not exist").exists(), seconds=30
        )
    finally:
        stop.set()
        thread.join(60)
    assert IntakeSource.objects.exclude(last_error="").get().environment == broken


def test_a_batch_is_cut_by_its_size(access: SqlAccess, intake: Intake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sql_source, "BATCH_BYTES", 1)
    publish(access, *raw(*small_talk()))
    assert move_batch(intake) == Stored(added=1)
    assert waiting(access) == 7


def test_a_database_that_goes_away_in_the_middle_of_a_copy_is_waited_for(
    access: SqlAccess, monkeypatch: pytest.MonkeyPatch
):
    """psycopg's own errors come out of COPY, and would end the process."""
    publish(access, *raw(*small_talk()))
    ended = iter([True])
    row = write._row

    def row_of_a_session_that_ends(*arguments: object) -> tuple[object, ...]:
        if next(ended, False):
            end_session(connection.connection.info.backend_pid)
        return row(*arguments)

    monkeypatch.setattr(write, "_row", row_of_a_session_that_ends)
    stop = threading.Event()
    thread = threading.Thread(target=run_ingest, args=[stop])
    thread.start()
    try:
        assert eventually(lambda: Event.objects.count() == 8, seconds=10)
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(60)


def end_session(pid: int) -> None:
    ours = connection.settings_dict
    keys = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    with psycopg.connect(**{key: ours[name] or None for key, name in keys.items()}, autocommit=True) as session:
        session.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_once_moves_everything_that_waits(access: SqlAccess, capsys: pytest.CaptureFixture):
    publish(access, *raw(*small_talk(sender="a"), *small_talk(sender="b")))
    call_command("ingest", "--once")
    assert "16 new" in capsys.readouterr().out


@pytest.mark.django_db
def test_health_says_when_nobody_ingests_and_what_fails():
    assert ingest_part().status == "degraded"
    beat("ingest")
    assert ingest_part().status == "ok"
    with transaction.atomic():
        environment = environment_of(make_assistant(slug="cafe"))
        IntakeSource.objects.create(
            kind="sql", name="t", assistant=environment.assistant, environment=environment, last_error="It is gone."
        )
    assert ingest_part().message == "1 of 1 sources of events cannot be taken from."
