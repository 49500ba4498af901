"""What a conversation's row says of its events: names, counts, replies, hand-over, environments."""

from collections.abc import Callable

import pytest
from django.db import connection

from conversations.ingest.facts import MOST_NAMES
from conversations.ingest.write import Stored
from conversations.models import Conversation, IntakeStream
from conversations.services.rebuild import rebuild_conversations
from environments.models import Environment
from tests.conversations.events import action, bot, event, slot, small_talk, user

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


def test_a_conversation_names_everything_that_its_events_name(stored: Make):
    stored(*small_talk(), user("to Bern", 1_790_000_002.0, intent="go", entities=[{"entity": "city"}], channel="web"))
    stored(bot("?", 1_790_000_003.0, model="m-0"), event("entities", 1_790_000_004.0, entities=[{"entity": "day"}]))
    one = Conversation.objects.get()
    assert (one.intents, one.entities, one.channels) == (["go", "greet"], ["city", "day"], ["rasa", "web"])
    assert one.actions == ["action_listen", "action_session_start", "utter_greet"]
    assert (one.policies, one.slots, one.model_ids) == (["RulePolicy"], ["day"], ["m-0", "m-1"])


def test_the_sets_keep_the_first_names_of_the_alphabet_in_whatever_order_they_came(stored: Make):
    names = [f"s{number:04}" for number in range(MOST_NAMES + 5)]
    for part in (names[600:], names[:300], names[300:600]):
        stored(*(slot(name, 1, 5.0) for name in part))
    assert Conversation.objects.get().slots == names[:MOST_NAMES]


def test_restarts_and_rejected_executions_are_counted(stored: Make):
    stored(event("restart", 1.0), event("action_execution_rejected", 2.0, name="form"), event("restart", 3.0))
    one = Conversation.objects.get()
    assert (one.restart_count, one.rejected_count) == (2, 1)


@pytest.mark.parametrize(
    ("sign", "is_one"),
    [
        (event("pause", 7.0), True),
        (event("agent", 7.0, text="I am human"), True),
        (action("action_human_handoff", 7.0), True),
        (action("action_hand_over", 7.0), True),
        (action("utter_human_handoff_not_available", 7.0), False),
        (action("action_handle_payment", 7.0), False),
    ],
)
def test_what_marks_a_hand_over(stored: Make, sign: dict, is_one: bool):
    stored(sign, sign | {"timestamp": 8.0})
    assert Conversation.objects.get().handover_at == (7.0 if is_one else None)


def test_environments_seen_are_those_its_events_came_under(stored: Make):
    stored(user("hi", 1.0))
    stored(user("ho", 2.0), under="elsewhere")
    assert Conversation.objects.get().environment_names == ["elsewhere", "production"]


def replies() -> tuple[int, int]:
    return Conversation.objects.values_list("reply_count", "reply_ms").get()


def test_a_reply_is_a_bot_message_that_comes_next_after_a_users(stored: Make):
    stored(user("a", 10.0), action("utter", 10.2), bot("A", 10.5), bot("A2", 11.0), user("b", 20.0), user("c", 21.0))
    assert replies() == (1, 500)
    stored(bot("C", 21.25))
    assert replies() == (2, 750)


def test_a_message_that_comes_late_parts_a_question_from_what_seemed_its_reply(stored: Make):
    stored(user("a", 10.0), bot("B", 20.0))
    assert replies() == (1, 10_000)
    stored(user("b", 19.0))
    assert replies() == (1, 1000)
    stored(bot("A", 10.5))
    assert replies() == (2, 1500)


def test_a_long_conversation_costs_only_what_is_added_to_it(stored: Make):
    stored(*(line for turn in range(1000) for line in (user("?", turn), action("x", turn + 0.1), bot("!", turn + 0.5))))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        reads = "SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0) FROM pg_stat_xact_user_tables WHERE relname = %s"
        cursor.execute(reads, ["conversations_event"])
        before = cursor.fetchone()[0]
        stored(user("more", 5000.0))
        cursor.execute(reads, ["conversations_event"])
        assert cursor.fetchone()[0] - before < 30
    assert replies() == (1000, 500_000)


def test_an_environment_that_adopts_a_name_has_the_conversations_that_come_under_it_and_a_rebuild_says_so_too(
    stored: Make, environment: Environment
):
    stored(user("hi", 10.0), under="elsewhere")
    IntakeStream.objects.filter(environment_name="elsewhere").update(adopted_by=environment)
    Conversation.objects.update(environment=environment)  # as adopting does
    stored(user("earlier", 5.0), under="elsewhere")
    assert Conversation.objects.get().environment == environment
    assert [one.differences for one in rebuild_conversations(check=True)] == [[]]
