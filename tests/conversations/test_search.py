"""What the filters find, however rare it is, and in whatever order: compared with looking at every event."""

import random
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations import paging, window
from conversations.filters import ConversationFilter
from conversations.ingest.write import Stored
from conversations.models import Conversation, SavedFilter, SearchEntry, Term
from conversations.paging import NEWEST, page_around, page_of
from conversations.search import text as search_text
from conversations.search.snippets import first_said, snippets
from conversations.search.terms import named_value, of_event, words
from conversations.services import indexing
from conversations.services.rebuild import rebuild_conversations
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import Scope
from tests.clients import client_of
from tests.conversations.events import action, bot, event, slot, user
from tests.factories import environment_of, make_person, store_events

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


@pytest.fixture
def admin(db: None) -> User:
    return make_person("admin")


@pytest.fixture
def find(admin: User, assistant: Assistant) -> Callable[..., list[str]]:
    """The senders of the conversations that a query of the list shows, in its order, all its pages one after another."""

    def found(**query: object) -> list[str]:
        request = RequestFactory().get("/", query)
        request.user = admin
        filters = ConversationFilter(request.GET, assistant=assistant, viewer=admin)
        assert filters.is_valid(), filters.errors
        listed, senders, after = filters.listing(), [], None
        while True:
            page = page_of(listed, after=after)
            senders += [one.sender_id for one in page.rows]
            if page.older is None:
                return senders
            after = page.older

    return found


# --- Text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("table", ["anna"]),
        ("TABL", ["anna"]),
        ("abl", ["anna"]),
        ("window table", ["anna"]),
        ("table münchen", []),
        ('"table by the"', ["anna"]),
        ('"by the table"', []),
        ('"able by"', ["anna"]),
        ('"ble by the win"', ["anna"]),
        ('"table b window"', []),
        ('"indo"', ["anna"]),
        ('"711/X, 1"', ["ben"]),
        ('"ご予"', ["chiyo"]),
        ("münchen", ["ben"]),
        ("MÜN", ["ben"]),
        ("strasse", ["ben"]),
        ("4711", ["ben"]),
        ("A-4711", ["ben"]),
        ("100%", ["ben"]),
        ("%", ["ben"]),
        ("予約", ["chiyo"]),
        ("🦊", ["chiyo"]),
        ("goodbye", ["ben", "anna"]),
        ("zebra", []),
        ('"', ["chiyo", "ben", "anna"]),
        ("_", []),
    ],
)
def test_what_was_said_is_found_by_any_part_of_it(find: Any, stored: Make, query: str, found: list[str]):
    stored(
        user("A table by the window", 1.0, sender="anna"),
        bot("Goodbye", 2.0, sender="anna"),
        user("Münchenstraße A-4711/x, 100%", 3.0, sender="ben"),
        bot("Goodbye", 4.0, sender="ben"),
        user("ご予約🦊", 5.0, sender="chiyo"),
    )
    assert find(q=query) == found


@pytest.mark.parametrize("many", [1, search_text.MANY_WORDS])
def test_parts_of_many_words_are_found_in_every_way(
    find: Any, stored: Make, monkeypatch: pytest.MonkeyPatch, many: int
):
    monkeypatch.setattr(search_text, "FEW_WORDS", 1)
    monkeypatch.setattr(search_text, "MANY_WORDS", many)
    monkeypatch.setattr(paging, "NEAR", 1)
    stored(*(user(f"word{n} other{n}", float(n), sender=f"s{n}") for n in range(6)))
    assert find(q="word") == ["s5", "s4", "s3", "s2", "s1", "s0"]
    assert find(q="ord1") == ["s1"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("table", ("One ", "table", " for two, please")),
        ("ABLE", ("One t", "able", " for two, please")),
        ('"two, pl" table', ("One table for ", "two, pl", "ease")),
        ("tomorrow", None),  # stands in the title
        ("strasse", None),  # is found, but is not written so
        ("", None),
    ],
)
def test_a_row_says_where_the_words_stand(
    client: Client, admin: User, assistant: Assistant, stored: Make, query: str, shown: Any
):
    client.force_login(admin)
    said = user("One table for two, please", 2.0), bot("Straße 1", 3.0), bot("The table is yours", 4.0)
    stored(user("Hello, tomorrow?", 1.0), *said)
    page = client.get(reverse("conversations:list", args=[assistant.slug]), {"q": query})
    (row,) = page.context["rows"]
    html = page.content.decode()
    if shown is None:
        assert not row.says_more and "<mark>" not in html
    else:
        assert (row.snippet.before, row.snippet.found, row.snippet.after) == shown
        assert f"{shown[0]}<mark>{shown[1]}</mark>{shown[2]}" in html
        assert f"at={row.snippet.event_id}#e{row.snippet.event_id}" in html


@pytest.mark.parametrize("query", ["table", "ABLE", '"two, pl" table', "tomorrow", "strasse", "", "ja%", "İstanbul"])
def test_in_events_at_hand_the_same_is_found(stored: Make, query: str):
    stored(user("Hello, tomorrow?", 1.0), user("One table for two, please", 2.0), bot("Straße 1, İstanbul", 3.0))
    conversation = Conversation.objects.get()
    here = first_said(window.latest(conversation).events, query)
    there = snippets([conversation], query).get(conversation.pk)
    assert (here and here.pk) == (there and there.event_id)


def test_a_long_message_is_cut_to_what_stands_around(stored: Make):
    stored(user("x " * 500 + "needle" + " y" * 500, 1.0))
    (found,) = snippets(list(Conversation.objects.all()), "needle").values()
    assert (found.before, found.found, found.after) == ("…" + "x " * 30, "needle", " y" * 30 + "…")


# --- Everything else --------------------------------------------------------------------------------------------------


def _story(chance: random.Random, sender: str, at: float) -> list[dict[str, Any]]:
    channel, model, events = chance.choice(["rest", "telegram"]), chance.choice(["m-1", "m-2"]), []
    for _ in range(chance.randint(1, 5)):
        at += chance.random() * 3000
        about = {"sender": sender, "model": model}
        intent, city = chance.choice(["greet", "book", "nlu_fallback"]), chance.choice(["Bern", "Zürich  HB", "rome"])
        entities = [{"entity": "city", "value": city}] if chance.random() < 0.5 else []
        said = chance.choice(["a table please", "tomorrow", "never mind"])
        events.append(
            user(said, at, intent=intent, confidence=chance.random(), entities=entities, channel=channel, **about)
        )
        if entities:
            events.append(slot("city", city, at + 0.1, **about))
        events.append(action(chance.choice(["utter_greet", "action_book"]), at + 0.2, "MemoPolicy", **about))
        if chance.random() < 0.2:
            events.append(event("action_execution_rejected", at + 0.3, name="action_book", **about))
        if chance.random() < 0.2:
            events.append(event("pause", at + 0.4, **about))
        events.append(bot("Hello there", at + 0.5, **about))
    return events


FILTERS: list[dict[str, object]] = [
    {"intent": "book"},
    {"not_intent": "book"},
    {"intent": "greet", "not_intent": "book"},
    {"intent": "never"},
    {"entity": "city"},
    {"entity": "city=bern"},
    {"entity": "city = zürich hb"},
    {"slot": "city=Rome"},
    {"action": "action_book"},
    {"policy": "MemoPolicy"},
    {"channel": "telegram"},
    {"below": "0.1"},
    {"at_least": "3"},
    {"at_most": "1"},
    {"fallback": "1"},
    {"rejected": "1"},
    {"handover": "1"},
    {"q": "tomorrow table"},
    {"q": '"table please"', "intent": "book", "handover": "1"},
    {"begun_from": "03:00", "begun_until": "09:30"},
    {"begun_from": "22:00", "begun_until": "04:00", "tz": "Asia/Kolkata"},
    {"happened": "fallback", "happened_from": "2026-09-21T16:00", "happened_until": "2026-09-22T12:00"},
    {"happened_from": "2026-09-23T00:00"},
    {"happened": "began", "happened_until": "2026-09-22T03:00", "tz": "Asia/Kolkata"},
    {"happened": "rejected", "channel": "telegram"},
]


def _matches(query: dict[str, Any], events: list[dict[str, Any]]) -> bool:
    users = [one for one in events if one["event"] == "user"]
    texts = " | ".join(one["text"] for one in events if one.get("text"))
    intents = {one["parse_data"]["intent"]["name"] for one in users}
    entities = {(one["entity"], one["value"]) for said in users for one in said["parse_data"]["entities"]}
    kinds = {one["event"] for one in events}
    slots = {(one["name"], one["value"]) for one in events if one["event"] == "slot"}
    minutes = (events[0]["timestamp"] + (19_800 if "tz" in query else 0)) % 86_400 / 60
    holds = {
        "intent": lambda value: value in intents,
        "not_intent": lambda value: value not in intents,
        "entity": lambda value: _has(entities, value),
        "slot": lambda value: _has(slots, value),
        "action": lambda value: any(one["event"] == "action" and one["name"] == value for one in events),
        "policy": lambda value: any(one.get("policy") == value for one in events),
        "channel": lambda value: any(one["input_channel"] == value for one in users),
        "below": lambda value: min(one["parse_data"]["intent"]["confidence"] for one in users) < float(value),
        "at_least": lambda value: len(users) >= int(value),
        "at_most": lambda value: len(users) <= int(value),
        "fallback": lambda _: "nlu_fallback" in intents,
        "rejected": lambda _: "action_execution_rejected" in kinds,
        "handover": lambda _: "pause" in kinds,
        "q": lambda value: value.strip('"') in texts if '"' in value else all(one in texts for one in value.split()),
        "begun_from": lambda value: _within(minutes, value, query["begun_until"]),
    }
    if any(name.startswith("happened") for name in query) and not _happened(query, events):
        return False
    return all(holds[name](value) for name, value in query.items() if name in holds)


def _happened(query: dict[str, Any], events: list[dict[str, Any]]) -> bool:
    zone = ZoneInfo(query.get("tz", "UTC"))
    first, end = (
        datetime.fromisoformat(query.get(name, otherwise)).replace(tzinfo=zone).timestamp()
        for name, otherwise in (("happened_from", "2000-01-01"), ("happened_until", "2100-01-01"))
    )
    is_it: dict[str, Callable[[dict[str, Any]], bool]] = {
        "": lambda _: True,
        "began": lambda one: one is events[0],
        "fallback": lambda one: one["event"] == "user" and one["parse_data"]["intent"]["name"] == "nlu_fallback",
        "rejected": lambda one: one["event"] == "action_execution_rejected",
    }
    return any(is_it[query.get("happened", "")](one) and first <= one["timestamp"] < end for one in events)


def _has(pairs: set[tuple[str, str]], wanted: str) -> bool:
    name, equals, value = (part.strip() for part in wanted.partition("="))
    return any(
        one == name and (not equals or " ".join(two.casefold().split()) == value.casefold()) for one, two in pairs
    )


def _within(minutes: float, since: str, until: str) -> bool:
    first, last = (int(one[:2]) * 60 + int(one[3:]) for one in (since, until))
    return first <= minutes < last if first < last else minutes >= first or minutes < last


@pytest.fixture(
    params=[(paging.NEAREST, paging.NEAR, paging.STRETCH), (1, 2, 3), (2, 3, 30)], ids=["near", "indexes", "between"]
)
def stretches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is found by looking, by the indexes, and by some of both."""
    nearest, near, stretch = request.param
    monkeypatch.setattr(paging, "NEAREST", nearest)
    monkeypatch.setattr(paging, "NEAR", near)
    monkeypatch.setattr(paging, "STRETCH", stretch)
    monkeypatch.setattr(paging, "PAGE", 4)


def test_each_filter_finds_what_a_look_at_every_event_finds(
    find: Any, assistant: Assistant, stored: Make, stretches: None
):
    chance = random.Random(7)
    stories = {f"s{n:02}": _story(chance, f"s{n:02}", 1_790_000_000.0 + n * 7000) for n in range(40)}
    stored(*(one for story in stories.values() for one in story))
    newest = sorted(stories, key=lambda one: -stories[one][-1]["timestamp"])
    assert find() == newest
    for query in FILTERS:
        assert find(**query) == [one for one in newest if _matches(query, stories[one])], query
    longest = find(sort="longest", intent="book")
    counts = dict(Conversation.objects.values_list("sender_id", "user_count"))
    assert sorted(longest) == sorted(find(intent="book"))
    assert [counts[one] for one in longest] == sorted((counts[one] for one in longest), reverse=True)
    unsure = dict(Conversation.objects.values_list("sender_id", "min_confidence"))
    assert find(sort="unsure") == sorted(stories, key=lambda one: unsure[one])
    (rebuilt,) = rebuild_conversations(assistant, check=True)
    assert rebuilt.differences == []


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-09-21T16:00", "2026-09-21T16:00", "later than where it begins"),
        ("yesterday", "", "Enter a valid date/time."),
        ("0001-01-01T00:00", "9999-12-31T23:59", ""),
    ],
)
def test_times_that_cannot_be_are_said(admin: User, assistant: Assistant, since: str, until: str, said: str):
    for zone in ("", "Pacific/Kiritimati", "America/New_York"):
        asked = {"happened_from": since, "happened_until": until, "tz": zone}
        filters = ConversationFilter(asked, assistant=assistant, viewer=admin)
        assert list(filters.apply(Conversation.objects.all())) == []
        assert said in str(filters.errors) and bool(filters.errors) == bool(said)


def test_pages_lead_back_the_way_they_came(admin: User, assistant: Assistant, stored: Make, stretches: None):
    stored(*(user("hi", 1000.0 + n, intent="ab"[n % 2], sender=f"s{n}") for n in range(20)))
    request = RequestFactory().get("/", {"intent": "a"})
    request.user = admin
    filters = ConversationFilter(request.GET, assistant=assistant, viewer=admin)
    listed = filters.listing()
    first = page_of(listed)
    second = page_of(listed, after=first.older)
    back = page_of(listed, before=second.newer)
    assert [one.sender_id for one in first.rows] == ["s18", "s16", "s14", "s12"]
    assert [one.sender_id for one in second.rows] == ["s10", "s8", "s6", "s4"]
    assert back.rows == first.rows and back.newer is None
    assert [one.sender_id for one in listed.before(NEWEST.cursor(second.rows[0]), 2)] == ["s12", "s14"]
    assert listed.count() == 10


@pytest.mark.parametrize("query", [{}, {"intent": "a"}, {"intent": "a", "sort": "longest"}], ids=str)
def test_a_place_stands_in_the_middle_of_its_page(
    query: dict[str, str], admin: User, assistant: Assistant, stored: Make, stretches: None
):
    """Also one that no filter holds: whoever follows it stands there."""
    stored(*(user("hi", 1000.0 + n, intent="ab"[n % 2], sender=f"s{n}") for n in range(20)))
    listed = ConversationFilter(query, assistant=assistant, viewer=admin).listing()
    everything = [one.pk for one in listed.after(None, 99)]
    for place in Conversation.objects.all():
        before = len(listed.before(listed.order.cursor(place), 99))
        begins = max(0, before - 2)
        expected = everything[begins : begins + 4]
        page = page_around(listed, listed.order.cursor(place))
        assert [one.pk for one in page.rows] == expected
        assert page.here == (min(before - begins, len(expected) - 1) if expected else None)
        assert bool(page.newer) == (begins > 0) and bool(page.older) == (begins + 4 < len(everything))


def test_a_conversation_without_messages_is_in_no_list_of_the_least_certain(find: Any, stored: Make):
    stored(action("action_session_start", 1.0, None), user("hi", 2.0, sender="ben"))
    assert find(sort="unsure") == ["ben"]
    assert find() == ["ben", "anna"]


# --- The index --------------------------------------------------------------------------------------------------------


def test_terms_are_the_same_whatever_comes_when(assistant: Assistant, stored: Make):
    story = _story(random.Random(3), "anna", 1_790_000_000.0)
    stored(*story)
    together = SearchEntry.objects.values_list("terms", "day").get()
    Conversation.objects.all().delete()
    assert not SearchEntry.objects.exists()
    for one in reversed(story):
        stored(one)
    assert SearchEntry.objects.values_list("terms", "day").get() == together


def test_a_rebuild_fills_the_index_and_a_check_tells_what_is_missing(assistant: Assistant, stored: Make, find: Any):
    stored(user("hello", 1.0), slot("city", "Bern", 2.0))
    SearchEntry.objects.all().delete()
    (checked,) = rebuild_conversations(assistant, check=True)
    assert [one.column for one in checked.differences] == ["terms"]
    assert find(q="hello") == []
    list(rebuild_conversations(assistant))
    assert find(q="hello") == find(slot="city=bern") == ["anna"]


def test_what_was_stored_before_there_was_an_index_is_indexed(
    assistant: Assistant, stored: Make, find: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(indexing, "_missing", indexing._Missing())
    monkeypatch.setattr(indexing, "CHUNK", 2)
    stored(*(user("hello", 1.0 + n, sender=f"s{n}") for n in range(5)))
    SearchEntry.objects.exclude(conversation__sender_id="s1").delete()
    assert indexing.index_missing() == 4
    assert len(find(q="hello")) == 5
    assert indexing.index_missing() == 0


@pytest.mark.parametrize(
    "event_data",
    [
        {"parse_data": None},
        {"parse_data": {"entities": "city"}},
        {
            "parse_data": {
                "entities": [None, 3, {"entity": 5}, {"entity": ""}, {"entity": "a\x00b", "value": {"x": [1]}}]
            }
        },
    ],
)
def test_whatever_senders_of_their_own_events_write_is_no_error(stored: Make, event_data: dict[str, Any]):
    assert stored(user("hi\ud800", 1.0) | event_data).added == 1


def test_values_are_alike_whatever_their_capitals_and_blanks():
    assert named_value("city", " New \n York ") == named_value("city", "new york") == "city=new york"
    assert named_value("city", None) is None and named_value("city", "") is None
    assert named_value("n", 3) == "n=3" and named_value("yes", True) == "yes=true"
    about = {"policy": "", "channel": "", "model_id": "", "text": ""}
    assert of_event("slot", name="s", **about, event={"value": ["A", "b"]}) == {"ss", "Ss=a", "Ss=b"}
    assert words("Straße, A_1!") == ["strasse", "a_1"]


# --- The page ---------------------------------------------------------------------------------------------------------


def _page(client: Client, assistant: Assistant, **query: object) -> str:
    return client.get(f"{reverse('conversations:list', args=[assistant.slug])}?{urlencode(query)}").content.decode()


@pytest.fixture
def client(admin: User) -> Client:
    return client_of(admin)


def test_filters_in_use_can_be_taken_away_one_by_one(client: Client, assistant: Assistant, stored: Make):
    stored(user("hi", 1.0))
    page = _page(client, assistant, intent="greet", handover="1", q="hi")
    address = reverse("conversations:list", args=[assistant.slug])
    assert f'href="{address}?q=hi&amp;handover=1"' in page
    assert f'href="{address}?q=hi&amp;intent=greet"' in page
    assert "Take this filter away" not in _page(client, assistant, q="hi")


def test_names_are_offered_to_those_who_see_every_conversation(client: Client, assistant: Assistant, stored: Make):
    stored(user("hi", 1.0, intent="order_tea"), slot("sugar", 2, 2.0))
    url = reverse("conversations:filter-names", args=[assistant.slug])
    assert f'hx-get="{url}"' in _page(client, assistant)
    names = client.get(url).content.decode()
    assert '<option value="order_tea">' in names and '<option value="sugar">' in names
    narrow = client_of(make_person("annotator", Scope(assistant.pk, environment_of(assistant, "worker").pk)))
    assert "order_tea" not in narrow.get(url).content.decode()


def test_the_count_is_exact_up_to_what_is_counted(
    client: Client, assistant: Assistant, stored: Make, monkeypatch: pytest.MonkeyPatch
):
    stored(*(user("hi", 1.0 + n, sender=f"s{n}") for n in range(3)))
    url = reverse("conversations:count", args=[assistant.slug])
    assert "3 conversations." in client.get(url).content.decode()
    assert "0 conversations." in client.get(url, {"intent": "never"}).content.decode()
    monkeypatch.setattr(paging, "COUNTED", 2)
    assert "More than 2 conversations." in client.get(url).content.decode()


def test_a_filter_is_kept_under_a_name_and_shared(client: Client, admin: User, assistant: Assistant, stored: Make):
    stored(user("hi", 1.0))
    new = reverse("conversations:filter-new", args=[assistant.slug])
    assert 'name="name"' in client.get(new).content.decode()
    assert client.post(f"{new}?after=1-1", {"name": "All"}).status_code == 422
    answer = client.post(f"{new}?intent=greet&sort=longest&after=1-1", {"name": "Greetings", "is_shared": "on"})
    address = reverse("conversations:list", args=[assistant.slug])
    assert answer["Location"] == f"{address}?intent=greet&sort=longest"
    assert client.post(f"{new}?intent=bye", {"name": "Greetings"}).status_code == 422
    other = client_of(make_person("annotator"))
    assert "?intent=greet&amp;sort=longest" in _page(other, assistant)
    stranger = client_of(make_person("tester"))
    assert "Greetings" not in _page(stranger, assistant)
    saved = SavedFilter.objects.get()
    client.post(reverse("conversations:filter-edit", args=[assistant.slug, saved.pk]), {"name": "Hellos"})
    assert "Hellos" not in _page(other, assistant)
    client.post(reverse("conversations:filter-delete", args=[assistant.slug, saved.pk]))
    assert not SavedFilter.objects.exists()


def _most_passed_over(sql: str) -> int:
    """Rows that are only counted: among the nearest, and never as many as there are before a page."""
    return max(map(int, re.findall(r" OFFSET (\d+)", sql)), default=0)


def test_no_filter_scans_a_table_of_events_or_takes_more_queries(
    admin: User, assistant: Assistant, stored: Make, find: Any
):
    """With as few rows PostgreSQL would rather scan, so that is forbidden: what it does all the same has no index."""
    stored(*(one for n in range(30) for one in _story(random.Random(n), f"s{n}", 1_790_000_000.0 + n * 7000)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE; SET LOCAL enable_seqscan = off")
        for query in [*FILTERS, {}, {"sort": "longest"}, {"sort": "unsure"}]:
            with CaptureQueriesContext(connection) as queries:
                find(**query)
            assert len(queries) < 16, query
            for one in queries.captured_queries:
                assert _most_passed_over(one["sql"]) < paging.NEAR and "DISTINCT" not in one["sql"], one["sql"]
                if "conversations_" in one["sql"] and one["sql"].startswith("SELECT"):
                    cursor.execute(f"EXPLAIN {one['sql']}")
                    plan = "\n".join(row[0] for row in cursor.fetchall())
                    assert "Seq Scan on conversations_event" not in plan, plan
                    assert "Seq Scan on conversations_conversation" not in plan, plan
                    assert "Seq Scan on conversations_searchentry" not in plan, plan


def test_words_are_kept_once(assistant: Assistant, stored: Make):
    stored(user("tea tea TEA", 1.0), user("tea", 2.0, sender="ben"))
    assert Term.objects.filter(kind="w").count() == 1


def test_an_assistant_does_not_find_what_was_said_to_another(find: Any, stored: Make):
    from tests.factories import make_assistant

    store_events(environment_of(make_assistant("inn", "Inn")), user("secret", 1.0, sender="carl"))
    stored(user("public", 1.0))
    assert find(q="secret") == []
