"""All letters of a cause at once: step by step, safe to run twice and by two people."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from conversations.jobs import handle_letters
from conversations.models import DeadLetter, DeadLetterRun, Event
from conversations.services import dead_letter_runs
from conversations.services.dead_letter_runs import Selection, queue_stale_runs, request_run, stop_run
from conversations.services.dead_letters import discard
from environments.models import Environment
from studio.access.models import Grant, User
from studio.access.permissions import Scope
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from studio.jobs.heartbeat import beat
from tests.conversations.dead import CUT, make_letter
from tests.conversations.events import raw, user
from tests.factories import environment_of, make_assistant, make_person, store_events

pytestmark = pytest.mark.django_db
Act, State = DeadLetterRun.Act, DeadLetterRun.State


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was handed to the background queue."""
    found: list[int] = []
    monkeypatch.setattr(dead_letter_runs.queues, "enqueue", lambda queue, function, run: found.append(run))
    return found


@pytest.fixture
def person() -> User:
    return make_person("annotator")


def hello(number: int) -> bytes:
    return raw(user(f"hello {number}", 1000.0 + number, sender=f"s{number}"))[0]


def letters_of(environment: Environment, count: int) -> list[DeadLetter]:
    """Letters that came cut, and were edited since so that they can be read."""
    letters = [make_letter(environment, CUT) for _ in range(count)]
    for number, letter in enumerate(letters):
        DeadLetter.objects.filter(pk=letter.pk).update(edited=hello(number))
    return letters


def ask(person: User, environment: Environment, act: str = Act.RETRY, **fields: object) -> DeadLetterRun:
    selection = Selection(environment.assistant, "not-json")
    return request_run(actor=person, act=act, selection=selection, **fields)


def carried_out(run: DeadLetterRun) -> DeadLetterRun:
    handle_letters(run.pk)
    run.refresh_from_db()
    return run


def test_a_whole_cause_is_tried_again_in_steps(environment: Environment, person: User, queued, monkeypatch):
    monkeypatch.setattr(dead_letter_runs, "RETRIED_AT_ONCE", 2)
    letters_of(environment, 5)
    make_letter(environment, CUT)
    store_events(environment, hello(3))
    run = ask(person, environment)
    assert queued == [run.pk] and (run.total, run.state) == (6, State.WAITING)
    run = carried_out(run)
    assert (run.stored, run.known, run.unreadable, run.state) == (4, 1, 1, State.DONE)
    assert (run.percent, Event.objects.count()) == (100, 5)
    states = DeadLetter.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["stored", "stored", "stored", "known", "stored", "waiting"]


def test_no_step_takes_more_bytes_than_memory_should_hold(environment: Environment, person: User, monkeypatch):
    monkeypatch.setattr(dead_letter_runs, "BYTES_AT_ONCE", len(CUT) + 1)
    letters_of(environment, 3)
    taken: list[int] = []
    handle = dead_letter_runs._handle
    monkeypatch.setattr(
        dead_letter_runs,
        "_handle",
        lambda run, letters, actor: (taken.append(len(letters)), handle(run, letters, actor)),
    )
    assert carried_out(ask(person, environment)).stored == 3
    assert taken == [1, 1, 1]


def test_two_letters_of_one_event_are_one_event_and_one_known(environment: Environment, person: User):
    letters_of(environment, 2)
    DeadLetter.objects.update(edited=hello(7))
    run = carried_out(ask(person, environment))
    assert (run.stored, run.known, Event.objects.count()) == (1, 1, 1)


def test_a_job_that_runs_twice_does_nothing_more(environment: Environment, person: User):
    letters_of(environment, 2)
    run = carried_out(ask(person, environment))
    again = carried_out(run)
    assert (again.stored, again.known, Event.objects.count()) == (2, 0, 2)
    assert AuditEvent.objects.filter(action="dead-letters-handled").count() == 1


def test_letters_that_came_later_are_not_meant(environment: Environment, person: User):
    letters_of(environment, 1)
    run = ask(person, environment, Act.DISCARD, reason="x")
    late = make_letter(environment, CUT)
    assert carried_out(run).discarded == 1
    late.refresh_from_db()
    assert late.state == "waiting"


def test_discarding_all_keeps_the_reason_with_each_and_in_the_audit(
    environment: Environment, person: User, monkeypatch
):
    monkeypatch.setattr(dead_letter_runs, "DISCARDED_AT_ONCE", 2)
    letters_of(environment, 3)
    run = carried_out(ask(person, environment, Act.DISCARD, reason="a load test"))
    assert run.discarded == 3 and not Event.objects.exists()
    assert set(DeadLetter.objects.values_list("state", "note", "ended_by")) == {("discarded", "a load test", person.pk)}
    events = AuditEvent.objects.filter(target_kind="deadletterrun").order_by("pk")
    assert [(one.action, one.reason) for one in events] == [
        ("dead-letters-discard-requested", "a load test"),
        ("dead-letters-handled", "a load test"),
    ]


def test_one_person_starts_one_run_of_a_cause_at_a_time(environment: Environment, person: User):
    letters_of(environment, 1)
    run = ask(person, environment)
    with pytest.raises(Conflict, match="already"):
        ask(person, environment)
    carried_out(run)
    with pytest.raises(Conflict, match="None"):
        ask(person, environment)


def test_two_people_at_once_handle_each_letter_once(environment: Environment, person: User):
    letters_of(environment, 4)
    runs = [ask(person, environment), ask(make_person("admin"), environment)]
    first, second = (carried_out(run) for run in runs)
    assert (first.stored, second.handled, Event.objects.count()) == (4, 0, 4)


def test_a_run_can_be_stopped_and_what_was_done_stays(environment: Environment, person: User, monkeypatch):
    monkeypatch.setattr(dead_letter_runs, "RETRIED_AT_ONCE", 1)
    letters_of(environment, 3)
    run = ask(person, environment)
    assert dead_letter_runs._step(run.pk)
    stop_run(actor=person, run=run)
    run = carried_out(run)
    assert (run.state, run.stored) == (State.STOPPED, 1)
    with pytest.raises(Conflict):
        stop_run(actor=person, run=run)


def test_a_role_that_was_lost_ends_what_it_began(environment: Environment, person: User, monkeypatch):
    monkeypatch.setattr(dead_letter_runs, "RETRIED_AT_ONCE", 1)
    letters_of(environment, 3)
    run = ask(person, environment)
    dead_letter_runs._step(run.pk)
    Grant.objects.filter(user=person).delete()
    assert carried_out(run).stored == 1


def test_a_role_in_one_environment_handles_that_one(environment: Environment):
    worker = environment_of(environment.assistant, "worker")
    make_letter(environment, CUT)
    make_letter(worker, CUT)
    person = make_person("annotator", Scope(environment.assistant_id, worker.pk))
    run = ask(person, environment, Act.DISCARD, reason="x")
    assert (run.total, carried_out(run).discarded) == (1, 1)
    assert DeadLetter.objects.waiting().get().environment == environment


def test_a_run_that_nobody_works_on_is_queued_again(environment: Environment, person: User, queued, time_machine_later):
    letters_of(environment, 1)
    run = ask(person, environment)
    queue_stale_runs()
    assert queued == [run.pk]
    with time_machine_later(120):
        queue_stale_runs()
        assert queued == [run.pk]  # nobody takes from the queue
        beat(dead_letter_runs.WORKER)
        queue_stale_runs()
    assert queued == [run.pk, run.pk]


def test_a_fault_of_ours_ends_the_run_and_is_said(environment: Environment, person: User, monkeypatch):
    letters_of(environment, 1)
    run = ask(person, environment)
    monkeypatch.setattr(dead_letter_runs, "_handle", lambda *_: 1 / 0)
    assert carried_out(run).state == State.FAILED
    assert DeadLetter.objects.get().state == "waiting"


def test_who_sees_which_runs(environment: Environment, person: User):
    make_letter(environment, CUT)
    run = ask(person, environment)
    worker = environment_of(environment.assistant, "worker")
    limited = make_person("annotator", Scope(environment.assistant_id, worker.pk))
    whole = make_person("annotator", Scope(environment.assistant_id))
    elsewhere = make_person("annotator", Scope(make_assistant().pk))
    seen = {who: DeadLetterRun.objects.visible_to(who).exists() for who in (person, limited, whole, elsewhere)}
    assert seen == {person: True, limited: False, whole: True, elsewhere: False}
    assert run.requested_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
def test_a_letter_that_somebody_holds_is_passed_over(person_and_letters) -> None:
    person, environment, letters = person_and_letters
    held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        from django.db import transaction

        with transaction.atomic():
            DeadLetter.objects.select_for_update().get(pk=letters[0].pk)
            held.set()
            may_go.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    try:
        with pytest.raises(Conflict):
            discard(actor=person, letter=letters[0], reason="x")
        run = carried_out(ask(person, environment))
    finally:
        may_go.set()
        thread.join()
    assert (run.stored, run.state) == (2, State.DONE)
    assert DeadLetter.objects.waiting().get() == letters[0]


@pytest.fixture
def person_and_letters(transactional_db: None) -> tuple[User, Environment, list[DeadLetter]]:
    environment = environment_of(make_assistant())
    return make_person("annotator"), environment, letters_of(environment, 3)
