"""Flags and tags on conversations and on their messages."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from conversations.ingest.write import Stored
from conversations.models import Conversation, Event, Mark
from conversations.services import marks
from conversations.services.marks import MOST_MARKS, Target, remove_mark, set_flag, set_tag, tag_name, tag_names
from studio.access.models import User
from studio.errors import Invalid
from tests.conversations.events import small_talk, user
from tests.conversations.reader_fixtures import anna, client, conversation
from tests.factories import make_assistant, make_person

__all__ = ["anna", "client", "conversation"]

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def said(conversation: Conversation) -> Event:
    return conversation.events.get(kind="user")


def address(name: str, conversation: Conversation, *more: int, query: str = "") -> str:
    return reverse(f"conversations:{name}", args=[conversation.assistant.slug, conversation.pk, *more]) + query


def page(client: Client, conversation: Conversation) -> str:
    return client.get(address("detail", conversation)).content.decode()


def test_a_flag_says_who_set_it_and_can_be_taken_off(client: Client, conversation: Conversation):
    client.post(address("flag", conversation))
    assert Conversation.objects.flagged().get() == conversation
    shown = page(client, conversation)
    assert "Flagged" in shown and "by anna" in shown and "Unflag" in shown
    client.post(address("unmark", conversation, Mark.objects.get().pk))
    assert not Conversation.objects.flagged().exists()
    assert "Unflag" not in page(client, conversation)


def test_a_flag_that_is_set_twice_keeps_its_first_person(anna: User, conversation: Conversation):
    first = set_flag(actor=anna, target=Target(conversation))
    assert set_flag(actor=make_person("annotator"), target=Target(conversation)) == first
    assert Mark.objects.get().by == anna


def test_a_flagged_message_flags_its_conversation_until_the_last_is_gone(
    anna: User, conversation: Conversation, said: Event
):
    of_message = set_flag(actor=anna, target=Target(conversation, said))
    of_all = set_flag(actor=anna, target=Target(conversation))
    remove_mark(actor=anna, mark=of_all)
    assert Conversation.objects.flagged().exists()
    remove_mark(actor=anna, mark=of_message)
    remove_mark(actor=anna, mark=of_message)  # in another tab
    assert not Conversation.objects.flagged().exists()


def test_a_message_shows_its_marks_in_the_conversation_and_in_the_panel(
    client: Client, conversation: Conversation, said: Event
):
    query = f"?event={said.pk}"
    client.post(address("flag", conversation, query=query))
    client.post(address("tag", conversation, query=query), {"name": "Small  Talk"})
    chat, panel = page(client, conversation).split('id="panel"')
    assert "small talk" in chat and "flagged" in chat and "1 message marked" in chat
    assert "small talk" in panel and "Flagged" in panel


@pytest.mark.parametrize(
    ("typed", "kept"), [("Refund", "refund"), ("  late\tdelivery ", "late delivery"), ("a-1", "a-1")]
)
def test_tags_are_kept_in_one_spelling(typed: str, kept: str):
    assert tag_name(typed) == kept


@pytest.mark.parametrize("typed", ["", " ", "naïve", "a_b", "<b>", "a/b", "x" * 41])
def test_what_makes_no_tag_is_refused_beside_the_field(client: Client, conversation: Conversation, typed: str):
    response = client.post(address("tag", conversation), {"name": typed}, headers=HTMX)
    assert response.status_code == 422 and "field-error" in response.content.decode()
    assert not Mark.objects.exists()


def test_a_tagged_conversation_is_found_by_its_tag(client: Client, anna: User, stored: Make):
    for number in range(2):
        stored(user("hi", 100.0 + number, sender=f"s{number}"))
    one, other = Conversation.objects.order_by("pk")
    set_tag(actor=anna, target=Target(one), name="refund")
    set_tag(actor=anna, target=Target(one), name="late")
    set_tag(actor=anna, target=Target(other), name="late")
    assert Conversation.objects.tagged("refund").get() == one
    assert Conversation.objects.tagged("late").count() == 2
    assert not Conversation.objects.tagged("lat").exists()
    one.refresh_from_db()
    assert one.tags == ["late", "refund"]


def test_the_tags_in_use_are_offered_to_their_assistant_alone(client: Client, anna: User, conversation: Conversation):
    for name in ("refund", "late", "refund"):
        set_tag(actor=anna, target=Target(conversation), name=name)
    set_flag(actor=anna, target=Target(conversation))
    assert tag_names(conversation.assistant_id) == ["late", "refund"]
    assert tag_names(make_assistant().pk) == []
    assert '<option value="refund">' in client.get(address("tag", conversation), headers=HTMX).content.decode()


def test_names_cost_no_more_than_they_are_however_many_marks(
    anna: User, conversation: Conversation, django_assert_num_queries
):
    set_tag(actor=anna, target=Target(conversation), name="late")
    with django_assert_num_queries(1):
        tag_names(conversation.assistant_id)


def test_a_note_says_what_was_wrong(client: Client, anna: User, conversation: Conversation):
    mark = set_flag(actor=anna, target=Target(conversation))
    client.post(address("mark-note", conversation, mark.pk), {"note": "It should have <b>asked</b> for the day."})
    assert "asked&lt;/b&gt; for the day" in page(client, conversation)


def test_marking_answers_with_every_part_that_shows_marks(client: Client, conversation: Conversation, said: Event):
    answer = client.post(address("flag", conversation, query=f"?event={said.pk}"), headers=HTMX)
    shown = answer.content.decode()
    assert answer["HX-Reswap"] == "none"
    for part in ("standing", "flag-button", "message-marks", f"k{said.pk}"):
        assert f'id="{part}"' in shown
    assert shown.count('hx-swap-oob="true"') == 4


def test_without_javascript_one_comes_back_to_the_message(client: Client, conversation: Conversation, said: Event):
    answer = client.post(address("flag", conversation, query=f"?event={said.pk}&q=hi"))
    assert answer.url == address("detail", conversation, query=f"?q=hi&at={said.pk}&m={said.pk}#e{said.pk}")


def test_an_event_of_another_conversation_cannot_be_marked(client: Client, conversation: Conversation, stored: Make):
    stored(*small_talk(sender="ben"))
    other = Event.objects.filter(conversation__sender_id="ben").first()
    assert client.post(address("flag", conversation, query=f"?event={other.pk}")).status_code == 404
    assert not Mark.objects.exists()


def test_a_mark_is_removed_under_its_own_conversation_alone(client: Client, anna: User, stored: Make):
    for number in range(2):
        stored(user("hi", 100.0 + number, sender=f"s{number}"))
    one, other = Conversation.objects.order_by("pk")
    mark = set_flag(actor=anna, target=Target(one))
    assert client.post(address("unmark", other, mark.pk)).status_code == 404
    assert Mark.objects.exists()


def test_marks_of_a_conversation_have_an_end(
    anna: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch, client: Client
):
    monkeypatch.setattr(marks, "MOST_MARKS", 2)
    assert MOST_MARKS > 2
    for name in ("a", "b"):
        set_tag(actor=anna, target=Target(conversation), name=name)
    with pytest.raises(Invalid):
        set_tag(actor=anna, target=Target(conversation), name="c")
    assert "at most" in client.post(address("flag", conversation), follow=True).content.decode()


def test_marks_take_no_queries_of_their_own(
    client: Client, anna: User, conversation: Conversation, stored: Make, django_assert_max_num_queries
):
    stored(*(user(f"m{number}", 1_790_000_100.0 + number) for number in range(30)))
    for event in conversation.events.filter(kind="user"):
        set_tag(actor=anna, target=Target(conversation, event), name="late")
    page(client, conversation)
    with django_assert_max_num_queries(22):
        page(client, conversation)
