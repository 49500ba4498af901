"""Storing batches: what is new is added once, whatever the order, the repetition and the company it comes in."""

import io
import json
import math
import random
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.ingest import write
from conversations.ingest.decode import AFTER_LAST_SECOND, FIRST_SECOND, TEXT_LENGTH
from conversations.ingest.places import SourcePlaces
from conversations.ingest.records import Record, read
from conversations.ingest.write import Stored, again_when_interrupted, store
from conversations.models import Conversation, DeadLetter, Event, TalkSession
from conversations.services.rebuild import mark_own_conversations, rebuild_conversations
from environments.models import Environment
from tests.conversations.events import action, bot, event, raw, slot, small_talk, user
from tests.conversations.tallies import counted_anew, kept
from tests.factories import environment_of, make_assistant, make_person, source_of, store_events

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


def snapshot() -> list[dict]:
    """Everything about conversations and events but the ids and the moment of arrival."""
    conversations = Conversation.objects.order_by("assistant_id", "sender_key").values()
    events = Event.objects.order_by("conversation__sender_key", "timestamp", "rank", "digest").values()
    keep = [{key: value for key, value in row.items() if key != "id"} for row in conversations]
    return keep + [
        {key: bytes(value) if isinstance(value, memoryview) else value for key, value in row.items()}
        for row in (
            {k: v for k, v in one.items() if k not in {"id", "conversation_id", "received_at"}} for one in events
        )
    ]


def test_a_batch_becomes_a_conversation_with_its_counters(stored: Make, environment: Environment):
    assert stored(*small_talk(100.0)) == Stored(added=8)
    one = Conversation.objects.get()
    assert (one.assistant_id, one.environment_id, one.environment_name) == (
        environment.assistant_id,
        environment.pk,
        "production",
    )
    assert (one.sender_id, one.origin, one.first_text, one.channel) == ("anna", "real", "hi", "rasa")
    assert (one.events_count, one.user_count, one.bot_count, one.action_count, one.session_count) == (8, 1, 1, 4, 1)
    assert (one.first_event_at, one.last_event_at, one.min_confidence) == (100.0, 101.3, 0.97)
    assert (one.last_model_id, one.model_ids, one.fallback_count) == ("m-1", ["m-1"], 0)


def test_the_same_batch_again_changes_nothing(stored: Make):
    stored(*small_talk())
    before = snapshot()
    assert stored(*small_talk()) == Stored(known=8)
    assert snapshot() == before


def test_a_record_twice_in_one_batch_counts_once(stored: Make):
    assert stored(user("hi", 1.0), user("hi", 1.0)) == Stored(added=1, known=1)
    assert Conversation.objects.get().user_count == 1


def test_messages_that_nlu_gave_up_on_are_counted(stored: Make):
    stored(user("??", 1.0, intent="nlu_fallback", confidence=0.3), user("hi", 2.0))
    one = Conversation.objects.get()
    assert (one.fallback_count, one.min_confidence) == (1, 0.3)


def test_an_older_event_that_comes_late_changes_the_beginning_only(stored: Make):
    stored(user("second", 20.0, channel="b", model="new"))
    stored(user("first", 10.0, channel="a", model="old"))
    one = Conversation.objects.get()
    assert (one.first_text, one.channel, one.last_model_id) == ("first", "b", "new")
    assert (one.first_event_at, one.last_event_at, one.model_ids) == (10.0, 20.0, ["new", "old"])


def test_a_conversation_is_of_the_environment_of_its_earliest_event(stored: Make, environment: Environment):
    worker = environment_of(environment.assistant, "worker")
    stored(user("third", 30.0))
    stored(user("second", 20.0), under="worker")
    one = Conversation.objects.get()
    assert (one.environment, one.environment_name) == (worker, "worker")
    stored(user("fourth", 40.0))
    list(rebuild_conversations())
    one.refresh_from_db()
    assert one.environment == worker


def test_an_event_known_already_is_dropped_whatever_environment_it_now_claims(stored: Make, environment: Environment):
    stored(user("hi", 1.0))
    stored(user("hi", 1.0), user("ho", 2.0), under="worker")
    one = Conversation.objects.get()
    assert (one.environment_id, one.events_count) == (environment.pk, 2)


def test_one_sender_of_two_assistants_has_two_conversations(stored: Make):
    stored(user("hi", 1.0))
    store_events(environment_of(make_assistant()), user("hi", 1.0))
    assert Conversation.objects.count() == 2


def test_unreadable_records_become_dead_letters_with_the_reason_and_block_nothing(
    stored: Make, environment: Environment
):
    assert stored(b"{oops", user("hi", 1.0), b'{"sender_id": "a"}') == Stored(added=1, dead=2)
    dead = DeadLetter.objects.order_by("pk")
    assert [bytes(one.record) for one in dead] == [b"{oops", b'{"sender_id": "a"}']
    assert "Not JSON" in dead[0].reason
    assert dead[0].environment == environment


def test_a_record_that_the_database_refuses_is_found_among_many(stored: Make):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conversations_event ADD CONSTRAINT no_poison CHECK (text <> 'poison')")
    batch = [user(f"hello {number}", float(number)) for number in range(40)]
    batch.insert(17, user("poison", 17.5))
    assert stored(*batch) == Stored(added=40, dead=1)
    assert "no_poison" in DeadLetter.objects.get().reason
    assert Conversation.objects.get().user_count == 40


def test_a_fault_that_is_not_of_the_data_stores_nothing_and_is_no_dead_letter(stored: Make):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conversations_event RENAME TO away")
    with pytest.raises(DatabaseError), transaction.atomic():
        stored(user("hi", 1.0), b"{oops")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO conversations_event")
    assert not DeadLetter.objects.exists()
    assert not Conversation.objects.exists()


def test_senders_and_texts_that_postgresql_refuses_are_stored(stored: Make):
    stored(user("\x00 \ud83d", 1.0, sender="x\x00y\ud800"))
    one = Conversation.objects.get()
    assert one.sender_id == "x\ufffdy\ufffd"
    assert one.first_text == "\ufffd \ufffd"


def test_a_sender_of_ten_thousand_characters_is_one_like_others(stored: Make):
    stored(user("hi", 1.0, sender="s" * 10_000), user("ho", 2.0, sender="s" * 10_000))
    stored(user("hi", 1.0, sender="s" * 9_999 + "t"))
    assert sorted((len(one.sender_id), one.events_count) for one in Conversation.objects.all()) == [
        (10_000, 1),
        (10_000, 2),
    ]


@pytest.mark.parametrize(("year", "seconds"), [(1, FIRST_SECOND), (9999, AFTER_LAST_SECOND - 1)])
def test_the_first_and_the_last_year_are_stored(stored: Make, year: int, seconds: float):
    assert stored(user("hi", seconds), bot("ho", seconds)) == Stored(added=2)
    assert Conversation.objects.get().last_at.year == year


def test_beyond_these_years_is_a_dead_letter_that_says_so(stored: Make):
    assert stored(user("hi", AFTER_LAST_SECOND), user("ho", math.nan)) == Stored(dead=2)
    for dead in DeadLetter.objects.all():
        assert (dead.fault, dead.place) == ("out-of-range", "timestamp")
        assert "outside the years 1 to 9999" in dead.reason


def test_nan_and_lone_surrogates_inside_are_stored_as_they_came(stored: Make):
    stored(user("hi", 1.0, confidence=math.nan), slot("\ud800", [math.inf, "\x00"], 2.0))
    one = Conversation.objects.get()
    assert (one.min_confidence, one.slots) == (None, ["\ufffd"])
    payload = Event.objects.get(kind="slot").payload
    assert json.loads(payload)["value"] == [math.inf, "\x00"]


def test_an_event_of_five_megabytes_is_stored_whole(stored: Make):
    text = "".join(random.Random(1).choices("abcdefghij ", k=5 * 1024**2))
    assert stored(user(text, 1.0)) == Stored(added=1)
    one = Event.objects.get()
    assert json.loads(one.payload)["text"] == text
    assert one.text == text[:TEXT_LENGTH]


def test_senders_that_look_alike_once_stored_stay_apart(stored: Make):
    stored(user("a", 1.0, sender="x\x00"), user("b", 1.0, sender="x\ud800"))
    assert Conversation.objects.count() == 2


def test_our_own_conversations_are_marked_with_who_talked(stored: Make, environment: Environment):
    person = make_person()
    TalkSession.objects.create(environment=environment, sender_id="anna", person=person)
    stored(*small_talk())
    one = Conversation.objects.get()
    assert (one.origin, one.talker) == ("talk", person)


def test_a_session_that_became_known_after_its_events_is_found(stored: Make, environment: Environment):
    stored(*small_talk())
    person = make_person()
    TalkSession.objects.create(environment=environment, sender_id="anna", person=person)
    assert mark_own_conversations() == 1
    assert Conversation.objects.get().talker == person


def test_a_session_of_another_assistant_marks_nothing(stored: Make):
    other = environment_of(make_assistant())
    TalkSession.objects.create(environment=other, sender_id="anna", person=make_person())
    stored(*small_talk())
    assert Conversation.objects.get().origin == "real"


def test_a_transaction_that_lost_a_deadlock_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(write.time, "sleep", lambda seconds: None)
    failures = [deadlock(), deadlock()]

    def work() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert again_when_interrupted(work) == "done"


def test_another_operational_error_is_not_tried_again():
    def work() -> None:
        raise OperationalError("the connection is gone")

    with pytest.raises(OperationalError):
        again_when_interrupted(work)


def deadlock() -> OperationalError:
    cause = Exception()
    cause.sqlstate = "40P01"  # type: ignore[attr-defined]
    error = OperationalError("deadlock detected")
    error.__cause__ = cause
    return error


def history() -> list[dict]:
    """Events of two senders with everything that counters look at, some at the very same time."""
    return [
        *small_talk(10.0, "anna"),
        *small_talk(10.0, "ben"),
        user("what?", 30.0, intent="nlu_fallback", confidence=0.2, model="m-2", channel="socketio"),
        user("same instant", 30.0, confidence=0.2, model="m-3", channel="telegram"),
        bot(None, 30.0, model="m-0"),
        event("restart", 30.0, model=""),
        action("action_default_fallback", 31.0, model="m-2"),
        event("something_new", 9.0, "ben"),
        user("to Bern", 30.5, entities=[{"entity": "city", "value": "Bern"}], confidence=0.5),
        event("entities", 31.0, entities=[{"entity": "day"}]),
        bot("late", 33.0),
        event("pause", 34.0),
        event("action_execution_rejected", 34.0, name="form"),
    ]


def batches(order: list[int], sizes: list[int]) -> list[list[int]]:
    cut, result = 0, []
    for size in sizes:
        result.append(order[cut : cut + size])
        cut += size
    return [*result, order[cut:]]


@pytest.fixture
def send(environment: Environment) -> Make:
    """Stores events of `history()` by their numbers; every third comes from another environment."""
    places = SourcePlaces(source_of(environment.assistant))
    places.refresh()
    records = [Record(one, "worker" if number % 3 == 0 else "production") for number, one in enumerate(raw(*history()))]

    def send(*numbers: int) -> Stored:
        return store(read([records[number] for number in numbers]), places)

    return send


@pytest.fixture
def once_in_order(send: Make) -> list[dict]:
    with transaction.atomic():
        send(*everything)
        result = snapshot()
        transaction.set_rollback(True)
    return result


everything = list(range(len(history())))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(everything),
    doubles=st.lists(st.sampled_from(everything), max_size=8),
    sizes=st.lists(st.integers(1, 9), max_size=6),
    seed=st.integers(),
)
def test_any_order_repetition_and_batching_gives_the_same_conversations(
    send: Make, once_in_order: list[dict], order: list[int], doubles: list[int], sizes: list[int], seed: int
):
    shuffled = [*order, *doubles]
    random.Random(seed).shuffle(shuffled)
    with transaction.atomic():
        for batch in batches(shuffled, sizes):
            send(*batch)
        assert snapshot() == once_in_order
        assert kept() == counted_anew()
        assert [one.differences for one in rebuild_conversations()] == [[]]
        assert snapshot() == once_in_order
        assert kept() == counted_anew()
        transaction.set_rollback(True)


def test_rebuilding_mends_counters_that_went_wrong(stored: Make):
    stored(*history())
    right = snapshot()
    Conversation.objects.update(
        events_count=0, user_count=99, first_event_at=-5, last_event_at=5e9, min_confidence=0, model_ids=["x"],
        first_text="?", channel="?", last_model_id="?",
    )  # fmt: skip
    (rebuilt,) = rebuild_conversations()
    assert (rebuilt.done, len({one.conversation for one in rebuilt.differences})) == (2, 2)
    assert snapshot() == right


def test_a_check_shows_what_differs_changes_nothing_and_fails(stored: Make):
    stored(*small_talk())
    Conversation.objects.update(user_count=99, intents=["x"])
    out = io.StringIO()
    with pytest.raises(CommandError, match="2 facts"):
        call_command("rebuild_conversations", "--check", stdout=out)
    assert "user_count is 99, not 1" in out.getvalue()
    assert "intents is ['x'], not ['greet']" in out.getvalue()
    assert Conversation.objects.get().user_count == 99


def test_a_check_that_finds_nothing_says_so(stored: Make):
    stored(*history())
    out = io.StringIO()
    call_command("rebuild_conversations", "--check", stdout=out)
    assert "0 facts differed" in out.getvalue()


def test_a_check_tells_of_conversations_whose_events_are_gone(stored: Make):
    stored(*small_talk())
    Event.objects.all().delete()
    (rebuilt,) = rebuild_conversations()
    assert [(one.column, one.live, one.rebuilt) for one in rebuilt.differences] == [("events_count", 8, 0)]


def test_rebuilding_fills_what_was_stored_before_events_kept_it(stored: Make):
    stored(*history())
    right = snapshot()
    Event.objects.update(environment=None, environment_name=None, entities=None)
    Conversation.objects.update(environment_names=[], entities=[], intents=[], reply_count=0, reply_ms=0)
    list(rebuild_conversations())
    assert snapshot() == right


def test_a_deleted_conversation_takes_events_along_that_were_stored_meanwhile(stored: Make):
    stored(*small_talk())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM conversations_conversation")
    assert not Event.objects.exists()


def test_rebuilding_one_assistant_leaves_the_others(stored: Make):
    stored(*small_talk())
    Conversation.objects.update(events_count=0)
    assert list(rebuild_conversations(make_assistant())) == []
    assert Conversation.objects.get().events_count == 0
