"""The analytics page: its numbers are those of the events, for those who may see them, each with a way to its list."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.test import Client

from conversations.filters import ConversationFilter
from conversations.ingest.write import Stored
from conversations.models import Conversation, TallyEntry
from conversations.services import tallies
from environments.models import Environment
from environments.services.promotion import promote
from models_app.models import Model
from studio.access.models import User
from studio.access.permissions import Scope
from studio.access.services.grants import grant
from studio.access.services.roles import save_role
from tests.conversations.events import action, bot, event, small_talk, user
from tests.conversations.tallies import facts
from tests.factories import environment_of, make_model, make_person, store_events

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
Make = Callable[..., Stored]
DAY = 1_789_948_800.0  # 2026-09-21, 00:00 UTC
OWN = {"range": "own", "since": "2026-09-20", "until": "2026-09-25"}


@pytest.fixture
def client_of_admin(client: Client) -> Client:
    client.force_login(make_person("admin"))
    return client


def page(client: Client, where: Environment, status: int = 200, /, **query: str) -> str:
    response = client.get(f"/a/{where.assistant.slug}/analytics/", OWN | query)
    assert response.status_code == status
    return response.content.decode()


def figures(text: str) -> dict[str, str]:
    """The headline numbers by their title."""
    return dict(re.findall(r'<dt><a href="#[\w-]+">([^<]+)</a></dt>\s*<dd><b>([^<]+)</b>', text))


def lines(client: Client, where: Environment, what: str, /, **query: str) -> list[dict[str, str]]:
    response = client.get(f"/a/{where.assistant.slug}/analytics/{what}.csv", OWN | query)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def test_the_headline_numbers_are_those_of_the_period(client_of_admin: Client, environment: Environment, stored: Make):
    stored(*small_talk(DAY), user("??", DAY + 90_000, intent="nlu_fallback", confidence=0.27))
    stored(bot("Sorry?", DAY + 90_003), *small_talk(DAY - 5e6, sender="long ago"))
    tallies.settle()
    stored(*small_talk(DAY + 1000, sender="ben"))
    assert figures(page(client_of_admin, environment)) == {
        "Conversations": "2", "User messages": "3", "Sessions": "2", "Not understood": "33%", "Confidence": "0.74",
        "Reply time": "0.21 s",
    }  # fmt: skip


def test_each_filter_narrows(client_of_admin: Client, environment: Environment, stored: Make):
    worker = environment_of(environment.assistant, "worker")
    model = make_model(environment.assistant, "otter")
    stored(*small_talk(DAY), user("hi", DAY + 9, channel="web", model=model.rasa_model_id))
    store_events(worker, *small_talk(DAY, sender="ben"))
    Conversation.objects.filter(sender_id="ben").update(origin="talk")
    TallyEntry.objects.filter(environment=worker).update(origin="talk")
    found = {
        name: lines(client_of_admin, environment, "parts", by="environment", **{name: value})
        for name, value in [("environment", "worker"), ("channel", "web"), ("model", "otter"), ("origin", "talk")]
    }
    said = {name: [(row["environment"], row["user_messages"]) for row in rows] for name, rows in found.items()}
    assert said == {
        "environment": [("worker", "1")], "channel": [("production", "1")], "model": [("production", "1")],
        "origin": [("worker", "1")],
    }  # fmt: skip


def test_a_point_leads_to_the_list_of_what_it_counts(client_of_admin: Client, environment: Environment, stored: Make):
    stored(*small_talk(DAY))
    text = unescape(page(client_of_admin, environment, environment="production", tz="Europe/Berlin"))
    base = f"/a/{environment.assistant.slug}/conversations/?environment=production&tz=Europe%2FBerlin"
    day = "&happened_from=2026-09-21T00%3A00&happened_until=2026-09-22T00%3A00"
    assert f'href="{base}&happened=began{day}"' in text
    assert f'href="{base}&happened=said{day}"' in text
    days = "&happened_from=2026-09-20T00%3A00&happened_until=2026-09-26T00%3A00"
    assert f'href="{base}&intent=greet&happened=said{days}"' in text
    assert f'href="{base}&action=utter_greet&happened=acted{days}"' in text
    listed = client_of_admin.get(f"{base}&happened=said{day}").content.decode()
    assert "anna" in listed
    assert "What happened: <b>the person wrote</b>" in listed
    assert "Happened before: <b>2026-09-22 00:00</b>" in listed


COUNTED = {
    "began": {"conversations"},
    "handed_over": {"handovers"},
    "said": {"user_messages"},
    "answered": {"reply_ms"},
    "replied": {"bot_messages"},
    "session": {"sessions"},
    "fallback": {"fallbacks"},
    "unsure": {f"confidence_{number}" for number in range(6)},
    "rejected": {"rejected"},
    "acted": set(),
}
LINK = re.compile(r'href="/a/[^"]+/conversations/[?]([^"]*happened=[^"]+)"')


def counted_in(conversation: Conversation, query: dict[str, str], first: float, end: float) -> bool:
    """Whether what a point or a name counts is in one, by its events alone."""
    if "intent" in query or "action" in query:
        return named_in(conversation, query, first, end)
    return any(
        what in COUNTED[query["happened"]] and first <= at < end
        and query.get("channel") in (None, channel) and (model == "m-2" or "model" not in query)
        for at, model, channel, what, amount in facts(conversation)
        if amount
    )  # fmt: skip


def named_in(conversation: Conversation, query: dict[str, str], first: float, end: float) -> bool:
    kind, name = ("user", query["intent"]) if "intent" in query else ("action", query["action"])
    return any(
        first <= one.timestamp < end
        and query.get("channel") in (None, one.channel if kind == "user" else conversation.first_channel)
        and (one.model_id == "m-2" or "model" not in query)
        for one in conversation.events.filter(kind=kind, name=name)
    )


def much_happened(environment: Environment) -> None:
    """In hours that differ by what happens in them, on both sides of every bound."""
    for number in range(4):
        start, sender = DAY + 3600 * (5 * number + 1) - number % 2, f"s{number}"
        store_events(
            environment,
            *small_talk(start, sender),
            user("eh", start + 3600, sender=sender, intent="nlu_fallback", confidence=0.3, channel="web", model="m-2"),
            user("hm", start + 7200, sender=sender, confidence=0.59),
            bot("Pardon?", start + 10_800, sender=sender, model="m-2"),
            event("action_execution_rejected", start + 14_400, sender, name="a_form", policy=None, confidence=None),
            action("action_handoff", start + 18_000, sender=sender),
            event("pause", start + 18_001, sender),
            small_talk(start + 21_600, sender)[1],
        )


@pytest.mark.parametrize(
    ("query", "happens"),
    [
        ({}, {*COUNTED}),
        ({"channel": "web"}, {"said", "fallback", "unsure"}),
        ({"channel": "rasa"}, {*COUNTED} - {"fallback"}),
        ({"model": "otter"}, {"said", "replied", "fallback", "unsure"}),
        ({"tz": "Asia/Kolkata"}, {*COUNTED}),
        ({"since": "2026-09-18"}, {*COUNTED}),
    ],
    ids=["everything", "web", "rasa", "otter", "kolkata", "since"],
)
def test_the_list_of_a_point_holds_what_the_point_counts(
    client_of_admin: Client, environment: Environment, query: dict[str, str], happens: set[str]
):
    Model.objects.filter(pk=make_model(environment.assistant, "otter").pk).update(rasa_model_id="m-2")
    much_happened(environment)
    text = unescape(page(client_of_admin, environment, **{"since": "2026-09-21", "until": "2026-09-21"} | query))
    admin, everything = User.objects.get(), list(Conversation.objects.all())
    led_to = set()
    for link in sorted(set(LINK.findall(text))):
        asked = QueryDict(link)
        filters = ConversationFilter(asked, assistant=environment.assistant, viewer=admin)
        zone = ZoneInfo(asked.get("tz") or "UTC")
        first, end = (
            datetime.fromisoformat(asked[name]).replace(tzinfo=zone).timestamp()
            for name in ("happened_from", "happened_until")
        )
        whole = 86_400 * (4 if "since" in query else 1)
        assert end - first == (whole if {"intent", "action"} & {*asked} else 86_400 if "since" in query else 3600)
        wanted = {one.pk for one in everything if counted_in(one, asked.dict(), first, end)}
        assert set(filters.apply(Conversation.objects.all()).values_list("pk", flat=True)) == wanted, link
        led_to |= {asked["happened"]} if wanted else set()
    assert led_to == happens


def test_an_hour_that_the_clock_shows_twice_leads_to_its_own_list(
    client_of_admin: Client, environment: Environment, stored: Make
):
    put_back = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()
    stored(*small_talk(put_back - 1800), *small_talk(put_back + 1800, "ben"))
    day = {"since": "2026-10-25", "until": "2026-10-25", "tz": "Europe/Berlin"}
    text = unescape(page(client_of_admin, environment, **day))
    hours = [f"happened_from=2026-10-25T0{n}%3A00&happened_until=2026-10-25T0{n + 1}%3A00" for n in (0, 1)]
    for hour, sender in zip(hours, ("anna", "ben"), strict=True):
        address = f"/a/{environment.assistant.slug}/conversations/?happened=began&{hour}"
        assert f'href="{address}"' in text
        listed = client_of_admin.get(address).content.decode()
        assert listed.count("row-link") == 1
        assert Conversation.objects.get(sender_id=sender).short_sender in listed


def test_it_is_compared_with_the_stretch_before(client_of_admin: Client, environment: Environment, stored: Make):
    stored(*small_talk(DAY), *small_talk(DAY, "ben"), *small_talk(DAY, "carla"))
    stored(*small_talk(DAY - 6 * 86_400, "before"), user("more", DAY - 6 * 86_400 + 10, sender="before"))
    text = page(client_of_admin, environment)
    assert "+200%" in text
    assert "+50%" in text
    greet = next(row for row in lines(client_of_admin, environment, "names") if row["name"] == "greet")
    assert (greet["kind"], greet["count"], greet["share"], greet["before"]) == ("intent", "3", "1.0", "2")


def test_a_promotion_stands_on_the_axis_and_leads_to_itself(client_of_admin: Client, environment: Environment):
    promotion = promote(actor=None, environment=environment, model=make_model(environment.assistant, "otter"))
    store_events(environment, *small_talk(promotion.requested_at.timestamp()))
    text = unescape(client_of_admin.get(f"/a/{environment.assistant.slug}/analytics/").content.decode())
    assert "otter promoted to production by" in text
    assert f"/environments/production?after={promotion.pk + 1}#history-title" in text


def viewer_of(environment: Environment, *permissions: str) -> User:
    role = save_role(actor=None, role=None, name="counter", description="", permissions=list(permissions))
    person = make_person()
    grant(actor=None, person=person, role=role, scope=Scope(environment.assistant_id, environment.pk))
    return person


def test_only_environments_are_counted_whose_numbers_one_may_see(
    client: Client, environment: Environment, stored: Make
):
    worker = environment_of(environment.assistant, "worker")
    store_events(worker, *small_talk(DAY), user("x", DAY + 5, channel="worker-channel"))
    stored(*small_talk(DAY, "ben"), user("x", DAY + 5, sender="ben", channel="secret-channel", intent="secret-intent"))
    stored(*small_talk(DAY, "carla"), under="abroad")
    tallies.settle()
    client.force_login(viewer_of(worker, "analytics.view"))
    text = page(client, environment)
    assert figures(text)["Conversations"] == "1"
    assert "worker-channel" in text
    assert "secret" not in text
    assert "/conversations/?" not in text
    page(client, environment, 422, environment="production")
    page(client, environment, 422, environment="-")


def test_the_unknown_environment_has_numbers_too(client_of_admin: Client, environment: Environment, stored: Make):
    stored(*small_talk(DAY), under="abroad")
    assert figures(page(client_of_admin, environment, environment="-"))["Conversations"] == "1"
    assert lines(client_of_admin, environment, "parts", by="environment")[0]["environment"] == "unknown"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "2026-09-26"}, "The last day lies before the first."),
        ({"since": "2020-01-01"}, "At most two years"),
        ({"since": "", "until": "2026-09-25"}, "Choose the first day."),
        ({"since": "yesterday"}, "Enter a valid date."),
        ({"tz": "Europe/Nowhere"}, "no time zone called"),
        ({"range": "1y"}, "not one of the available choices"),
        ({"by": "weather"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_shown_is_said(client_of_admin: Client, environment: Environment, query: dict, said: str):
    assert said in page(client_of_admin, environment, 422, **query)
    answer = client_of_admin.get(f"/a/{environment.assistant.slug}/analytics/numbers.csv", OWN | query)
    assert (answer.status_code, said in answer.content.decode()) == (422, True)


def test_own_dates_begin_with_those_of_the_last_month(client_of_admin: Client, environment: Environment):
    text = page(client_of_admin, environment, since="", until="")
    assert len(re.findall(r'type="date" name="(?:since|until)" value="20\d\d-\d\d-\d\d"', text)) == 2


def test_an_empty_period_says_what_to_do(client_of_admin: Client, environment: Environment):
    assert "Choose a longer range" in page(client_of_admin, environment)
    assert "Numbers appear here" in page(client_of_admin, environment, range="90d")


def test_a_file_that_is_none_is_not_found(client_of_admin: Client, environment: Environment):
    assert client_of_admin.get(f"/a/{environment.assistant.slug}/analytics/weather.csv").status_code == 404


def test_what_is_still_to_be_counted_is_said(client_of_admin: Client, environment: Environment, stored: Make):
    stored(*small_talk(DAY), *small_talk(DAY, "ben"))
    Conversation.objects.filter(sender_id="ben").update(is_counted=False)
    assert "Still being counted" in page(client_of_admin, environment)
    tallies.count_waiting()
    assert "Still being counted" not in page(client_of_admin, environment)


def test_names_of_whole_days_and_of_hours_beside_them_add_up(
    client_of_admin: Client, environment: Environment, stored: Make
):
    stored(*(user("x", DAY + hours * 3600 + 1) for hours in range(-30, 150)))
    tallies.settle()
    stored(event("restart", DAY), user("x", DAY + 2))
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        (greet,) = lines(client_of_admin, environment, "names", tz=zone)
        points = lines(client_of_admin, environment, "numbers", tz=zone)
        assert int(greet["count"]) == sum(int(row["user_messages"]) for row in points) > 100


def test_the_page_asks_the_database_as_often_however_much_there_is(
    client_of_admin: Client, environment: Environment, stored: Make, django_assert_max_num_queries
):
    for number in range(5):
        stored(
            *small_talk(
                DAY + number * 9000,
                f"s{number}",
            ),
            under=f"abroad-{number}",
        )
        promote(actor=None, environment=environment, model=make_model(environment.assistant))
    with django_assert_max_num_queries(24):
        client_of_admin.get(f"/a/{environment.assistant.slug}/analytics/")
    with django_assert_max_num_queries(24):
        page(client_of_admin, environment, by="environment")
