"""The message inbox: what it lists, in which order, who has which message, and one after the other."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.correcting import correcting
from conversations.ingest.write import Stored
from conversations.models import Conversation, Correction, Event, MessageLease
from conversations.services import corrections, inbox
from conversations.services.adoption import adopt_environment
from conversations.services.corrections import Verdict, correct
from conversations.services.inbox import Wanted, find, hold, left, next_free
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import Scope
from tests.clients import client_of
from tests.conversations.events import bot, user
from tests.factories import environment_of, make_model, make_person, store_events

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]
NOW = datetime.now(UTC).timestamp()
HTMX = {"HX-Request": "true"}


@pytest.fixture
def anna(db: None) -> User:
    return make_person("annotator", username="anna")


@pytest.fixture
def bob(db: None) -> User:
    return make_person("annotator", username="bob")


@pytest.fixture
def said(stored: Make) -> Callable[..., Event]:
    """Somebody says something; each in a conversation of their own."""

    def make(text: str, confidence: float = 0.4, *, at: float = NOW - 60, **fields) -> Event:
        fields.setdefault("sender", f"{text}-{confidence}-{at}")
        stored(user(text, at, intent=fields.pop("intent", "greet"), confidence=confidence, **fields))
        return Event.objects.filter(kind="user").latest("pk")

    return make


def wanted(environment: Environment, **changes) -> Wanted:
    now = timezone.now()
    of = {"environments": [environment.pk], "since": now - timedelta(days=30), "until": now, "below": 0.8}
    return Wanted(**of | changes)


def said_at(event: Event) -> dict[str, str]:
    """What the button to take the answer back sends."""
    return {"said_at": Correction.objects.get(event=event).at.isoformat()}


def texts(found: list[Event]) -> list[str]:
    return [event.text for event in found]


def page(person: User, assistant: Assistant, query: str = "", status: int = 200) -> str:
    """With what its script asks for."""
    client, inbox_url = client_of(person), f"/a/{assistant.slug}/inbox/"
    answer = client.get(inbox_url + query)
    assert answer.status_code == status
    text = answer.content.decode()
    front = re.search(r'id="inbox-now" .* data-query="([^"]*)"(?s:.*?)data-event="(\d+)"', text)
    if front is None:
        return text
    return text + client.get(f"{inbox_url}{front[2]}/next{unescape(front[1])}").content.decode()


def shown(text: str) -> tuple[str, str]:
    """The message in front, and the one that lies ready."""
    first, *others = text.split('<template id="inbox-next">')
    front, ready = (re.search(r"data-asked>([^<]*)<", part) for part in (first, others[-1] if others else ""))
    return front[1] if front else "", ready[1] if ready else ""


def test_the_least_certain_come_first_and_what_nlu_gave_up_on_before_all(said, environment):
    said("sure", 0.95), said("half", 0.5), said("hardly", 0.2), said("lost", 0.99, intent="nlu_fallback")
    said("/greet", 0.1), said("yesterday", 0.3, at=NOW - 86_400)
    assert texts(find(wanted(environment))) == ["lost", "hardly", "yesterday", "half"]
    assert left(wanted(environment)) == 4


def test_it_is_narrowed_by_time_intent_model_and_confidence(said, environment):
    said("old", 0.3, at=NOW - 40 * 86_400), said("half", 0.5, intent="bye"), said("low", 0.2, model="m-2")
    assert texts(find(wanted(environment))) == ["low", "half"]
    assert texts(find(wanted(environment, since=datetime.fromtimestamp(NOW - 41 * 86_400, UTC)))) == [
        "low",
        "old",
        "half",
    ]
    assert texts(find(wanted(environment, intent="bye"))) == ["half"]
    assert texts(find(wanted(environment, models=["m-2"]))) == ["low"]
    assert texts(find(wanted(environment, below=0.3))) == ["low"]


def test_our_own_talk_is_shown_when_it_is_asked_for(said, environment):
    said("ours")
    Conversation.objects.update(origin="talk")
    assert find(wanted(environment)) == [] and texts(find(wanted(environment, own_too=True))) == ["ours"]


def test_what_somebody_looked_at_waits_no_longer_and_the_same_words_neither(said, environment, anna: User):
    first = said("moin", 0.4)
    for number in range(3):
        said("moin", 0.3, sender=str(number))
    said("servus", 0.5)
    row = correct(actor=anna, event=first, verdict=Verdict("greet"))
    assert row.said_times == 4 and texts(find(wanted(environment))) == ["servus"]
    assert inbox.progress(wanted(environment), environment.assistant)[1] == 4


def test_what_is_left_and_what_is_done_are_counted_alike(said, assistant, environment, anna: User, bob: User):
    for number in range(3):
        said("moin", 0.3, sender=str(number))
    said("moin", 0.7, at=NOW - 40 * 86_400)
    said("servus", 0.99, intent="nlu_fallback", model="m-2"), said("baba", 0.5, intent="bye"), said("sure", 0.9)
    store_events(environment_of(assistant, "worker"), user("elsewhere", NOW - 9, confidence=0.3, sender="w"))
    correct(actor=bob, event=Event.objects.get(text="elsewhere"), verdict=Verdict("greet"))
    narrowings = ({}, {"below": 0.4}, {"intent": "bye"}, {"models": ["m-2"]}, {"own_too": True})
    totals = [left(wanted(environment, **one)) for one in narrowings]
    assert totals == [5, 4, 1, 1, 5]
    for text in ("moin", "servus", "baba", "sure"):
        correct(actor=anna, event=Event.objects.filter(text=text).latest("pk"), verdict=Verdict("greet"))
        for one, total in zip(narrowings, totals, strict=True):
            done = inbox.progress(wanted(environment, **one), assistant)[1]
            assert done + left(wanted(environment, **one)) == total
    assert inbox.progress(wanted(environment), assistant)[1] == 5
    again = Event.objects.filter(text="moin").earliest("pk")  # which was settled as the same words
    correct(actor=bob, event=again, verdict=Verdict("bye"))
    assert Correction.objects.filter(text="moin").count() == 2
    assert inbox.progress(wanted(environment), assistant)[1] == 5


def test_taken_back_the_same_words_wait_again_as_well(said, environment, anna: User):
    from conversations.services.corrections import undo

    first = said("moin", 0.4)
    said("moin", 0.3, sender="other")
    correct(actor=anna, event=first, verdict=Verdict("greet"))
    undo(actor=anna, event=first)
    assert left(wanted(environment)) == 2


def test_taken_back_what_has_an_answer_of_its_own_keeps_it(said, environment, anna: User, bob: User):
    first, other = said("moin", 0.4), said("moin", 0.3, sender="other")
    correct(actor=anna, event=first, verdict=Verdict("greet"))
    correct(actor=bob, event=other, verdict=Verdict("bye"))
    corrections.undo(actor=anna, event=first)
    assert find(wanted(environment)) == [first] and inbox.progress(wanted(environment), environment.assistant)[1] == 1
    other.refresh_from_db()
    assert correcting(bob, other.conversation, other).correction.intent == "bye"


def test_the_panel_of_the_same_words_says_so(said, environment, anna: User):
    first, other = said("moin", 0.4), said("moin", 0.3, sender="other")
    correct(actor=anna, event=first, verdict=Verdict("greet"))
    talk = other.conversation
    url = f"/a/{talk.assistant.slug}/conversations/{talk.pk}/events/{other.pk}/panel"
    assert "for the same words elsewhere" in client_of(anna).get(url, headers={"HX-Request": "true"}).content.decode()


def test_two_people_are_never_given_the_same_words(said, assistant, environment, anna: User, bob: User):
    said("a", 0.1), said("a", 0.15, sender="other"), said("b", 0.2), said("c", 0.3)
    assert shown(page(anna, assistant)) == ("a", "b")
    assert shown(page(bob, assistant)) == ("c", "")
    assert shown(page(anna, assistant)) == ("a", "b")  # hers still


def test_a_lease_ends_by_itself_and_is_taken_over(said, environment, anna: User, bob: User, time_machine_later):
    event = said("a")
    assert hold(actor=anna, event=event) and not hold(actor=bob, event=event)
    assert inbox.holder(event, other_than=bob) == "anna" and inbox.holder(event, other_than=anna) == ""
    with time_machine_later(301):
        assert hold(actor=bob, event=event) and not hold(actor=anna, event=event)
    with time_machine_later(1000):
        assert inbox.sweep() == 1


def test_whoever_leaves_lets_others_have_it(said, assistant, anna: User, bob: User):
    event, other = said("a", 0.1), said("b", 0.2)
    page(anna, assistant)
    assert MessageLease.objects.count() == 2
    url = f"/a/{assistant.slug}/inbox/{event.pk}/"
    assert client_of(bob).post(url + "hold").status_code == 409
    assert client_of(bob).post(url + "leave").status_code == 204 and MessageLease.objects.count() == 2  # not his
    assert client_of(anna).post(url + "leave", {"next": str(other.pk)}).status_code == 204
    assert not MessageLease.objects.exists()
    assert client_of(bob).post(url + "hold").status_code == 204


@pytest.fixture
def two(said, assistant, redis_client) -> tuple[str, Event, Event]:
    """The inbox's address, and two messages."""
    return f"/a/{assistant.slug}/inbox/", said("a", 0.1), said("b", 0.2)


def opened(client: Client, inbox_url: str) -> str:
    """The name of a page that was opened. It has the first message in front, and the second ready."""
    name = re.search(r'data-page="([^"]+)"', client.get(inbox_url).content.decode())[1]
    event = Event.objects.get(text="a")
    assert client.get(f"{inbox_url}{event.pk}/next", {"page": name}).status_code == 200
    return name


def gone(name: str, ready: Event) -> dict[str, str]:
    return {"page": name, "gone": "1", "next": str(ready.pk)}


def test_a_page_that_is_left_does_not_let_go_of_what_another_page_of_the_person_has(two, anna: User):
    url, first, second = two
    client = client_of(anna)
    before, after = opened(client, url), opened(client, url)  # or two tabs
    client.post(f"{url}{first.pk}/leave", gone(before, second))
    assert set(MessageLease.objects.values_list("event", "person")) == {(first.pk, anna.pk), (second.pk, anna.pk)}
    client.post(f"{url}{first.pk}/leave", {"page": after})  # a skip: the page stays, with what is ready
    assert list(MessageLease.objects.values_list("event", flat=True)) == [second.pk]
    client.post(f"{url}{second.pk}/leave", gone(after, second))
    assert not MessageLease.objects.exists()


def test_what_a_page_had_open_that_was_left_since_is_let_go(two, anna: User):
    url, first, second = two
    client = client_of(anna)
    before = opened(client, url)
    client.post(f"{url}{first.pk}/answer", {"intent": "greet", "page": before, "now": second.pk}, headers=HTMX)
    client.post(f"{url}{first.pk}/undo", {"said_at": Correction.objects.get().at.isoformat()})
    after = opened(client, url)
    client.post(f"{url}{second.pk}/leave", {"page": before, "gone": "1"})
    client.post(f"{url}{first.pk}/leave", gone(after, second))
    assert not MessageLease.objects.exists()


def test_what_was_taken_for_a_page_and_never_reached_it_is_let_go(two, anna: User):
    url, first, _second = two
    client = client_of(anna)
    client.post(f"{url}{first.pk}/leave", {"page": opened(client, url), "gone": "1"})
    assert not MessageLease.objects.exists()


def test_what_a_program_or_a_colleague_had_for_a_while_a_page_lets_go(two, anna: User, bob: User):
    url, first, _second = two
    assert hold(actor=anna, event=first)
    inbox.release(actor=anna, event_ids=[first.pk])
    assert hold(actor=bob, event=first)
    assert not hold(actor=anna, event=first, page="another tab")
    inbox.release(actor=bob, event_ids=[first.pk])
    client = client_of(anna)
    client.post(f"{url}{first.pk}/leave", {"page": opened(client, url), "gone": "1"})
    assert not MessageLease.objects.exists()


def test_what_a_left_page_still_asks_for_takes_nothing(two, anna: User, bob: User):
    url, first, second = two
    client = client_of(anna)
    name = opened(client, url)
    client.post(f"{url}{first.pk}/leave", {"page": name})
    assert client.post(f"{url}{first.pk}/hold", {"page": name}).status_code == 409  # skipped
    assert client.post(f"{url}{second.pk}/hold", {"page": name}).status_code == 204
    client.post(f"{url}{second.pk}/leave", gone(name, second))
    for event in (first, second):
        assert client.post(f"{url}{event.pk}/hold", {"page": name}).status_code == 409
    assert shown(client.get(f"{url}{first.pk}/next", {"page": name}).content.decode()) == ("", "")
    client.post(f"{url}{first.pk}/answer", {"intent": "greet", "page": name}, headers=HTMX)  # the answer itself is kept
    assert Correction.objects.exists() and not MessageLease.objects.exists()
    assert client_of(bob).post(f"{url}{second.pk}/hold").status_code == 204


def test_a_page_that_is_left_while_it_takes_a_message_has_none(two, anna: User, monkeypatch):
    url, first, second = two
    name = opened(client_of(anna), url)
    MessageLease.objects.all().delete()

    def leave_first(*values) -> bool:
        inbox.release(actor=anna, event_ids=[second.pk], page=name, is_gone=True)
        return take(*values)

    take = inbox._take
    monkeypatch.setattr(inbox, "_take", leave_first)
    assert not hold(actor=anna, event=first, page=name) and not MessageLease.objects.exists()


def test_without_redis_messages_are_held_and_let_go_all_the_same(two, anna: User, monkeypatch):
    url, first, second = two
    away = redis.Redis(port=1)
    monkeypatch.setattr("conversations.services.open_pages.client", lambda: away)
    name = opened(client_of(anna), url)
    assert MessageLease.objects.count() == 2
    client_of(anna).post(f"{url}{first.pk}/leave", gone(name, second))
    assert not MessageLease.objects.exists()


def test_who_else_has_the_message_of_the_address_is_said(said, assistant, anna: User, bob: User):
    event = said("a")
    page(anna, assistant)
    text = page(bob, assistant, f"?m={event.pk}")
    talk = event.conversation
    url = f"/a/{assistant.slug}/conversations/{talk.pk}/events/{event.pk}/panel"
    assert "anna looks at this one" in client_of(bob).get(url, headers={"HX-Request": "true"}).content.decode()
    assert "anna looks at this one" in text and "data-correction" not in text.split("<template")[0]


def test_an_answer_brings_what_comes_after_the_message_that_lay_ready(said, assistant, anna: User):
    first, second = said("a", 0.1), said("b", 0.2)
    said("c", 0.3)
    assert shown(page(anna, assistant)) == ("a", "b")
    url = f"/a/{assistant.slug}/inbox/{first.pk}/answer"
    answer = client_of(anna).post(url, {"intent": "greet", "now": str(second.pk)}, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert re.search(r"data-asked>([^<]*)<", text)[1] == "c"
    assert "1 of 3 looked at" in text and "Undo" in text and "2 left" in text
    assert Correction.objects.get().event == first and not MessageLease.objects.filter(event=first).exists()
    assert "HX-Trigger" not in answer  # no toast upon the buttons of the next message: a line says it
    assert re.search(r'role="status">.*<b [^>]*>greet</b>', text, re.DOTALL)


def test_words_that_were_skipped_do_not_come_again_behind_others(said, assistant, environment, anna: User):
    _last, _again, second, first = (said(text, intent="nlu_fallback", at=NOW - at) for at, text in enumerate("caba"))
    assert shown(page(anna, assistant)) == ("a", "b")
    url, skipped = f"/a/{assistant.slug}/inbox/{second.pk}/", {"skipped": [first.pk, "x", "9" * 30]}
    assert shown(client_of(anna).get(url + "next").content.decode())[1] == "a"
    assert shown(client_of(anna).get(url + "next", skipped).content.decode())[1] == "c"
    answer = client_of(anna).post(url + "answer", {"intent": "greet", "now": second.pk} | skipped, headers=HTMX)
    assert shown(answer.content.decode())[1] == "c"
    elsewhere = wanted(environment, environments=[])
    assert inbox.next_free(actor=anna, wanted=elsewhere, skipped=[first.pk]) is None


def test_without_javascript_the_answer_leads_to_the_next(said, assistant, anna: User):
    first = said("a", 0.1)
    said("b", 0.2)
    url = f"/a/{assistant.slug}/inbox/{first.pk}/answer?below=0.6"
    answer = client_of(anna).post(url, {"intent": "greet"}, follow=True)
    assert answer.redirect_chain[0][0] == f"/a/{assistant.slug}/inbox/?below=0.6"
    assert shown(answer.content.decode()) == ("b", "")
    back = client_of(anna).post(f"/a/{assistant.slug}/inbox/{first.pk}/undo", said_at(first), follow=True)
    assert shown(back.content.decode()) == ("a", "") and not Correction.objects.exists()


def test_answers_are_taken_back_one_after_the_other(said, assistant, anna: User, time_machine_later):
    client, url = client_of(anna), f"/a/{assistant.slug}/inbox"
    events = [said(text, 0.1 + at / 10) for at, text in enumerate("abc")]
    for event in events:
        client.post(f"{url}/{event.pk}/answer", {"act": "ignore"})
    for event in reversed(events):
        text = page(anna, assistant)
        undo = re.search(r'action="([^"]*/undo)"', text)[1]
        assert undo == f"{url}/{event.pk}/undo"
        client.post(undo, {"said_at": re.search(r'name="said_at" value="([^"]+)"', text)[1]})
    assert not Correction.objects.exists() and "/undo" not in page(anna, assistant)


def test_what_a_colleague_said_later_is_not_taken_back(said, assistant, anna: User, bob: User):
    event = said("a", 0.1)
    correct(actor=anna, event=event, verdict=Verdict("greet"))
    meant = said_at(event)
    correct(actor=bob, event=event, verdict=Verdict("bye"))
    for data in (meant, {}, {"said_at": "soon"}):
        answer = client_of(anna).post(f"/a/{assistant.slug}/inbox/{event.pk}/undo", data, follow=True)
        assert "another answer stands there now, bye by bob." in answer.content.decode()
    assert Correction.objects.get().person == bob
    client_of(anna).post(f"/a/{assistant.slug}/inbox/{event.pk}/undo", said_at(event))  # seen, and meant
    assert Correction.objects.get().person == anna


def test_a_message_in_front_that_has_an_answer_is_the_one_to_be_undone(said, assistant, anna: User):
    first, second, third = (said(text, 0.1 + at / 10) for at, text in enumerate("abc"))
    for event in (first, second):
        correct(actor=anna, event=event, verdict=Verdict("greet"))
    undone = {
        event: re.findall(r'/inbox/(\d+)/undo"', page(anna, assistant, f"?m={event.pk}")) for event in (first, third)
    }
    assert undone == {first: [str(first.pk)], third: [str(second.pk)]}
    Correction.objects.filter(event=first).update(state=Correction.State.ACCEPTED)  # so that it has no button
    assert re.findall(r'/inbox/(\d+)/undo"', page(anna, assistant, f"?m={first.pk}")) == [str(second.pk)]


def test_what_was_answered_elsewhere_or_long_ago_is_not_offered_to_be_undone(
    said, assistant, anna: User, bob: User, time_machine_later
):
    event = said("a", 0.1)
    said("b", 0.2)
    correct(actor=anna, event=event, verdict=Verdict("greet"))
    assert "/undo" in page(anna, assistant) and "/undo" not in page(bob, assistant)
    worker = environment_of(assistant, "worker")
    assert corrections.last_of(anna, assistant, [worker.pk]) is None
    with time_machine_later(12 * 3600 + 1):
        assert "/undo" not in page(anna, assistant)
    Correction.objects.update(state=Correction.State.ACCEPTED)
    assert "/undo" not in page(anna, assistant)


def test_a_refused_answer_brings_the_message_back_with_what_was_typed(said, assistant, anna: User):
    event = said("a", 0.1)
    url = f"/a/{assistant.slug}/inbox/{event.pk}/answer"
    answer = client_of(anna).post(url, {"intent": "two words"}, headers={"HX-Request": "true"})
    assert answer.status_code == 422 and "two words" in answer.content.decode()


def test_what_was_said_before_the_message_is_shown(stored: Make, assistant, anna: User):
    stored(user("book", NOW - 9, confidence=0.99), bot("For how many?", NOW - 8), user("vier", NOW - 5, confidence=0.3))
    text = page(anna, assistant)
    assert text.index("For how many?") < text.index("data-asked>vier")


def test_the_address_narrows_and_a_value_that_cannot_be_is_said(said, assistant, environment, anna: User):
    make_model(assistant, "otter")
    said("a", 0.1), said("b", 0.5, intent="bye")
    assert shown(page(anna, assistant, "?intent=bye"))[0] == "b"
    assert "Nothing is left to look at here" in page(anna, assistant, "?below=0.4&intent=bye")
    assert "Nothing is left to look at here" in page(anna, assistant, "?model=otter")
    for query in ("?environment=nowhere", "?below=7", "?since=2020-01-01&until=2022-01-01"):
        assert "field-error" in page(anna, assistant, query, 422)


def test_a_guess_is_not_accented_and_the_buttons_say_how_sure_nlu_was(stored: Make, assistant, anna: User):
    for at, name in enumerate(("nlu_fallback", "greet")):
        event = user("hm", NOW - 60, intent=name, confidence=0.4 + at / 10, sender=name)
        ranking = [{"name": "nlu_fallback", "confidence": 0.4}, {"name": "greet", "confidence": 0.27}]
        event["parse_data"]["intent_ranking"] = ranking
        stored(event)
    guess, said = (
        re.search(r'class="([^"]*)"[^>]*data-shortcut="c">Is greet <small>0.27<', page(anna, assistant, query))[1]
        for query in ("?intent=nlu_fallback", "?intent=greet")
    )
    assert "btn-primary" not in guess and "btn-primary" in said


def test_the_model_is_named_as_people_know_it(said, assistant, anna: User):
    model = make_model(assistant, "otter")
    model.name = "spring-menu"
    model.save(update_fields=["name"])
    said("a", model="otter"), said("b", model="gone-since")
    text = page(anna, assistant)
    assert '<li class="mono anywhere">spring-menu</li>' in text and '<li class="mono anywhere">gone-since</li>' in text


def test_an_empty_inbox_says_what_comes_here(assistant, anna: User):
    assert "Nothing is left to look at" in page(anna, assistant)


def test_messages_of_an_environment_are_for_those_who_may_correct_there(said, assistant, environment):
    event = said("a")
    worker = environment_of(assistant, "worker")
    store_events(worker, user("theirs", NOW - 60, confidence=0.3, sender="w"))
    person = make_person("annotator", Scope(assistant.pk, worker.pk))
    assert shown(page(person, assistant)) == ("theirs", "")
    assert client_of(person).get(f"/a/{assistant.slug}/inbox/?m={event.pk}").status_code == 404


def test_what_an_environment_adopted_waits_as_its_own(assistant, environment, anna: User):
    store_events(environment, user("früher", NOW - 60, confidence=0.3), under="old-name")
    assert "Nothing is left" in page(anna, assistant)
    adopt_environment(actor=None, assistant=assistant, name="old-name", environment=environment)
    assert shown(page(anna, assistant))[0] == "früher"
    assert "1 left" in page(anna, assistant, "?environment=production")
    worker = environment_of(assistant, "worker")
    assert shown(page(make_person("annotator", Scope(assistant.pk, worker.pk)), assistant))[0] == ""


def test_the_number_of_queries_does_not_grow(said, assistant, anna: User, django_assert_max_num_queries):
    client = client_of(anna)
    said("a", 0.1), said("b", 0.2)
    client.get(f"/a/{assistant.slug}/inbox/")
    with django_assert_max_num_queries(60) as few:
        client.get(f"/a/{assistant.slug}/inbox/")
    for number in range(20):
        said(f"more {number}", 0.3)
    with django_assert_max_num_queries(len(few)):
        client.get(f"/a/{assistant.slug}/inbox/")


def test_nothing_but_the_indexes_of_the_inbox_is_read(stored: Make, environment):
    stored(*(user(f"more {number}", NOW - 60, confidence=0.3, sender=f"s{number}") for number in range(300)))
    with connection.cursor() as cursor:  # else it depends on when autovacuum last saw the tables, empty or not
        cursor.execute("ANALYZE conversations_event, conversations_conversation")
    for changes in ({}, {"intent": "greet"}, {"models": ["m-1"]}):
        plan = plan_of(lambda changes=changes: find(wanted(environment, **changes)))
        condition = re.search(r"using inbox_by_day on .*\n\s+Index Cond: (.*)", plan)[1]
        assert "Seq Scan on conversations_event" not in plan and "Sort Key: ((CASE" not in plan
        for field, column in (("intent", "name"), ("models", "model_id")):
            assert field not in changes or f"({column})" in condition
    plan = plan_of(lambda: inbox.same_words(make_person("annotator"), Event.objects.first()))
    assert re.search(r"inbox_same_words on .*\n\s+Index Cond: .*hashtext", plan), plan


def test_what_somebody_said_last_is_found_by_an_index_of_the_assistant(assistant, environment, anna: User):
    with CaptureQueriesContext(connection) as asked:
        corrections.last_of(anna, assistant, [environment.pk])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {asked.captured_queries[-1]['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert re.search(r"Index Cond: \(\(assistant_id = \d+\) AND \(at >= ", plan), plan


def plan_of(ask: Callable[[], object]) -> str:
    """Of the first query that is about events, where small tables count as large ones."""
    plans = []

    def explain(execute, sql, params, many, context):
        if not plans and "FROM conversations_event AS event" in sql:
            with connection.connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
                cursor.execute(f"EXPLAIN {sql}", params)
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
                cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        ask()
    return plans[0]


def test_the_next_free_message_is_found_behind_many_that_others_have(
    said, assistant, environment, anna: User, bob: User
):
    for number in range(12):
        hold(actor=bob, event=said(f"bob {number}", 0.1))
    said("free", 0.5)
    assert next_free(actor=anna, wanted=wanted(environment)).text == "free"
