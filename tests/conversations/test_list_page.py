"""The list of conversations: who sees which, filters, paging."""

import re
from collections.abc import Callable
from itertools import product

import pytest
from django.test import Client
from django.urls import reverse

from conversations import paging
from conversations.ingest.write import Stored
from conversations.models import Conversation, ShareLink, TalkSession
from environments.models import Environment
from models_app.models import Assistant, Model
from studio.access.models import User
from studio.access.permissions import Limit, Scope
from tests.clients import client_of
from tests.conversations.events import small_talk, user
from tests.factories import environment_of, make_model, make_person, store_events

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


@pytest.fixture
def client(db: None) -> Client:
    return client_of(make_person("admin"))


def address(assistant: Assistant, query: str = "") -> str:
    return reverse("conversations:list", args=[assistant.slug]) + query


def titles(client: Client, assistant: Assistant, query: str = "") -> list[str]:
    response = client.get(address(assistant, query))
    assert response.status_code == 200
    return re.findall(r'class="row-link text"[^>]*>([^<]*)<', response.content.decode())


def say(stored: Make, *senders: str, **fields: object) -> None:
    """Each sender says its own name, a second apart."""
    stored(*(user(name, 1000.0 + n, sender=name, **fields) for n, name in enumerate(senders)))


def test_the_newest_stand_first_with_what_was_said_and_where(client: Client, assistant: Assistant, stored: Make):
    say(stored, "anna", "ben")
    assert titles(client, assistant) == ["ben", "anna"]
    page = client.get(address(assistant)).content.decode()
    assert "production" in page


def test_an_empty_list_says_how_conversations_come(client: Client, assistant: Assistant):
    assert "No conversations yet" in client.get(address(assistant)).content.decode()


def test_what_names_no_model_has_not_the_name_of_one_that_rasa_has_no_id_for(
    client: Client, assistant: Assistant, stored: Make
):
    make_model(assistant, "brisk-otter")
    Model.objects.update(rasa_model_id="")
    say(stored, "anna", model=None)
    assert Conversation.objects.get().last_model_id == ""
    page = client.get(address(assistant)).content.decode()
    assert re.search(r'model-name">([^<]*)<', page)[1] == ""


def test_filters_that_match_nothing_offer_to_show_everything(client: Client, assistant: Assistant, stored: Make):
    say(stored, "anna")
    page = client.get(address(assistant, "?q=zebra")).content.decode()
    assert "No conversation matches" in page and "Show all conversations" in page


def test_text_is_found_anywhere_in_what_either_side_said(client: Client, assistant: Assistant, stored: Make):
    stored(*small_talk(sender="anna"))
    say(stored, "ben")
    assert titles(client, assistant, "?q=ELLO") == ["hi"]
    assert titles(client, assistant, "?q=100%25") == []


def test_an_environment_narrows_the_list(client: Client, assistant: Assistant, stored: Make):
    say(stored, "anna")
    worker = environment_of(assistant, "worker")
    store_events(worker, user("ben", 1.0, sender="ben"))
    assert titles(client, assistant, "?environment=worker") == ["ben"]


def test_conversations_of_an_unknown_environment_are_shown_and_can_be_asked_for(client: Client, assistant: Assistant):
    store_events(environment_of(assistant), user("ben", 1.0, sender="ben"), under="RASA_ENVIRONMENT_NOT_SET")
    assert "RASA_ENVIRONMENT_NOT_SET" in client.get(address(assistant)).content.decode()
    assert titles(client, assistant, "?environment=-") == ["ben"]


def test_a_model_finds_every_conversation_it_took_part_in(client: Client, assistant: Assistant, stored: Make):
    model = make_model(assistant, "brisk-otter")
    say(stored, "anna", model=model.rasa_model_id)
    stored(user("later", 2000.0, sender="anna", model="another"))
    say(stored, "ben", model="another")
    assert titles(client, assistant, "?model=brisk-otter") == ["anna"]
    assert titles(client, assistant, "?model=unheard-of") == []


def test_days_are_those_of_the_time_zone_in_the_address(client: Client, assistant: Assistant, stored: Make):
    stored(user("late", 1_790_033_400.0))  # 2026-09-21 23:30 UTC
    assert titles(client, assistant, "?since=2026-09-22") == []
    assert titles(client, assistant, "?since=2026-09-22&tz=Europe/Zurich") == ["late"]
    assert titles(client, assistant, "?until=2026-09-21") == ["late"]
    assert titles(client, assistant, "?until=2026-09-21&tz=Europe/Zurich") == []


@pytest.mark.parametrize(
    "query",
    [
        "?tz=Moon/Base",
        "?since=yesterday",
        "?until=9999-12-31",
        "?environment=none",
        "?since=2026-02-02&until=2026-01-01",
    ],
)
def test_a_value_that_cannot_be_is_said_and_matches_nothing(
    client: Client, assistant: Assistant, stored: Make, query: str
):
    say(stored, "anna")
    response = client.get(address(assistant, query))
    assert response.status_code == 422
    assert "field-error" in response.content.decode()


def test_conversations_of_a_share_link_are_marked_and_filterable(
    client: Client, assistant: Assistant, environment: Environment, stored: Make
):
    link = ShareLink.objects.create(
        environment=environment, name="Trade fair", code_encrypted=b"", code_digest=b"x" * 32
    )
    TalkSession.objects.create(environment=environment, sender_id="guest", share_link=link)
    say(stored, "guest", "anna")
    assert titles(client, assistant, f"?origin=link:{link.pk}") == ["guest"]
    assert titles(client, assistant, "?origin=share") == ["guest"]
    assert titles(client, assistant, "?origin=real") == ["anna"]
    assert "Trade fair" in client.get(address(assistant)).content.decode()


def test_testers_see_only_the_conversations_they_held(assistant: Assistant, environment: Environment, stored: Make):
    tester = make_person("tester")
    TalkSession.objects.create(environment=environment, sender_id="mine", person=tester)
    say(stored, "mine", "anna")
    client = client_of(tester)
    assert titles(client, assistant) == ["mine"]
    other = Conversation.objects.get(sender_id="anna")
    assert client.get(reverse("conversations:detail", args=[assistant.slug, other.pk])).status_code == 404


def test_a_grant_for_one_environment_shows_that_one(assistant: Assistant, environment: Environment, stored: Make):
    worker = environment_of(assistant, "worker")
    say(stored, "anna")
    assert titles(client_of(make_person("annotator", Scope(assistant.pk, worker.pk))), assistant) == []
    assert titles(client_of(make_person("annotator", Scope(assistant.pk, environment.pk))), assistant) == ["anna"]


def test_people_without_any_grant_do_not_find_the_assistant(assistant: Assistant):
    assert client_of(make_person()).get(address(assistant)).status_code == 404


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE", 2)


def test_pages_lead_both_ways_and_keep_filters(client: Client, assistant: Assistant, stored: Make, pages_of_two: None):
    stored(*(user(f"{n}", 1000.0 + n // 2, sender=f"s{n}") for n in range(5)))
    seen, query = [], "?origin=real"
    for _ in range(3):
        page = client.get(address(assistant, query)).content.decode()
        seen.append(titles(client, assistant, query))
        found = re.search(r'rel="next" href="([^"]*)"', page)
        query = found[1].replace("&amp;", "&") if found else ""
    listed = [int(one) for rows in seen for one in rows]
    assert sorted(listed) == [0, 1, 2, 3, 4]
    assert [one // 2 for one in listed] == [2, 1, 1, 0, 0]
    assert "origin=real" in re.search(r'rel="prev" href="([^"]*)"', page)[1]
    back = re.search(r'rel="prev" href="([^"]*)"', page)[1].replace("&amp;", "&")
    assert titles(client, assistant, back) == seen[1]


@pytest.mark.parametrize("cursor", ["x", "-", "nan-1", "1-99999999999999999999999", "1e999-1", "1e30-1", "-inf-1"])
def test_a_mistyped_cursor_is_no_error(client: Client, assistant: Assistant, stored: Make, cursor: str):
    say(stored, "anna")
    for name, sort in product(("before", "after", "around"), paging.ORDERS):
        assert client.get(address(assistant, f"?{name}={cursor}&sort={sort}")).status_code == 200


def test_the_list_says_how_many_are_new(client: Client, assistant: Assistant, stored: Make):
    say(stored, "anna")
    top = str(paging.NEWEST.cursor(Conversation.objects.get()))
    url = reverse("conversations:new", args=[assistant.slug])
    assert "new or continued" not in client.get(url, {"top": top}).content.decode()
    stored(user("hello", 5000.0, sender="ben"), user("again", 6000.0, sender="anna"))
    assert "2 new or continued" in client.get(url, {"top": top}).content.decode()


def test_a_long_list_takes_no_more_queries_than_a_short_one(
    client: Client, assistant: Assistant, environment: Environment, stored: Make, django_assert_max_num_queries
):
    person = make_person()
    for n in range(30):
        TalkSession.objects.create(environment=environment, sender_id=f"s{n}", person=person)
    say(stored, *(f"s{n}" for n in range(60)))
    client.get(address(assistant))
    with django_assert_max_num_queries(16):
        client.get(address(assistant))


# --- Who may talk and nothing else ------------------------------------------------------------------------------------


@pytest.fixture
def tester(assistant: Assistant, stored: Make) -> User:
    """Held a conversation in production and one in worker; others talked too."""
    tester = make_person("tester", Scope(assistant.pk))
    say(stored, "anna")
    for name in ("production", "worker"):
        held(tester, environment_of(assistant, name), f"mine in {name}")
    return User.objects.get(pk=tester.pk)


def held(person: User, environment: Environment, text: str) -> Conversation:
    talk = TalkSession.objects.create(environment=environment, sender_id=text, person=person)
    store_events(environment, user(text, 2000.0, sender=talk.sender_id))
    return Conversation.objects.get(sender_id=text)


def test_a_tester_sees_what_they_held_and_nothing_of_others(assistant: Assistant, tester: User):
    client = client_of(tester)
    assert sorted(titles(client, assistant)) == ["mine in production", "mine in worker"]
    home = client.get(reverse("conversations:home", args=[assistant.slug])).content.decode()
    assert "mine in worker" in home and "anna" not in home
    others = Conversation.objects.get(sender_id="anna")
    assert client.get(reverse("conversations:detail", args=[assistant.slug, others.pk])).status_code == 404
    assert titles(client, assistant, "?q=anna") == []


def test_a_testers_page_of_a_conversation_leads_to_their_own_alone(assistant: Assistant, tester: User):
    mine = Conversation.objects.get(sender_id="mine in production")
    page = client_of(tester).get(reverse("conversations:detail", args=[assistant.slug, mine.pk]))
    assert page.status_code == 200
    neighbours = {page.context["neighbours"].previous, page.context["neighbours"].next} - {None}
    assert neighbours == {Conversation.objects.get(sender_id="mine in worker").pk}


def test_a_tester_is_offered_where_they_may_talk_and_no_share_link(assistant: Assistant, tester: User):
    ShareLink.objects.create(
        environment=environment_of(assistant), name="friends", code_digest=b"1", code_encrypted=b""
    )
    page = client_of(tester).get(address(assistant)).content.decode()
    assert '<option value="production">' in page
    assert "friends" not in page


def test_what_one_held_where_one_may_talk_no_more_is_not_shown(assistant: Assistant, tester: User):
    tester.grants.update(environment_id=environment_of(assistant, "worker").pk)
    client = client_of(User.objects.get(pk=tester.pk))
    assert titles(client, assistant) == ["mine in worker"]
    assert '<option value="production">' not in client.get(address(assistant)).content.decode()
    mine = Conversation.objects.get(sender_id="mine in production")
    assert client.get(reverse("conversations:detail", args=[assistant.slug, mine.pk])).status_code == 404


def test_a_token_for_something_else_shows_no_conversation(assistant: Assistant, tester: User):
    tester.limit = Limit(frozenset({"models.view"}))
    assert not Conversation.objects.visible_to(tester).exists()


def test_from_a_conversation_one_comes_back_to_its_row(
    client: Client, assistant: Assistant, stored: Make, monkeypatch: pytest.MonkeyPatch
):
    """In the middle of a page; where a filter lost it, to the one that follows. The first page stays the first."""
    monkeypatch.setattr(paging, "PAGE", 4)
    say(stored, *(f"soup-{number}" for number in range(9)))
    pages = {8: [8, 7, 6, 5], 7: [8, 7, 6, 5], 6: [8, 7, 6, 5], 5: [7, 6, 5, 4], 0: [2, 1, 0]}
    for number, shown in pages.items():
        one = Conversation.objects.get(first_text=f"soup-{number}")
        for query in ("", "?q=soup"):
            conversation = client.get(reverse("conversations:detail", args=[assistant.slug, one.pk]) + query)
            back = re.search(r'href="([^"]*)#here"', conversation.content.decode())
            assert back
            listed = client.get(back[1].replace("&amp;", "&")).content.decode()
            assert re.findall(r">(soup-.)</a>", listed) == [f"soup-{other}" for other in shown]
            assert re.findall(r'id="here".*?>(soup-.)</a>', listed) == [f"soup-{number}"]
            assert ("before=" in listed) == (shown[0] != 8) and "around=" not in listed
    place = paging.NEWEST.cursor(Conversation.objects.get(first_text="soup-4"))
    Conversation.objects.filter(first_text="soup-4").delete()
    listed = client.get(address(assistant, f"?around={place}")).content.decode()
    assert re.findall(r'id="here".*?>(soup-.)</a>', listed) == ["soup-3"]
    assert titles(client, assistant, "?around=x")[0] == "soup-8"
