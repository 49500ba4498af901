"""The page of one link, its pictures, and its options in the dialog and in the audit."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from conversations.chat import guests
from conversations.chat.links import Options, address_of, create_link
from conversations.models import Conversation, Event, ShareLink
from conversations.services.ratings import rate
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import Role, User
from studio.access.permissions import Permission
from studio.access.services.grants import grant
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.clients import client_of
from tests.conversations.events import small_talk
from tests.factories import make_person


@pytest.fixture
def person(client: Client, db: None, redis_client: object) -> User:
    person = make_person("annotator")
    client.force_login(person)
    return person


@pytest.fixture
def link(person: User, environment: Environment) -> ShareLink:
    return create_link(actor=person, environment=environment, name="friends", options=Options(visitors_limit=9))


@pytest.fixture
def base(assistant: Assistant, link: ShareLink) -> str:
    return f"/a/{assistant.slug}/share/{link.pk}"


def guest_who_wrote(link: ShareLink, stored: Any) -> Event:
    """A guest with a conversation that has arrived; the reply they got."""
    guest, _ = guests.meet(link=link, about=guests.About(language="de", device="phone"))
    session = guests.begin(guest=guest, link=link)
    stored(*small_talk(sender=session.sender_id))
    spoken = Event.objects.get(kind="bot", conversation__sender_id=session.sender_id)
    rate(session=session, link=link, key=f"e{spoken.pk}", value="down", comment="Not what I asked")
    return spoken


def test_the_page_says_who_came_and_what_they_thought(client: Client, base: str, link: ShareLink, stored):
    spoken = guest_who_wrote(link, stored)
    guests.meet(link=link, about=guests.About())
    text = client.get(base).content.decode()
    assert f'data-copy="{address_of(link)}"' in text
    assert "phone · German" in text
    assert "Not what I asked" in text
    assert f"/conversations/{spoken.conversation_id}?at={spoken.pk}#e{spoken.pk}" in text
    assert f"?origin=link:{link.pk}" in text
    assert "of 9" in text


def test_an_address_that_others_can_open_is_to_copy_and_to_scan(client: Client, base: str, settings):
    settings.PUBLIC_URL = "https://parley.example.org"
    text = client.get(base).content.decode()
    assert "Opens on this machine only" not in text
    assert 'class="qr"' in text


@pytest.mark.parametrize("address", ["http://localhost:8790", "http://127.0.0.1:8000"])
def test_one_that_opens_on_this_machine_only_says_so_and_has_no_picture(client: Client, base: str, settings, address):
    settings.PUBLIC_URL = address
    text = client.get(base).content.decode()
    assert "Opens on this machine only" in text
    assert 'href="/docs/one-machine"' in text
    assert 'class="qr"' not in text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://localhost:8790", "Club is open, for now on this machine only"),
        ("https://parley.example.org", "Club is open. Copy its address and send it to your guests."),
    ],
)
def test_whoever_made_a_link_is_told_to_send_it_only_where_it_opens(
    client: Client, base: str, link: ShareLink, settings, address, words
):
    settings.PUBLIC_URL = address
    target = f"environment:{link.environment.name}"
    response = client.post(base.rsplit("/", 1)[0] + "/new", {**FORM, "name": "Club", "target": target}, follow=True)
    assert words in response.content.decode()


def test_who_may_share_and_not_read_sees_counts_and_no_texts(base: str, link: ShareLink, stored, redis_client):
    guest_who_wrote(link, stored)
    role = Role.objects.create(name="sharer", permissions=[Permission.SHARE])
    person = make_person()
    grant(actor=None, person=person, role=role)
    client = client_of(person)
    text = client.get(base).content.decode()
    assert "Not what I asked" not in text and "/conversations/" not in text.split("<main")[1]
    assert "phone · German" in text


def test_the_page_costs_the_same_however_many_came(
    client: Client, base: str, link: ShareLink, stored, django_assert_max_num_queries: Any
):
    for _ in range(6):
        guest_who_wrote(link, stored)
    with django_assert_max_num_queries(20):
        client.get(base)


def test_guests_come_in_pages_without_gaps(client: Client, base: str, link: ShareLink, monkeypatch):
    monkeypatch.setattr("conversations.views.share_page.GUESTS", 2)
    for language in ("de", "fr", "es", "it", "nl"):
        guests.meet(link=link, about=guests.About(language=language))
    seen, address = [], base
    while address:
        text = client.get(address).content.decode()
        seen += [name for name in ("German", "French", "Spanish", "Italian", "Dutch") if f"· {name}" in text]
        address = base + text.split('rel="next" href="')[1].split('"')[0] if 'rel="next"' in text else ""
    assert sorted(seen) == ["Dutch", "French", "German", "Italian", "Spanish"]
    assert client.get(f"{base}?after=1e300-7").status_code == 200


@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_address_comes_as_a_picture(client: Client, base: str, link: ShareLink, kind: str, begins: bytes):
    response = client.get(f"{base}/qr.{kind}?download")
    assert response.content.startswith(begins)
    assert response["Content-Disposition"] == f'attachment; filename="share-link-{link.pk}.{kind}"'
    assert "no-store" in response["Cache-Control"]
    ShareLink.objects.update(revoked_at=link.created_at)
    assert client.get(f"{base}/qr.{kind}").status_code == 410


FORM = {"name": "friends", "greeting": "", "expires_at": "", "is_on": "on", "takes_ratings": "on"}


def test_options_are_set_in_the_dialog_shown_on_the_list_and_audited(client: Client, base: str, link: ShareLink):
    data = FORM | {
        "target": "environment:production", "look": "dark", "accent": "#E5A3FF", "language": "de",
        "password": "open sesame", "visitors_limit": "5", "messages_limit": "", "origins": "https://shop.example.org/",
    }  # fmt: skip
    assert client.post(f"{base}/edit", data).status_code == 302
    link.refresh_from_db()
    assert (link.accent, link.origins, link.messages_limit) == ("#e5a3ff", ["https://shop.example.org"], 0)
    assert link.password and "open sesame" not in link.password
    event = AuditEvent.objects.get(action=Action.SHARE_LINK_CHANGED)
    assert (event.before["password"], event.after["password"], event.after["look"]) == ("none", "changed", "dark")
    assert "sesame" not in f"{event.before}{event.after}" and link.password not in f"{event.before}{event.after}"
    listed = client.get(base.rpartition("/")[0] + "/").content.decode()
    for words in ("password", "0 of 5 visitors", "dark look", "#e5a3ff", "Deutsch", "on 1 other site"):
        assert f"· {words}" in listed, words
    assert "widget.js" in client.get(base).content.decode()


def test_a_password_stays_until_it_is_changed_or_taken_away(client: Client, base: str, link: ShareLink):
    data = FORM | {"target": "environment:production"}
    client.post(f"{base}/edit", data | {"password": "open sesame"})
    kept = ShareLink.objects.get().password
    client.post(f"{base}/edit", data | {"name": "renamed"})
    assert ShareLink.objects.get().password == kept
    client.post(f"{base}/edit", data | {"no_password": "on"})
    assert ShareLink.objects.get().password == ""


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("accent", "#ffd400", "WCAG AA"),
        ("origins", "http://shop.example.org", "not encrypted"),
        ("password", "short", "at least 6"),
        ("visitors_limit", "-1", "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(client: Client, base: str, link: ShareLink, field, typed, sentence):
    data = FORM | {"target": "environment:production", field: typed}
    response = client.post(f"{base}/edit", data)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not AuditEvent.objects.filter(action=Action.SHARE_LINK_CHANGED).exists()


def test_the_list_says_when_a_link_is_full(client: Client, base: str, link: ShareLink):
    ShareLink.objects.update(visitors_limit=1, wrote_count=1)
    assert "Full" in client.get(base).content.decode()


def test_the_list_of_a_links_conversations_is_found_by_its_index(link: ShareLink, stored):
    guest_who_wrote(link, stored)
    found = Conversation.objects.filter(share_link=link).order_by("-last_event_at", "-pk")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "conversation_of_link" in found.explain()
