"""What the team makes of conversations, and what each person has read."""

import json
from collections.abc import Callable
from copy import copy
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from conversations.ingest.write import Stored
from conversations.models import Conversation, ReadMark
from conversations.services.review import mark_read, review, undo_review, unread_among
from studio.access.models import User
from studio.errors import Conflict, Invalid
from tests.clients import client_of
from tests.conversations.events import bot, user
from tests.conversations.reader_fixtures import anna, client, conversation
from tests.factories import make_person

__all__ = ["anna", "client", "conversation"]

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]


def address(name: str, conversation: Conversation, query: str = "") -> str:
    return reverse(f"conversations:{name}", args=[conversation.assistant.slug, conversation.pk]) + query


def three(stored: Make) -> list[Conversation]:
    """Oldest first."""
    for number in range(3):
        stored(user("hi", 100.0 + number, sender=f"s{number}"))
    return list(Conversation.objects.order_by("last_event_at"))


def send(client: Client, url: str, **data: str):
    return client.post(url, data, headers={"Accept": "application/json"})


def test_reviewing_leads_to_the_next_of_the_list(client: Client, anna: User, stored: Make):
    oldest, middle, _ = three(stored)
    response = client.post(address("review", middle, "?q=hi"), {"state": "reviewed"})
    assert response.url == address("detail", oldest, "?q=hi")
    middle.refresh_from_db()
    assert (middle.review_state, middle.reviewed_by, middle.reviewed_events) == ("reviewed", anna, 1)
    assert "Marked as reviewed" in client.get(response.url).content.decode()


def test_after_the_last_of_the_list_the_same_page_comes_again(client: Client, conversation: Conversation):
    response = client.post(address("review", conversation), {"state": "saved"})
    assert response.url == address("detail", conversation)
    assert "Saved for later" in client.get(response.url).content.decode()


def test_a_filter_that_loses_what_was_reviewed_does_not_lose_the_place(client: Client, stored: Make):
    """The neighbours are those of the place in the list, and the list need not hold it any more."""
    oldest, middle, newest = three(stored)
    shown = client.get(address("detail", middle, "?q=no-one-says-this")).content.decode()
    assert address("detail", oldest) not in shown
    review(actor=make_person("admin"), conversation=middle, state="reviewed")
    shown = client.get(address("detail", middle)).content.decode()
    assert address("detail", oldest) in shown and address("detail", newest) in shown


def test_the_script_gets_what_brings_the_former_state_back(client: Client, conversation: Conversation):
    answer = send(client, address("review", conversation), state="reviewed").json()
    assert answer["state"] == "reviewed" and answer["undo"]
    undone = send(client, address("review-undo", conversation), undo=answer["undo"]).json()
    conversation.refresh_from_db()
    assert undone["text"] == "Undone." and conversation.review_state == "" and conversation.reviewed_by is None


def test_undoing_brings_back_who_reviewed_it_before(anna: User, conversation: Conversation, stored: Make):
    ben = make_person("annotator")
    review(actor=ben, conversation=conversation, state="reviewed")
    conversation.refresh_from_db()
    before = conversation.reviewed_at
    stored(user("one more", 1_790_000_100.0))
    done = review(actor=anna, conversation=conversation, state="saved")
    undo_review(actor=anna, conversation=conversation, undo=done.undo)
    conversation.refresh_from_db()
    state = (
        conversation.review_state,
        conversation.reviewed_by,
        conversation.reviewed_at,
        conversation.reviewed_events,
    )
    assert state == ("reviewed", ben, before, 8)


def test_what_somebody_else_changed_since_is_not_undone(anna: User, conversation: Conversation):
    done = review(actor=anna, conversation=conversation, state="reviewed")
    review(actor=make_person("annotator"), conversation=conversation, state="saved")
    with pytest.raises(Conflict):
        undo_review(actor=anna, conversation=conversation, undo=done.undo)
    conversation.refresh_from_db()
    assert conversation.review_state == "saved"


def test_an_undo_is_of_one_conversation_and_cannot_be_made_up(anna: User, stored: Make):
    first, second, _ = three(stored)
    done = review(actor=anna, conversation=first, state="reviewed")
    for undo, of in ((done.undo, second), ("made up", first), ("", first)):
        with pytest.raises(Invalid):
            undo_review(actor=anna, conversation=of, undo=undo)


def test_saying_the_same_again_keeps_who_said_it_first(anna: User, conversation: Conversation):
    review(actor=anna, conversation=conversation, state="reviewed")
    again = review(actor=make_person("annotator"), conversation=conversation, state="reviewed")
    conversation.refresh_from_db()
    assert conversation.reviewed_by == anna and again.undo == ""


def test_a_state_that_does_not_exist_is_refused(client: Client, conversation: Conversation):
    response = send(client, address("review", conversation), state="finished")
    assert response.status_code == 409 and "reviewed" in response.json()["error"]


def test_a_reviewed_conversation_that_goes_on_stays_reviewed_and_says_so(
    client: Client, anna: User, conversation: Conversation, stored: Make
):
    review(actor=anna, conversation=conversation, state="reviewed")
    stored(user("one more", 1_790_000_100.0), bot("yes", 1_790_000_101.0))
    conversation.refresh_from_db()
    assert conversation.review_state == "reviewed"
    assert "2 new events since" in client.get(address("detail", conversation)).content.decode()


def test_neither_ingestion_nor_a_rebuild_touches_the_review(anna: User, conversation: Conversation, stored: Make):
    review(actor=anna, conversation=conversation, state="saved")
    stored(user("one more", 1_790_000_100.0))
    call_command("rebuild_conversations", stdout=StringIO())
    call_command("rebuild_conversations", "--check", stdout=StringIO())
    conversation.refresh_from_db()
    assert (conversation.review_state, conversation.reviewed_by) == ("saved", anna)


def test_looking_at_a_page_reads_it_and_fetching_it_ahead_does_not(
    client: Client, anna: User, conversation: Conversation
):
    shown = client.get(address("detail", conversation)).content.decode()
    assert not ReadMark.objects.exists()
    until = shown.split('data-until="')[1].split('"')[0]
    assert send(client, address("read", conversation), until=until).status_code == 204
    assert ReadMark.objects.get().read_until == conversation.last_event_at
    assert not Conversation.objects.unread_by(anna).exists()
    assert Conversation.objects.unread_by(make_person("annotator")).count() == 1


def test_new_events_make_it_unread_again_and_the_page_says_from_where(
    client: Client, anna: User, conversation: Conversation, stored: Make
):
    mark_read(actor=anna, conversation=conversation, until=conversation.last_event_at)
    assert "new since you read it" not in client.get(address("detail", conversation)).content.decode()
    stored(user("one more", 1_790_000_100.0))
    conversation.refresh_from_db()
    assert Conversation.objects.unread_by(anna).get() == conversation
    assert unread_among(anna, [conversation]) == {conversation.pk}
    before, after = client.get(address("detail", conversation)).content.decode().split("new since you read it")
    assert "Hello!" in before and "one more" in after


def test_a_tab_that_was_opened_earlier_does_not_make_it_unread(anna: User, conversation: Conversation):
    mark_read(actor=anna, conversation=conversation, until=conversation.last_event_at)
    mark_read(actor=anna, conversation=conversation, until=1.0)
    mark_read(actor=anna, conversation=conversation, until=float("inf"))
    assert ReadMark.objects.get().read_until == conversation.last_event_at


def test_it_can_be_marked_as_unread(client: Client, anna: User, conversation: Conversation):
    mark_read(actor=anna, conversation=conversation, until=conversation.last_event_at)
    assert send(client, address("read", conversation)).json()["text"] == "Marked as unread."
    assert unread_among(anna, [conversation]) == {conversation.pk}


def test_not_a_number_is_no_time(client: Client, anna: User, conversation: Conversation):
    for until in ("nan", "yesterday"):
        assert send(client, address("read", conversation), until=until).status_code == 400
    assert not ReadMark.objects.exists()


def test_a_tester_reads_but_does_not_review(stored: Make, conversation: Conversation):
    tester = make_person("tester")
    Conversation.objects.update(talker=tester, origin="talk")
    client = client_of(tester)
    shown = client.get(address("detail", conversation)).content.decode()
    assert "data-review" not in shown and 'id="flag-button"' not in shown
    assert send(client, address("read", conversation), until="1790000000.0").status_code == 204
    assert client.post(address("review", conversation), {"state": "reviewed"}).status_code == 403


def test_what_was_noted_goes_with_its_conversation_also_by_sql(anna: User, conversation: Conversation):
    mark_read(actor=anna, conversation=conversation, until=1.0)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM conversations_conversation WHERE id = %s", [conversation.pk])
    assert not ReadMark.objects.exists()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (lambda all_, anna: all_.in_review("reviewed"), "conversation_in_review"),
        (lambda all_, anna: all_.in_review(""), "conversation_in_review"),
        (lambda all_, anna: all_.flagged(), "conversation_flagged"),
        (lambda all_, anna: all_.tagged("refund"), "mark_"),
    ],
)
def test_what_the_team_noted_is_found_by_an_index_of_its_own(conversation: Conversation, anna: User, query, index):
    others = [copy(conversation) for _ in range(500)]
    for number, one in enumerate(others):
        one.pk, one.sender_key, one.review_state = None, b"%d" % number, "saved"
    Conversation.objects.bulk_create(others)
    wanted = query(Conversation.objects.filter(assistant=conversation.assistant), anna)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE conversations_conversation; SET LOCAL enable_seqscan = off")
    for order in (("-last_event_at", "-pk"), ("last_event_at", "pk")):
        plan = json.dumps(json.loads(wanted.order_by(*order)[:51].explain(format="json")))
        assert index in plan, plan
