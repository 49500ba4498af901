"""Dead letters one by one: edited, tried again, discarded."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.ingest.places import SourcePlaces
from conversations.ingest.records import header_bytes
from conversations.models import Conversation, DeadLetter, Event
from conversations.services import dead_letters
from conversations.services.dead_letters import EDITABLE
from environments.models import Environment
from models_app.models import Model
from studio.access.models import User
from studio.access.permissions import Scope
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.conversations.dead import CUT, HI, NO_TIME, make_letter
from tests.conversations.events import raw, user
from tests.factories import environment_of, make_assistant, make_model, make_person, source_of, store_events

pytestmark = pytest.mark.django_db
State = DeadLetter.State


@pytest.fixture
def person() -> User:
    return make_person("annotator")


def edit(person: User, letter: DeadLetter, record: bytes) -> DeadLetter:
    return dead_letters.edit_and_retry(actor=person, letter=letter, edited=record)


def test_an_edited_record_is_stored_as_if_it_had_come_so(environment: Environment, person: User):
    letter = make_letter(environment, CUT)
    tried = edit(person, letter, HI)
    letter.refresh_from_db()
    assert tried.state == letter.state == State.STORED
    assert (bytes(letter.record), bytes(letter.edited)) == (CUT, HI)
    assert letter.ended_by == person and letter.ended_at
    assert Conversation.objects.get().environment == environment
    assert Event.objects.get().text == "hi"


def test_what_was_stored_already_is_told_apart(environment: Environment, person: User):
    store_events(environment, HI)
    assert edit(person, make_letter(environment, CUT), HI).state == State.KNOWN
    assert Event.objects.count() == 1


def test_what_still_cannot_be_read_goes_on_waiting_with_what_is_wrong_now(environment: Environment, person: User):
    letter = make_letter(environment, CUT)
    edit(person, letter, NO_TIME)
    letter.refresh_from_db()
    assert (letter.state, letter.fault, letter.place) == (State.WAITING, "missing", "timestamp")
    assert letter.reason == "No timestamp." and bytes(letter.edited) == NO_TIME
    assert DeadLetter.objects.count() == 1


def test_a_record_that_the_database_refuses_becomes_no_second_letter(
    environment: Environment, person: User, monkeypatch
):
    letter = make_letter(environment, CUT)
    monkeypatch.setattr("conversations.ingest.senders.sender_key", lambda sender: None)  # a column that is never null
    edit(person, letter, HI)
    letter.refresh_from_db()
    assert (letter.state, letter.fault) == (State.WAITING, "refused")
    assert DeadLetter.objects.count() == 1 and not Event.objects.exists()


def test_unchanged_it_can_be_stored_once_parley_can_read_it(environment: Environment, person: User):
    letter = make_letter(environment, CUT)
    DeadLetter.objects.update(record=HI)  # as if the decoder had learnt it
    assert dead_letters.retry(actor=person, letter=letter).state == State.STORED


def test_trying_again_takes_the_record_as_it_was_last_edited(environment: Environment, person: User):
    letter = make_letter(environment, CUT)
    DeadLetter.objects.update(edited=HI)
    assert dead_letters.retry(actor=person, letter=letter).state == State.STORED


def test_the_environment_is_the_one_that_the_record_came_under(environment: Environment, person: User):
    worker = environment_of(environment.assistant, "worker")
    edit(person, make_letter(worker, CUT), HI)
    assert Conversation.objects.get().environment == worker


def test_trying_again_reads_other_letters_of_equal_bytes_as_letters_of_their_own(
    environment: Environment, person: User
):
    letters = [make_letter(environment, CUT) for _ in range(2)]
    assert [edit(person, letter, HI).state for letter in letters] == [State.STORED, State.KNOWN]


def test_discarding_keeps_the_record_and_the_reason(environment: Environment, person: User):
    letter = make_letter(environment, CUT)
    dead_letters.discard(actor=person, letter=letter, reason="a test of ours")
    letter.refresh_from_db()
    assert (letter.state, letter.note, bytes(letter.record)) == (State.DISCARDED, "a test of ours", CUT)


@pytest.mark.parametrize("act", ["retry", "edit", "discard"])
def test_a_letter_is_handled_once(environment: Environment, person: User, act: str):
    letter = make_letter(environment, CUT)
    dead_letters.discard(actor=person, letter=letter, reason="x")
    acts = {
        "retry": lambda: dead_letters.retry(actor=person, letter=letter),
        "edit": lambda: edit(person, letter, HI),
        "discard": lambda: dead_letters.discard(actor=person, letter=letter, reason="y"),
    }
    with pytest.raises(Conflict):
        acts[act]()
    letter.refresh_from_db()
    assert letter.note == "x" and letter.edited is None and not Event.objects.exists()


def test_a_record_too_large_for_a_form_is_refused(environment: Environment, person: User):
    with pytest.raises(Invalid):
        edit(person, make_letter(environment, CUT), b"x" * (EDITABLE + 1))


def test_every_change_is_in_the_audit_without_a_word_of_the_record(environment: Environment, person: User):
    letter = make_letter(environment, CUT)
    edit(person, letter, NO_TIME)
    dead_letters.retry(actor=person, letter=letter)
    dead_letters.discard(actor=person, letter=letter, reason="no time to be had")
    events = list(AuditEvent.objects.filter(target_kind="deadletter").order_by("pk"))
    assert [one.action for one in events] == ["dead-letter-edited", "dead-letter-retried", "dead-letter-discarded"]
    assert {(one.actor, one.assistant_id) for one in events} == {(person, letter.assistant_id)}
    assert events[0].before["sha256"] != events[0].after["sha256"]
    assert events[2].reason == "no time to be had"
    assert "anna" not in json.dumps([[one.before, one.after, one.target_label] for one in events])


def test_no_edit_puts_words_into_the_conversations_of_an_assistant_that_one_may_not_change(environment: Environment):
    other = make_assistant("inn", "Inn")
    model = make_model(other, "inn-model")
    Model.objects.filter(pk=model.pk).update(rasa_assistant_id="inn")
    source_of(environment.assistant).other_assistants.add(other)
    record = user("hi", 1.0)
    record["metadata"]["assistant_id"] = "inn"
    letter = make_letter(environment, CUT)
    outsider = make_person("annotator", Scope(environment.assistant_id))
    tried = edit(outsider, letter, raw(record)[0])
    assert (tried.state, tried.fault) == (State.WAITING, "elsewhere")
    assert not Conversation.objects.exists()
    assert edit(make_person("annotator"), letter, raw(record)[0]).state == State.STORED
    assert Conversation.objects.get().assistant == other


def test_who_may_handle_one_environment_handles_no_letter_of_another(environment: Environment):
    worker = environment_of(environment.assistant, "worker")
    person = make_person("annotator", Scope(environment.assistant_id, worker.pk))
    letter = make_letter(environment, CUT)
    with pytest.raises(Conflict):
        dead_letters.discard(actor=person, letter=letter, reason="x")
    dead_letters.discard(actor=person, letter=make_letter(worker, CUT), reason="x")


def test_headers_of_any_bytes_are_kept_and_go_along(environment: Environment, person: User):
    anything = bytes(range(256))
    letter = make_letter(environment, CUT, headers=(("x", anything),))
    assert [(name, header_bytes(value)) for name, value in letter.headers] == [("x", anything)]
    assert edit(person, letter, HI).state == State.STORED


def test_counters_of_the_source_count_what_was_stored_after_all(environment: Environment, person: User):
    edit(person, make_letter(environment, CUT), HI)
    source = source_of(environment.assistant)
    assert (source.events_total, source.known_total) == (1, 0)
    assert SourcePlaces(source).source_id == DeadLetter.objects.get().source_id


def test_who_sees_which_letters(environment: Environment):
    assistant, worker = environment.assistant, environment_of(environment.assistant, "worker")
    here, there = make_letter(environment, CUT), make_letter(worker, CUT)
    nowhere = make_letter(environment, CUT, under="unheard-of")

    def seen(person: User) -> set[int]:
        return set(DeadLetter.objects.visible_to(person).values_list("pk", flat=True))

    assert seen(make_person("annotator")) == {here.pk, there.pk, nowhere.pk}
    assert seen(make_person("annotator", Scope(assistant.pk))) == {here.pk, there.pk, nowhere.pk}
    assert seen(make_person("annotator", Scope(assistant.pk, worker.pk))) == {there.pk}
    assert seen(make_person("annotator", Scope(make_assistant().pk))) == set()
    assert seen(make_person("tester")) == set()


def test_letters_that_were_handled_go_after_a_while_and_those_that_wait_stay(
    environment: Environment, settings, monkeypatch
):
    monkeypatch.setattr(dead_letters, "DELETED_AT_ONCE", 2)
    letters = [make_letter(environment, CUT) for _ in range(8)]
    old = timezone.now() - timedelta(days=settings.DEAD_LETTER_DAYS, minutes=1)
    states = [State.STORED, State.KNOWN, State.DISCARDED, State.DISCARDED, State.DISCARDED]
    for letter, state in zip(letters, states, strict=False):
        DeadLetter.objects.filter(pk=letter.pk).update(state=state, ended_at=old, at=old)
    DeadLetter.objects.filter(pk=letters[5].pk).update(state=State.STORED, ended_at=old + timedelta(minutes=2))
    DeadLetter.objects.filter(pk=letters[6].pk).update(at=old)
    assert dead_letters.delete_handled() == 5
    assert set(DeadLetter.objects.values_list("pk", flat=True)) == {one.pk for one in letters[5:]}
    assert dead_letters.delete_handled() == 0
