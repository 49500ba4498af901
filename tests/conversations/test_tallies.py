"""Counts of hours: exact whatever the order of arrival, and as conversations move, go, or were there before."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.ingest.write import Stored
from conversations.models import Conversation, NameEntry, NameTally, TalkSession, Tally, TallyEntry
from conversations.services import tallies
from conversations.services.adoption import adopt_environment
from conversations.services.rebuild import mark_own_conversations, rebuild_conversations
from conversations.services.recount import recount
from environments.models import Environment
from tests.conversations.events import action, bot, event, small_talk, user
from tests.conversations.tallies import counted_anew, kept
from tests.factories import environment_of, make_person, store_events

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


def forget(*senders: str) -> None:
    ids = list(Conversation.objects.filter(sender_id__in=senders).values_list("pk", flat=True))
    tallies.forget(ids)
    Conversation.objects.filter(pk__in=ids).delete()


def exact() -> bool:
    numbers = kept()
    assert numbers == counted_anew()
    return bool(numbers)


def test_a_talk_is_counted_in_its_hour(stored: Make, environment: Environment):
    stored(*small_talk(7300.0))
    ((key, numbers),) = kept().items()
    assert key == (environment.assistant_id, 2, environment.pk, "real", "m-1", "rasa")
    assert numbers == {
        "conversations": 1, "sessions": 1, "user_messages": 1, "bot_messages": 1, "confidence_sum": 970_000,
        "confidence_9": 1, "reply_ms": 200, "reply_1": 1, ("intent", "greet"): 1, ("action", "utter_greet"): 1,
    }  # fmt: skip
    assert exact()


def test_a_confidence_that_is_no_probability_is_the_nearest_one(stored: Make):
    stored(user("a", 1.0, confidence=1e300), user("b", 2.0, confidence=-7.0), user("c", 3.0, confidence=None))
    (numbers,) = kept().values()
    assert (numbers["confidence_0"], numbers["confidence_9"], numbers["confidence_sum"]) == (1, 1, 1_000_000)
    assert numbers["user_messages"] == 3
    assert exact()


def test_a_conversation_that_turns_out_to_have_begun_earlier_moves(stored: Make):
    stored(user("later", 7300.0, model="m-2"), bot("x", 7301.0))
    stored(user("before", 100.0, model="m-1", channel="web"))
    assert {key[1] for key, numbers in kept().items() if numbers["conversations"]} == {0}
    assert exact()


def test_a_hand_over_counts_once_in_the_hour_of_the_first(stored: Make):
    stored(user("a", 1.0), event("pause", 7300.0), action("action_handoff", 9000.0))
    stored(event("pause", 4000.0))
    assert [key[1] for key, numbers in kept().items() if numbers["handovers"]] == [1]
    assert exact()


def test_an_earlier_event_of_another_environment_takes_all_along(stored: Make, environment: Environment):
    stored(*small_talk(7300.0))
    stored(user("first", 100.0, channel="web"), under="worker")
    worker = environment_of(environment.assistant, "worker")
    assert {key[2] for key in kept()} == {worker.pk}
    assert exact()


def test_what_is_adopted_is_counted_where_it_went(stored: Make, environment: Environment):
    stored(*small_talk(), under="abroad")
    assert {key[2] for key in kept()} == {None}
    adopt_environment(actor=None, assistant=environment.assistant, name="abroad", environment=environment)
    assert {key[2] for key in kept()} == {environment.pk}
    assert exact()


def test_our_own_conversations_are_counted_as_ours_also_when_that_is_known_late(stored: Make, environment: Environment):
    stored(*small_talk())
    TalkSession.objects.create(environment=environment, sender_id="anna", person=make_person())
    TalkSession.objects.create(environment=environment, sender_id="ben", person=make_person())
    assert mark_own_conversations() == 1
    stored(*small_talk(sender="ben"))
    assert {key[3] for key in kept()} == {"talk"}
    assert exact()


def test_what_is_erased_is_counted_no_longer(stored: Make):
    stored(*small_talk(), user("more", 1_790_009_000.0), bot("yes", 1_790_009_001.0))
    before = kept()
    stored(*small_talk(sender="ben"), event("pause", 5.0, "ben"))
    forget("ben")
    assert kept() == before
    forget("anna")
    assert kept() == {}


def test_conversations_that_were_there_before_are_counted_once(stored: Make):
    stored(*small_talk(), user("web", 1_790_000_005.0, channel="web"))
    stored(*small_talk(sender="ben"))
    right = kept()
    Conversation.objects.update(is_counted=False, first_channel="", first_model_id="")
    TallyEntry.objects.all().delete()
    NameEntry.objects.all().delete()
    stored(user("meanwhile", 1_790_000_006.0))
    assert kept() == {}
    assert (tallies.count_waiting(), tallies.count_waiting()) == (2, 0)
    assert exact()
    forget("anna")
    stored(*small_talk(), user("web", 1_790_000_005.0, channel="web"))
    assert kept() == right


def test_entries_are_added_to_the_sums_and_nothing_changes(stored: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tallies, "ENTRIES", 1)
    stored(*small_talk())
    stored(
        *small_talk(1_790_003_000.0),
        *small_talk(1_790_003_000.0, sender="ben"),
        user("??", -5.0, intent="nlu_fallback"),
    )
    before = kept()
    assert tallies.settle() > 5
    assert not TallyEntry.objects.exists()
    assert kept() == before
    assert exact()
    days = NameTally.objects.filter(span=24, name="greet").values_list("hour", "count")
    assert dict(days) == {1_790_000_000 // 86400 * 24: 3}


def test_sums_that_are_nothing_are_gone(stored: Make):
    stored(*small_talk())
    tallies.settle()
    forget("anna")
    tallies.settle()
    assert not Tally.objects.exists()
    assert not NameTally.objects.exists()


def test_rebuilding_leaves_the_counts_as_they_are_or_mends_where_they_lie(stored: Make):
    stored(*small_talk(), user("web", 1_790_000_005.0, channel="web"))
    before = kept()
    list(rebuild_conversations())
    assert kept() == before
    assert TallyEntry.objects.count() == 2


def differences(environment: Environment, *, check: bool = False) -> list[tuple[str, int]]:
    *_, last = recount(environment.assistant, check=check)
    return sorted((one.name, one.by) for one in last.differences)


def test_counting_anew_finds_and_mends_what_is_wrong(stored: Make, environment: Environment):
    stored(*small_talk(), user("web", 1_790_000_005.0, channel="web"))
    tallies.settle()
    stored(*small_talk(sender="ben"))
    assert differences(environment) == []
    right = kept()
    Tally.objects.update(user_messages=7)
    NameEntry.objects.filter(kind="action").delete()
    wrong = [("action utter_greet", 1), ("user_messages", -6), ("user_messages", -6)]
    assert differences(environment, check=True) == wrong
    assert differences(environment) == wrong
    assert kept() == right
    assert differences(environment) == []


def test_days_of_names_that_are_not_the_sum_of_their_hours_are_mended(stored: Make, environment: Environment):
    stored(*small_talk())
    tallies.settle()
    NameTally.objects.filter(span=24, name="greet").update(count=5)
    assert differences(environment, check=True) == [("intent greet", -4)]
    assert differences(environment) == [("intent greet", -4)]
    assert NameTally.objects.get(span=24, name="greet").count == 1


def test_the_command_compares_the_counts_as_well(stored: Make):
    stored(*small_talk())
    TallyEntry.objects.update(sessions=3)
    out = io.StringIO()
    with pytest.raises(CommandError, match="0 facts of conversations and 1 counts"):
        call_command("rebuild_conversations", "--check", stdout=out)
    assert "sessions is 2 too many" in out.getvalue()
    call_command("rebuild_conversations", stdout=out)
    assert exact()


@pytest.mark.django_db(transaction=True)
def test_what_is_stored_while_counting_anew_is_counted_once(stored: Make, environment: Environment):
    stored(*small_talk())
    stored(*small_talk(sender="ben"))
    TallyEntry.objects.all().delete()
    counting = recount(environment.assistant)
    next(counting)
    with ThreadPoolExecutor() as threads:
        threads.submit(store_elsewhere, environment).result()
    assert [one.by for one in [*counting][-1].differences if one.name == "user_messages"] == [2]
    assert exact()


def store_elsewhere(environment: Environment) -> None:
    store_events(environment, user("meanwhile", 1_790_000_009.0), *small_talk(sender="carla"))
    tallies.settle()
    connection.close()
