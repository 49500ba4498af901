"""Taking back what was said."""

from typing import Any

from django.test import Client

from conversations.chat.rewinding import rewinding
from conversations.chat.transcript import as_stored
from conversations.chat.turns import grouped, turns_of
from conversations.models import TalkSession
from conversations.presentation.applied import REWOUND_TO, SAID_AGAIN, applied
from conversations.presentation.explained import explained, turn_around
from conversations.presentation.stories import file_yaml, stories_of
from tests.conversations.events import action, bot, event, slot, small_talk, user
from tests.conversations.fake_channel import Channel, say
from tests.conversations.test_explained import FORM
from tests.factories import make_person
from tests.rasa.servers import Reply

Json = dict[str, Any]


def texts(events: list[Json]) -> list[str]:
    return [one["text"] for one in events if one["event"] == "user"]


def after_rewind(events: list[Json], text: str) -> list[Json]:
    """The events with those of a rewind to the message of that text."""
    found = as_stored(events)
    target = next(row for row, one in zip(found, events, strict=True) if one.get("text") == text and row.kind == "user")
    new = rewinding(found, target)
    return [*events, *({"timestamp": 100.0 + at, **one} for at, one in enumerate(new))]


def state(events: list[Json]) -> list[tuple[str, str]]:
    """What makes Rasa's state, without the times."""
    by_pk = {row.pk: one for row, one in zip(as_stored(events), events, strict=True)}
    kept = (by_pk[row.pk] for row in applied(as_stored(events)))
    return [(one["event"], str(one.get("name") or one.get("text"))) for one in kept]


THREE = [
    *small_talk(1.0),
    user("second", 10.0), action("utter_second", 10.1), bot("2", 10.2), action("action_listen", 10.3),
    user("third", 20.0), slot("x", 1, 20.05), action("utter_third", 20.1), bot("3", 20.2), action("action_listen", 20.3),
]  # fmt: skip


def test_rasa_stands_where_it_stood_before_the_message():
    for text, until in (("third", 12), ("second", 8), ("hi", 3)):
        assert state(after_rewind(THREE, text)) == state(THREE[:until]), text


def test_a_message_within_a_form_is_taken_back_without_the_form():
    more = [
        *FORM,
        user("Sunday", 5.0),
        slot("day", "Sunday", 5.1),
        action("book_table_form", 5.2),
        action("action_listen", 5.3),
    ]
    for text, until in (("Sunday", len(FORM)), ("two on Sunday", 7)):
        events = after_rewind(more, text)
        assert state(events) == state(more[:until]), text
        assert any(SAID_AGAIN in one["metadata"] for one in events[len(more) :]), "Rasa took more than that back"


def test_what_was_taken_back_can_be_gone_on_from_and_taken_back_again():
    events = after_rewind(THREE, "second")
    events += [user("other", 200.0), action("utter_other", 200.1), action("action_listen", 200.2)]
    again = after_rewind(events, "other")
    assert state(again) == state(THREE[:8])


def test_every_rewind_is_an_event_of_its_own_that_says_how_far():
    new = after_rewind(THREE, "second")[len(THREE) :]
    rewinds = [one for one in new if one["event"] == "rewind"]
    assert len(rewinds) == 2
    assert len({str(one["metadata"]) for one in rewinds}) == 2
    assert {one["metadata"][REWOUND_TO] for one in rewinds} == {10.0}
    assert {one["metadata"]["assistant_id"] for one in rewinds} == {"cafe"}


def test_the_chat_shows_it_folded_and_nothing_twice():
    more = [
        *FORM,
        user("Sunday", 5.0),
        action("book_table_form", 5.2),
        bot("At what time?", 5.25),
        action("action_listen", 5.3),
    ]
    turns = turns_of(as_stored(after_rewind(more, "Sunday")))
    shown = [(undone, [turn.sent for turn in some]) for undone, some in grouped(turns)]
    assert shown == [(False, ["a table please", "two on Sunday"]), (True, ["Sunday"])]


def test_a_rewind_by_an_action_as_rasas_fallback_does_it_folds_nothing():
    fallback = [
        user("blorp", 30.0), slot("x", 2, 30.05), action("action_default_fallback", 30.1), event("rewind", 30.2),
        bot("Say it again?", 30.3), action("action_listen", 30.4),
    ]  # fmt: skip
    found = as_stored([*THREE, *fallback])
    assert [turn.is_undone for turn in turns_of(found)] == [False] * 4
    turn = explained(found[: len(THREE)], found[len(THREE) :])
    assert [one.name for one in turn.decisions] == ["action_default_fallback", "action_listen"]
    assert [(one.name, one.value) for one in turn.slots if one.name == "x"] == [("x", "1")]
    assert turn_around(found, len(found) - 1) == (len(THREE), len(found))


def test_a_story_tells_what_stands():
    text = file_yaml(stories_of(as_stored(after_rewind(THREE, "second")), "training", "x"))
    assert "greet" in text
    assert "utter_second" not in text
    assert "utter_third" not in text
    more = [*FORM, user("Sunday", 5.0, intent="deny"), action("book_table_form", 5.2), action("action_listen", 5.3)]
    told = file_yaml(stories_of(as_stored(after_rewind(more, "Sunday")), "test", "x"))
    assert (told.count("intent: book_table"), told.count("intent: inform"), told.count("deny")) == (1, 1, 0)


# --- The page ---


def rewind(client: Client, addresses: dict[str, str], turn: str = "") -> Any:
    return client.post(addresses["rewind"], {"turn": turn})


def memory(channel: Channel) -> list[Json]:
    assert channel.memory is not None
    [events] = channel.memory.values()
    return events


def begin(client: Client, base: str, channel: Channel, *said: str) -> dict[str, str]:
    channel.memory = {}
    address = f"{base}say"
    for text in said:
        addresses: dict[str, str] = say(client, address, text).json()["addresses"]
        address = addresses["say"]
    return addresses


def test_taking_back_gives_the_text_back_and_the_conversation_anew(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one", "two", "three")
    second = next(repr(one["timestamp"]) for one in memory(channel) if one.get("text") == "two")
    answer = rewind(client, addresses, second).json()
    assert answer["text"] == "two"
    assert answer["told"] == "2 messages taken back."
    assert "2 turns taken back" in answer["log"]
    assert float(answer["after"]) >= memory(channel)[-1]["timestamp"]
    assert state(memory(channel))[-1] == ("action", "action_listen")
    assert [one for one in state(memory(channel)) if one[0] == "user"] == [("user", "one")]


def test_without_a_place_the_last_message_is_meant(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one", "two")
    assert rewind(client, addresses).json()["text"] == "two"
    assert rewind(client, addresses).json()["text"] == "one"
    last = rewind(client, addresses)
    assert (last.status_code, last.json()["code"]) == (409, "conflict")


def test_twice_the_same_is_refused(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one", "two")
    place = repr(memory(channel)[-4]["timestamp"])
    assert rewind(client, addresses, place).status_code == 200
    again = rewind(client, addresses, place)
    assert again.status_code == 409
    assert "taken back already" in again.json()["error"]


def test_what_another_tab_says_meanwhile_goes_as_well(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one", "two")
    [(speaker, events)] = channel.memory.items()
    path = f"/conversations/{speaker}/tracker"
    answer, looks = channel.server.replies[path], []

    def slow(seen: Any) -> Reply:
        reply = Reply(body={"events": list(events)})
        if not looks:
            looks.append(seen)
            channel._remember(speaker, "three")
            channel.server.replies[path] = slow
        return reply

    channel.server.replies[path] = slow
    assert rewind(client, addresses, repr(events[1]["timestamp"])).status_code == 200
    assert not [one for one in state(events) if one[0] == "user"]
    assert answer is not slow


def test_before_a_restart_there_is_no_way_back(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one")
    first = repr(memory(channel)[1]["timestamp"])
    memory(channel).append(event("restart", memory(channel)[-1]["timestamp"] + 1))
    refused = rewind(client, addresses, first)
    assert refused.status_code == 409
    assert "restart or a new session" in refused.json()["error"]


def test_a_server_that_is_away_or_shut_says_so(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one")
    [speaker] = channel.memory or {}
    channel.server.replies[f"/conversations/{speaker}/tracker"] = Reply(401, {})
    shut = rewind(client, addresses)
    assert (shut.status_code, shut.json()["code"]) == (502, "no-api")
    channel.server.close()
    assert rewind(client, addresses).status_code == 502


def test_a_second_tab_is_told_by_the_news(client: Client, base: str, channel: Channel, stored):
    addresses = begin(client, base, channel, "one", "two")
    stored(*memory(channel))
    after = repr(memory(channel)[-1]["timestamp"])
    assert "log" not in client.get(addresses["news"], {"after": after}).json()
    rewind(client, addresses)
    stored(*({**one, "sender_id": TalkSession.objects.get().sender_id} for one in memory(channel)))
    news = client.get(addresses["news"], {"after": after}).json()
    assert "1 turn taken back" in news["log"]
    assert "log" not in client.get(addresses["news"], {"after": news["after"]}).json()
    page = client.get(addresses["page"]).content.decode()
    assert "1 turn taken back" in page


def test_nobody_takes_back_what_somebody_else_said(client: Client, base: str, channel: Channel):
    addresses = begin(client, base, channel, "one")
    client.force_login(make_person("admin"))
    assert rewind(client, addresses).status_code == 404
    assert len([one for one in memory(channel) if one["event"] == "rewind"]) == 0
