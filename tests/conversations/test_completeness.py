"""What is missing here is found by asking the Rasa server, and brought in by the path of ingestion."""

import io
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import psycopg
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from conversations import jobs
from conversations.ingest import rasa_memory
from conversations.ingest.rasa_memory import Pace
from conversations.models import CompletenessRun, Conversation, Event, IntakeIncident, IntakeSource
from conversations.presentation.completeness import percent, share_of
from conversations.services import completeness, repair
from conversations.services.completeness import (
    request_backfill,
    request_check,
    request_nightly,
    request_repair_of_incident,
    resume,
    stop,
)
from environments.models import Environment
from environments.services.address import NoServer
from environments.services.database import drop_intake, ensure_intake, tracker_access
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from studio.jobs.heartbeat import beat
from tests.conversations.events import small_talk, user
from tests.conversations.fake_rasa import FakeRasa, connect
from tests.conversations.test_history import TABLE, rows_of
from tests.factories import environment_of, make_assistant, make_person, source_of, store_events
from tests.rasa.servers import Reply

BEGAN = 1_790_000_000.0


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasa_memory, "RETRY_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(Pace, "pause_after", lambda self, seconds: 0.0)


@pytest.fixture
def rasa() -> Iterator[FakeRasa]:
    server = FakeRasa()
    yield server
    server.close()


@pytest.fixture
def production(environment: Environment, rasa: FakeRasa) -> Environment:
    return connect(environment, rasa)


def both(production: Environment, rasa: FakeRasa, *senders: str) -> None:
    """Conversations that are the same here and there."""
    for sender in senders:
        store_events(production, *small_talk(sender=sender))
        rasa.hold(*small_talk(sender=sender))


def lose(sender: str, number: int = 1) -> None:
    """Ingestion never got these."""
    events = Event.objects.filter(conversation__sender_id=sender)
    Event.objects.filter(pk__in=list(events.values_list("pk", flat=True)[:number])).delete()


def carried_out(run: CompletenessRun) -> CompletenessRun:
    while repair.work(run.pk, seconds=5):
        pass
    run.refresh_from_db()
    return run


def checked(environment: Environment, **options: object) -> CompletenessRun:
    options = {"since": None, "actor": None, **options}
    return carried_out(request_check(environment=environment, **options))


# --- Finding --------------------------------------------------------------------------------------------------------


def test_all_is_there(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna", "bert")
    run = checked(production)
    assert (run.state, run.conversations_compared, run.events_there, run.events_missing) == ("done", 2, 16, 0)
    assert share_of(run) == "100 % complete"
    assert not run.findings.exists()


def test_what_is_missing_is_named_by_kind_and_time(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna", "bert")
    lose("anna", 2)
    run = checked(production)
    assert (run.events_missing, share_of(run)) == (2, "87.50 % complete")
    finding = run.findings.get()
    assert (finding.sender_id, finding.missing, finding.conversation.sender_id) == ("anna", 2, "anna")
    assert finding.details["missing"] == [
        [BEGAN, "action", "action_session_start"],
        [BEGAN + 0.001, "session_started", ""],
    ]


def test_what_is_here_alone_is_counted_apart(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    store_events(production, user("later", BEGAN + 5))
    run = checked(production)
    assert (run.events_missing, run.events_extra, share_of(run)) == (0, 1, "100 % complete")
    assert run.findings.get().details["extra"] == [[BEGAN + 5, "user", "greet"]]


def test_what_rasa_makes_up_of_an_unknown_conversation_is_not_missing(production: Environment, rasa: FakeRasa):
    store_events(production, *small_talk())
    with time_machine.travel(timezone.now() + timedelta(hours=1)):  # the server's clock is behind ours
        run = request_check(actor=None, environment=production, since=None)
    carried_out(run)
    assert (run.events_there, run.events_missing, run.events_extra) == (0, 0, 8)
    assert share_of(run) == "Nothing to compare"


def test_an_opening_that_the_server_knows_is_compared(production: Environment, rasa: FakeRasa):
    opening = small_talk()[:3]
    rasa.hold(*opening)
    store_events(production, opening[0])
    assert checked(production).events_missing == 2


def test_only_the_period_counts(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    lose("anna", 8)
    store_events(production, small_talk()[0])
    run = checked(production, since=BEGAN + 1.05, until=BEGAN + 1.25)
    assert run.events_missing == run.events_there == 2


def test_events_on_their_way_are_not_missing(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    rasa.hold(user("just now", time.time()))
    assert checked(production).events_missing == 0


def test_a_sample_asks_for_so_many(production: Environment, rasa: FakeRasa):
    both(production, rasa, *(f"guest-{number}" for number in range(9)))
    run = checked(production, sample=4)
    assert run.conversations_compared == run.conversations_total == 4
    assert len(set(rasa.asked)) == 4


def test_a_conversation_without_an_address_is_said_to_be_unasked(production: Environment, rasa: FakeRasa):
    store_events(production, *small_talk(sender="ünï cödé"))
    run = checked(production)
    assert (run.conversations_unasked, rasa.seen) == (1, [])
    assert "no address" in run.findings.get().fault


def test_what_cannot_be_read_is_said(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    rasa.conversations["anna"].append({"event": "user"})
    run = checked(production, repairs=True)
    assert run.events_unreadable == 1
    assert "cannot be read" in run.findings.get().fault


# --- Asking ---------------------------------------------------------------------------------------------------------


def test_a_server_that_stumbles_is_asked_again(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    rasa.failures = [Reply(500, {}), Reply(503, {})]
    assert checked(production).state == "done"


def test_a_server_that_fails_ends_the_run(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    rasa.failures = [Reply(500, {})] * 3
    run = checked(production)
    assert (run.state, run.is_held) == ("failed", False)
    assert "Rasa server failed" in run.message


def test_a_wrong_token_ends_the_run_at_once(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    Environment.objects.update(server_token_encrypted=b"")
    assert "asks for a token" in checked(production).message
    assert len(rasa.seen) == 1


def test_there_is_nothing_to_ask_where_no_server_is(environment: Environment):
    with pytest.raises(NoServer):
        request_check(actor=None, environment=environment, since=None)


def test_a_slow_server_is_left_alone_longer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    pace = Pace()
    usual = [pace.pause_after(0.1) for _ in range(5)]
    assert usual == [pytest.approx(0.1)] * 5
    assert pace.pause_after(1.0) == 4.0
    assert pace.pause_after(9.0) == rasa_memory.LONGEST_PAUSE
    assert pace.waited == pytest.approx(10.5)


# --- Listing the server's conversations -----------------------------------------------------------------------------


@pytest.fixture
def managed(transactional_db: None, rasa: FakeRasa) -> Iterator[Environment]:
    """An environment whose server's tracker store is in our PostgreSQL."""
    production = connect(environment_of(make_assistant()), rasa)
    ensure_intake(production)
    yield production
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {production_schema(production, 'events')}.events")
    assert drop_intake(production)


def production_schema(environment: Environment, kind: str) -> str:
    return f"parley_{kind}_{environment.database_key}"


def remember(environment: Environment, rasa: FakeRasa, *events: dict) -> None:
    """By the server's own role, which owns the table, as Rasa makes it."""
    rasa.hold(*events)
    access = tracker_access(environment)
    address = {"host": access.host, "port": access.port, "dbname": access.name}
    with psycopg.connect(**address, user=access.username, password=access.password, autocommit=True) as session:
        session.execute(TABLE.replace("TABLE", "TABLE IF NOT EXISTS").replace("INTEGER", "SERIAL"))
        with session.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO events (sender_id, type_name, timestamp, data) VALUES (%s, %s, %s, %s)", rows_of(*events)
            )


def test_conversations_of_which_nothing_came_are_found(managed: Environment, rasa: FakeRasa):
    store_events(managed, *small_talk())
    remember(managed, rasa, *small_talk(), *small_talk(sender="bert"), *small_talk(sender="carla@example.com"))
    run = checked(managed)
    assert (run.lists_senders, run.conversations_unknown, run.events_missing) == (True, 2, 16)
    assert (run.conversations_compared, run.conversations_total, sorted(rasa.asked)[:1]) == (3, 3, ["anna"])
    assert carried_out(request_backfill(actor=make_person(), run=run)).events_added == 16
    assert share_of(checked(managed)) == "100 % complete"


def test_a_conversation_without_an_address_is_read_in_the_tracker_store(managed: Environment, rasa: FakeRasa):
    remember(managed, rasa, *small_talk(sender="ünï cödé"))
    assert checked(managed, repairs=True).events_added == 8
    assert Conversation.objects.get().sender_id == "ünï cödé"


def test_a_sample_draws_from_the_unknown_in_proportion(managed: Environment, rasa: FakeRasa):
    for number in range(10):
        store_events(managed, *small_talk(sender=f"known-{number}"))
    remember(managed, rasa, *(one for n in range(60) for one in small_talk(sender=f"unknown-{n}")[3:4]))
    run = checked(managed, sample=5)
    assert run.conversations_unknown == 60
    assert 10 < run.conversations_compared - 5 < 50


def test_a_tracker_store_that_is_not_the_servers_any_more_is_not_listed(managed: Environment, rasa: FakeRasa):
    remember(managed, rasa, *small_talk(sender="bert"))
    store_events(managed, *small_talk(start=BEGAN + 86400))
    rasa.hold(*small_talk(start=BEGAN + 86400))
    run = checked(managed)
    assert (run.lists_senders, run.conversations_compared) == (False, 1)


def test_where_no_conversations_are_listed_the_run_says_so(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    assert checked(production).lists_senders is False


# --- Repairing ------------------------------------------------------------------------------------------------------


def test_what_was_found_is_brought_in(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna", "bert", "carla")
    lose("anna", 3)
    check, person = checked(production), make_person()
    rasa.seen.clear()
    run = carried_out(request_backfill(actor=person, run=check))
    assert (run.state, run.events_missing, run.events_added, set(rasa.asked)) == ("done", 3, 3, {"anna"})
    assert share_of(checked(production)) == "100 % complete"
    source = IntakeSource.objects.get(kind="history")
    assert (source.name, source.events_total) == ("Repair", 3)
    asked, finished = AuditEvent.objects.filter(action__startswith="repair-").order_by("pk")
    assert (asked.actor, finished.actor, finished.after["stored"]) == (person, person, 3)


def test_after_a_sample_all_of_the_period_is_brought_in(production: Environment, rasa: FakeRasa):
    names = [f"guest-{number}" for number in range(6)]
    both(production, rasa, *names)
    for name in names:
        lose(name)
    run = carried_out(request_backfill(actor=None, run=checked(production, sample=2)))
    assert run.events_added == 6


def test_repairing_twice_is_repairing_once(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    lose("anna")
    for added in (1, 0):
        assert checked(production, repairs=True).events_added == added


def test_a_repair_is_no_check_to_be_repaired(production: Environment, rasa: FakeRasa):
    both(production, rasa, "anna")
    with pytest.raises(Conflict):
        request_backfill(actor=None, run=checked(production, repairs=True))


# --- Going on -------------------------------------------------------------------------------------------------------


def test_there_are_never_two_at_once(production: Environment):
    request_check(actor=None, environment=production, since=None)
    with pytest.raises(Conflict, match="already"):
        request_check(actor=None, environment=production, since=None)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.services.completeness_plan.PAGE", 2)


def killed_after_a_page(run: CompletenessRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by SIGKILL in the second page: what the first wrote is there, and nobody let go."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        pages = iter([repair.Slice._compare])
        patch.setattr(repair.Slice, "_compare", lambda *args: next(pages, _killed)(*args))
        repair.work(run.pk)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_run_that_was_killed_goes_on_where_it_was(production: Environment, rasa: FakeRasa, small_pages, monkeypatch):
    names = [f"guest-{number}" for number in range(5)]
    both(production, rasa, *names)
    for name in names:
        lose(name)
    run = request_check(actor=None, environment=production, since=None, repairs=True)
    killed_after_a_page(run, monkeypatch)
    assert repair.work(run.pk) is False  # somebody seems to hold it
    rasa.seen.clear()
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert resume() == 0  # no worker could take it
        beat(completeness.WORKER)
        assert resume() == 1
        carried_out(run)
    assert (run.state, run.conversations_compared, run.events_added, run.findings.count()) == ("done", 5, 5, 5)
    assert len(set(rasa.asked)) == 3


def test_one_that_was_believed_dead_cannot_write(production: Environment, rasa: FakeRasa, small_pages):
    both(production, rasa, "anna", "bert", "carla")
    run = repair._claim(request_check(actor=None, environment=production, since=None).pk)
    CompletenessRun.objects.update(attempt=7)
    with pytest.raises(repair.Overtaken):
        repair.Slice(run).go(5)
    assert CompletenessRun.objects.get().conversations_compared == 0


def test_a_stopped_run_ends(production: Environment, rasa: FakeRasa, small_pages, monkeypatch):
    both(production, rasa, "anna", "bert", "carla")
    run = request_check(actor=None, environment=production, since=None)
    stop(actor=make_person(username="olga"), run=run)
    assert not repair.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.message) == ("stopped", "Stopped by olga.")
    with pytest.raises(Conflict):
        stop(actor=make_person(), run=run)


def test_a_job_does_a_slice_and_queues_the_next(production: Environment, rasa: FakeRasa, small_pages, monkeypatch):
    both(production, rasa, "anna", "bert", "carla")
    queued: list[tuple[int, int]] = []
    monkeypatch.setattr(completeness.queues, "enqueue", lambda queue, job, *arguments: queued.append(arguments))
    monkeypatch.setattr(jobs.repair, "work", partial(repair.work, seconds=0))
    run = request_check(actor=None, environment=production, since=None)
    jobs.check_completeness(*queued[0])
    run.refresh_from_db()
    assert (run.state, run.is_held) == ("running", False)
    assert queued == [(run.pk, 0), (run.pk, 1)]


def test_a_job_that_was_queued_twice_does_its_slice_once(
    production: Environment, rasa: FakeRasa, small_pages, monkeypatch
):
    both(production, rasa, "anna", "bert", "carla")
    queued: list[tuple[int, int]] = []
    monkeypatch.setattr(completeness.queues, "enqueue", lambda queue, job, *arguments: queued.append(arguments))
    monkeypatch.setattr(jobs.repair, "work", partial(repair.work, seconds=0))
    request_check(actor=None, environment=production, since=None)
    jobs.check_completeness(*queued[0])
    jobs.check_completeness(*queued[0])
    assert len(queued) == 2


# --- By the clock ---------------------------------------------------------------------------------------------------


def test_each_night_a_sample_is_compared_once(production: Environment, rasa: FakeRasa, settings):
    settings.COMPLETENESS_SAMPLE, settings.COMPLETENESS_HOUR = 10, 2
    night = timezone.now().replace(hour=2, minute=5)
    with time_machine.travel(night - timedelta(hours=1)):
        assert request_nightly() == 0
    with time_machine.travel(night):
        assert request_nightly() == 1
    run = carried_out(CompletenessRun.objects.get())
    assert (run.is_nightly, run.sample, run.requested_by_label) == (True, 10, "Parley")
    with time_machine.travel(night + timedelta(minutes=10)):
        assert request_nightly() == 0
    with time_machine.travel(night + timedelta(days=1)):
        assert request_nightly() == 1


def test_old_runs_are_forgotten(production: Environment, rasa: FakeRasa, settings, monkeypatch):
    settings.COMPLETENESS_SAMPLE, settings.COMPLETENESS_HOUR = 10, timezone.now().hour
    monkeypatch.setattr(completeness, "KEPT", 2)
    runs = [checked(production).pk for _ in range(4)]
    request_nightly()
    assert set(CompletenessRun.objects.filter(is_nightly=False).values_list("pk", flat=True)) == set(runs[2:])


def test_without_a_sample_no_night_compares(production: Environment, settings):
    settings.COMPLETENESS_SAMPLE, settings.COMPLETENESS_HOUR = 0, timezone.now().hour
    assert request_nightly() == 0


# --- Incidents ------------------------------------------------------------------------------------------------------


@pytest.fixture
def incident(production: Environment) -> IntakeIncident:
    facts = {"kind": "overtaken", "topic": "rasa", "partition": 0, "first_offset": 5, "end_offset": 9}
    return IntakeIncident.objects.create(source=source_of(production.assistant), since=BEGAN, until=BEGAN + 60, **facts)


def test_an_incident_is_closed_by_its_repair(production: Environment, rasa: FakeRasa, incident: IntakeIncident):
    both(production, rasa, "anna")
    lose("anna", 4)
    person = make_person()
    carried_out(request_repair_of_incident(actor=person, environment=production, incident=incident))
    incident.refresh_from_db()
    assert incident.note == "Repair of production: 1 conversations compared, 4 missing events were stored."
    assert (incident.closed_by, incident.closed_at is not None) == (person, True)


def test_an_incident_stays_open_until_every_environment_is_repaired(
    production: Environment, rasa: FakeRasa, incident: IntakeIncident
):
    worker = connect(environment_of(production.assistant, "worker"), rasa)
    carried_out(request_repair_of_incident(actor=None, environment=production, incident=incident))
    incident.refresh_from_db()
    assert incident.closed_at is None
    carried_out(request_repair_of_incident(actor=None, environment=worker, incident=incident))
    incident.refresh_from_db()
    assert incident.closed_at is not None and incident.note.count("\n") == 1


# --- The command and the words --------------------------------------------------------------------------------------


@pytest.fixture
def command(transactional_db: None) -> Callable[..., str]:
    def run(environment: Environment, *options: str) -> str:
        out = io.StringIO()
        call_command("check_completeness", "--assistant", environment.assistant.slug, *options, stdout=out)
        return out.getvalue()

    return run


def test_the_command_compares_and_repairs(command: Callable[..., str], rasa: FakeRasa):
    production = connect(environment_of(make_assistant()), rasa)
    both(production, rasa, "anna")
    lose("anna")
    assert "87.50 % complete: 1 of 8 events are missing here" in command(production)
    assert "1 were stored" in command(production, "--repair")
    assert "100 % complete" in command(production, "--sample", "5", "--days", "10000")
    rasa.failures = [Reply(500, {})] * 3
    with pytest.raises(CommandError, match="Rasa server failed"):
        command(production)


def test_the_command_says_why_nothing_can_be_asked(command: Callable[..., str]):
    with pytest.raises(CommandError, match="not set up"):
        command(environment_of(make_assistant()))


@pytest.mark.parametrize(("share", "words"), [(1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %")])
def test_a_share_is_rounded_down(share: float, words: str):
    assert percent(share) == words
