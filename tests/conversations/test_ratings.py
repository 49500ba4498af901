"""What guests think of replies: before and after the reply's event came, for the team, in files, and gone with it all."""

import csv
import io
import json
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from conversations.filters import ConversationFilter
from conversations.models import Conversation, Event, Rating, ShareGuest, ShareLink, TalkSession
from conversations.services import ratings
from conversations.services.erasing import erase_conversation
from conversations.services.exporting import Format, content
from models_app.models import Assistant
from tests.clients import client_of
from tests.conversations.events import action, bot, user
from tests.conversations.events import small_talk as small_talk_at
from tests.conversations.fake_channel import Channel
from tests.conversations.guest_fixtures import link, page, say, set_options
from tests.factories import make_person

__all__ = ["link", "page"]


def small_talk(sender: str) -> list[dict[str, Any]]:
    """As it was just held: by the time of an answer its event is known."""
    return small_talk_at(time.time(), sender)


def key_in(html: str) -> str:
    return re.findall(r'data-rate="([^"]+)"', html)[-1]


def rate(client: Client, page: str, key: str, value: str = "up", comment: str = "") -> Any:
    return client.post(f"{page}/rate", {"key": key, "value": value, "comment": comment})


def sender() -> str:
    return TalkSession.objects.latest("pk").sender_id


def counts() -> tuple[int, int, int]:
    row = Conversation.objects.get()
    return row.rated_up, row.rated_down, row.rated_comments


def test_a_rating_of_a_reply_whose_event_comes_later_finds_it(client: Client, page: str, stored):
    key = key_in(say(client, page).json()["html"])
    assert rate(client, page, key, "down", "Too short").status_code == 200
    rating = Rating.objects.get()
    assert (rating.event, rating.is_up, rating.comment) == (None, False, "Too short")
    assert ratings.settle_waiting() == 0
    stored(*small_talk(sender=sender()))
    assert ratings.settle_waiting() == 0, "not looked for again at once"
    Rating.objects.update(look_at=timezone.now())
    assert ratings.settle_waiting() == 1
    rating.refresh_from_db()
    assert rating.event == Event.objects.get(kind="bot")
    assert counts() == (0, 1, 1)


def test_ratings_that_find_nothing_hold_up_no_other(client: Client, page: str, stored, monkeypatch):
    monkeypatch.setattr(ratings, "AT_ONCE", 1)
    rate(client, page, key_in(say(client, page).json()["html"]), "up")
    stored(*small_talk(sender=sender()))
    for _ in range(3):  # newer ones, whose events never come
        other = Client()
        rate(other, page, key_in(say(other, page).json()["html"]), "down")
    assert sum(ratings.settle_waiting() for _ in range(4)) == 1
    assert Rating.objects.get(is_up=True).event is not None
    assert ratings.settle_waiting() == 0
    assert not Rating.objects.filter(event=None, look_at__lte=timezone.now()).exists(), (
        "each waits before the next look"
    )


def test_one_that_fails_holds_up_no_other(client: Client, page: str, stored, monkeypatch):
    rate(client, page, key_in(say(client, page).json()["html"]), "up")
    monkeypatch.setattr(ratings, "_settle", None)
    stored(*small_talk(sender=sender()))
    with pytest.raises(TypeError):
        ratings.settle_waiting()
    assert ratings.settle_waiting() == 0


def test_a_rating_whose_reply_never_comes_is_kept_counted_and_shown(
    client: Client, assistant: Assistant, page: str, stored, redis_client
):
    rate(client, page, key_in(say(client, page).json()["html"]), "down", "Never arrived")
    stored(*small_talk_at(time.time() - 3600, sender()))  # another reply
    Rating.objects.update(at=timezone.now() - timedelta(days=31))
    ratings.settle_waiting()
    rating = Rating.objects.get()
    assert (rating.event, rating.look_at) == (None, None), "nobody looks any more"
    assert counts() == (0, 1, 1)
    team = client_of(make_person("annotator"))
    text = team.get(f"/a/{assistant.slug}/conversations/{Conversation.objects.get().pk}").content.decode()
    assert "the guest disliked this" in text and "Never arrived" in text


def test_a_rating_can_be_changed_and_taken_back_by_either_name(client: Client, page: str, stored):
    receipt = key_in(say(client, page).json()["html"])
    rate(client, page, receipt, "down", "Hm")
    stored(*small_talk(sender=sender()))
    [turn] = client.get(f"{page}/news", {"after": "0"}).json()["turns"]
    event = key_in(turn["html"])
    assert event.startswith("e") and 'data-value="down"' in turn["html"] and ">Hm</textarea>" in turn["html"]
    rate(client, page, event, "up", "Better now")
    assert counts() == (1, 0, 1)
    rate(client, page, receipt, "up")
    assert (counts(), Rating.objects.count()) == ((1, 0, 0), 1)
    assert 'aria-pressed="true"' in client.get(page).content.decode()
    rate(client, page, event, "")
    assert (counts(), Rating.objects.count()) == ((0, 0, 0), 0)


def test_of_the_same_words_said_twice_each_rating_finds_its_own(client: Client, page: str, stored):
    keys = [key_in(say(client, page).json()["html"]) for _ in range(2)]
    who = sender()
    rate(client, page, keys[0], "down")
    rate(client, page, keys[1], "up")
    first, second = Rating.objects.order_by("answered_at")
    at = first.answered_at or 0.0
    Rating.objects.filter(pk=second.pk).update(answered_at=at + 10)
    for start in (at - 1, at + 9):
        stored(*[one | {"sender_id": who} for one in (
            user("hi", start), action("utter_greet", start + 0.5), bot("Hello!", start + 1),
            action("action_listen", start + 1.1),
        )])  # fmt: skip
    ratings.settle_waiting()
    tied = dict(Rating.objects.values_list("event__timestamp", "is_up"))
    assert tied == {at: False, at + 10: True}


def test_a_rating_waits_for_its_own_reply_and_takes_no_earlier_one(client: Client, page: str, stored):
    rate(client, page, key_in(say(client, page).json()["html"]), "down")
    at = Rating.objects.get().answered_at or 0.0
    stored(*small_talk_at(at - 120, sender()))  # the same words, two minutes before
    ratings.settle_waiting()
    assert Rating.objects.get().event is None
    stored(*small_talk_at(at - 1.3, sender()))
    Rating.objects.update(look_at=timezone.now())
    ratings.settle_waiting()
    assert Rating.objects.get().event == Event.objects.filter(kind="bot").latest("timestamp")


def test_a_rating_does_not_take_the_reply_of_another(client: Client, page: str, stored):
    first, second = [key_in(say(client, page).json()["html"]) for _ in range(2)]
    rate(client, page, second, "down", "Wrong")
    stored(*small_talk(sender()))
    ratings.settle_waiting()
    rate(client, page, first, "up")  # its event is still to come
    ratings.settle_waiting()
    assert set(Rating.objects.values_list("is_up", "event")) == {
        (True, None),
        (False, Event.objects.get(kind="bot").pk),
    }


def test_what_only_rasa_remembers_has_no_thumbs(client: Client, page: str, channel: Channel, stored):
    channel.memory = {}
    say(client, page)
    text = client.get(page).content.decode()
    assert "Hello!" in text and "data-rate=" not in text
    stored(*channel.memory[sender()])
    assert "data-rate=" in client.get(page).content.decode()


def test_only_ones_own_replies_can_be_rated(client: Client, page: str, stored):
    key = key_in(say(client, page).json()["html"])
    stored(*small_talk(sender=sender()))
    event = f"e{Event.objects.get(kind='bot').pk}"
    said = f"e{Event.objects.get(kind='user').pk}"
    stranger = Client()
    assert rate(stranger, page, key).status_code == 410
    say(stranger, page)
    for foreign in (key, event, "e999999999", "nonsense", "", "e1; drop", "e" + "9" * 30, "e" + "9" * 5000):
        assert rate(stranger, page, foreign).status_code == 410, foreign
    assert rate(client, page, said).status_code == 410, "nobody rates what they said themselves"
    assert rate(client, page, key, "sideways").status_code == 422
    assert rate(client, page, key, "up", "x" * 501).status_code == 422
    assert not Rating.objects.exists()
    assert rate(client, page, event).status_code == 200


def test_where_ratings_are_off_there_are_none(client: Client, page: str, link: ShareLink):
    key = key_in(say(client, page).json()["html"])
    set_options(link, takes_ratings=False)
    assert rate(client, page, key).status_code == 410
    assert "data-rate=" not in say(client, page).json()["html"]


def test_a_rating_goes_with_its_conversation_and_so_does_the_guest(client: Client, page: str, stored):
    key = key_in(say(client, page).json()["html"])
    rate(client, page, key, "up", "Thank you, says Anna")
    stored(*small_talk(sender=sender()))
    ratings.settle_waiting()
    erase_conversation(actor=make_person("admin"), conversation=Conversation.objects.get())
    assert [one.objects.count() for one in (Rating, TalkSession, ShareGuest, Conversation)] == [0, 0, 0, 0]
    assert rate(client, page, key).status_code == 410


@pytest.fixture
def rated(client: Client, page: str, stored) -> Conversation:
    key = key_in(say(client, page).json()["html"])
    stored(*small_talk(sender=sender()))
    stored(*small_talk(sender="somebody"))
    rate(client, page, key, "down", '=1+1 "so" \n{bad}')
    ratings.settle_waiting()
    return Conversation.objects.get(origin="share")


@pytest.mark.parametrize(("asked", "found"), [("down", True), ("commented", True), ("up", False)])
def test_the_list_is_narrowed_by_what_guests_thought(
    assistant: Assistant, rated: Conversation, asked: str, found: bool
):
    filters = ConversationFilter({"rated": asked}, assistant=assistant, viewer=make_person("admin"))
    assert list(filters.apply(Conversation.objects.all())) == ([rated] if found else [])


def test_the_team_reads_it_at_the_reply_and_in_the_list(assistant: Assistant, rated: Conversation, redis_client):
    client = client_of(make_person("annotator"))
    text = client.get(f"/a/{assistant.slug}/conversations/{rated.pk}").content.decode()
    assert "the guest disliked this" in text and "&quot;so&quot;" in text
    listed = client.get(f"/a/{assistant.slug}/conversations/?rated=commented").content.decode()
    assert "Replies that the guest disliked" in listed and "With a comment" in listed


def test_files_hold_the_ratings(rated: Conversation):
    ids = [list(Conversation.objects.order_by("pk").values_list("pk", flat=True))]
    lines = [json.loads(line) for line in b"".join(content(ids, Format.JSONL)).splitlines()]
    facts = {line["parley"]["id"]: line["parley"]["ratings"] for line in lines}
    (one,) = facts.pop(rated.pk)
    bot_at = Event.objects.get(conversation=rated, kind="bot").timestamp
    assert (one["rating"], one["comment"], one["event_time"]) == ("down", '=1+1 "so" \n{bad}', bot_at)
    assert list(facts.values()) == [[]]
    messages = csv.DictReader(io.StringIO(b"".join(content(ids, Format.MESSAGES)).decode(), newline=""))
    noted = [(row["who"], row["rating"], row["comment"]) for row in messages if row["rating"]]
    assert noted == [("bot", "down", '\'=1+1 "so" \n{bad}')]
    rows = csv.DictReader(io.StringIO(b"".join(content(ids, Format.CONVERSATIONS)).decode(), newline=""))
    assert sorted((row["rated_down"], row["comments"]) for row in rows) == [("0", "0"), ("1", "1")]


def test_a_long_conversation_keeps_its_ratings_in_the_file(rated: Conversation, monkeypatch):
    monkeypatch.setattr("conversations.services.exporting.LONG", 2)
    (line,) = b"".join(content([[rated.pk]], Format.JSONL)).splitlines()
    assert json.loads(line)["parley"]["ratings"][0]["rating"] == "down"
