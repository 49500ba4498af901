from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from conversations.chat.guests import About, begin, find_guest, meet, session_of
from conversations.chat.links import LinkState, address_of, change_link, create_link, find_link, revoke_link, state_of
from conversations.models import ShareLink, TalkSession
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from studio.errors import Conflict, Invalid
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_person

HTMX = {"HX-Request": "true"}


@pytest.fixture
def person(client: Client, db: None, redis_client: object) -> User:
    person = make_person("annotator")
    client.force_login(person)
    return person


@pytest.fixture
def link(person: User, environment: Environment) -> ShareLink:
    return create_link(actor=person, environment=environment, name="friends", greeting="Welcome!")


@pytest.fixture
def base(assistant: Assistant) -> str:
    return f"/a/{assistant.slug}/share/"


def change(person: User, link: ShareLink, **changes: Any) -> ShareLink:
    facts = {
        "environment": link.environment,
        "name": link.name,
        "greeting": link.greeting,
        "expires_at": link.expires_at,
        "is_on": link.is_on,
    }
    return change_link(actor=person, link=link, **(facts | changes))


def test_a_code_has_128_bits_and_is_found_again_only_whole(link: ShareLink):
    code = decrypt(link.code_encrypted)
    assert len(code) >= 22
    assert find_link(code) == link
    assert find_link(code[:-1]) is None
    assert code.encode() not in bytes(link.code_encrypted)
    assert address_of(link).endswith(f"/s/{code}")


def test_a_link_can_be_paused_ended_and_revoked(person: User, link: ShareLink, time_machine_later):
    assert state_of(link) is LinkState.OPEN
    assert state_of(change(person, link, is_on=False)) is LinkState.OFF
    ending = change(person, link, is_on=True, expires_at=timezone.now() + timedelta(hours=1))
    assert state_of(ending) is LinkState.OPEN
    with time_machine_later(3601):
        assert state_of(ending) is LinkState.EXPIRED
    revoke_link(actor=person, link=link)
    assert state_of(ShareLink.objects.select_related("environment__assistant").get()) is LinkState.REVOKED


def test_a_revoked_link_stays_revoked(person: User, link: ShareLink):
    revoke_link(actor=person, link=link)
    with pytest.raises(Conflict, match="revoked already"):
        revoke_link(actor=person, link=link)
    with pytest.raises(Conflict, match="Make a new link"):
        change(person, link, name="again")


def test_a_link_to_a_removed_environment_is_gone(link: ShareLink, environment: Environment):
    Environment.objects.filter(pk=environment.pk).update(removed_at=timezone.now())
    found = find_link(decrypt(link.code_encrypted))
    assert found is not None
    assert state_of(found) is LinkState.GONE


def test_an_end_in_the_past_is_refused(person: User, environment: Environment, link: ShareLink):
    past = timezone.now() - timedelta(minutes=1)
    with pytest.raises(Invalid, match="later time"):
        create_link(actor=person, environment=environment, name="late", expires_at=past)
    with pytest.raises(Invalid):
        change(person, link, expires_at=past)


def test_every_change_is_audited_without_the_code(person: User, link: ShareLink):
    change(person, link, name="guests")
    change(person, link, name="guests")  # nothing changes, so nothing is written
    revoke_link(actor=person, link=link)
    events = list(AuditEvent.objects.filter(target_kind="sharelink").order_by("pk"))
    assert [event.action for event in events] == [
        Action.SHARE_LINK_CREATED,
        Action.SHARE_LINK_CHANGED,
        Action.SHARE_LINK_REVOKED,
    ]
    assert all(decrypt(link.code_encrypted) not in f"{event.before}{event.after}" for event in events)


def test_the_page_lists_links_with_what_to_do(client: Client, link: ShareLink, base: str, stored, environment):
    TalkSession.objects.create(environment=environment, sender_id="guest-1", share_link=link)
    stored(*small_talk(sender="guest-1"))
    page = client.get(base).content.decode()
    assert f'data-copy="{address_of(link)}"' in page
    assert f'?origin=link:{link.pk}">1</a>' in page
    assert "Revoke…" in page


def test_the_list_costs_the_same_however_long_it_is(
    client: Client, person: User, environment: Environment, base: str, django_assert_max_num_queries: Any
):
    for number in range(12):
        create_link(actor=person, environment=environment, name=f"link {number}")
    with django_assert_max_num_queries(12):
        client.get(base)


def test_a_link_is_made_in_the_dialog(client: Client, person: User, environment: Environment, base: str):
    data = {"target": "environment:production", "name": "Spring fair", "greeting": "Hello", "expires_at": ""}
    response = client.post(f"{base}new", data, headers=HTMX)
    link = ShareLink.objects.get()
    assert response["HX-Redirect"] == f"{base}{link.pk}"
    assert (link.name, link.environment, link.created_by, link.is_on) == ("Spring fair", environment, person, True)


def test_a_dialog_with_an_error_says_it_beside_its_field(client: Client, person: User, environment, base: str):
    data = {"target": "environment:production", "name": "Fair", "expires_at": "2020-01-01T10:00"}
    response = client.post(f"{base}new", data, headers=HTMX)
    assert response.status_code == 422
    assert "Choose a later time" in response.content.decode()
    assert not ShareLink.objects.exists()


def test_a_link_is_switched_off_and_revoked_in_dialogs(client: Client, link: ShareLink, base: str):
    data = {"target": "environment:production", "name": "Renamed", "greeting": "", "expires_at": ""}
    assert client.post(f"{base}{link.pk}/edit", data).status_code == 302
    link.refresh_from_db()
    assert (link.name, link.is_on) == ("Renamed", False)
    assert client.post(f"{base}{link.pk}/revoke").status_code == 302
    assert client.post(f"{base}{link.pk}/revoke").status_code == 422
    assert "data-copy" not in client.get(base).content.decode().split("<table")[1]


def test_a_link_moves_to_another_environment_and_the_log_says_so(client: Client, link: ShareLink, base: str):
    worker = environment_of(link.environment.assistant, "worker")
    guest, secret = meet(link=link, about=About())
    begin(guest=guest, link=link)
    assert 'name="target"' in client.get(f"{base}{link.pk}/edit").content.decode()
    data = {
        "target": "environment:worker",
        "name": link.name,
        "greeting": link.greeting,
        "expires_at": "",
        "is_on": "on",
    }
    assert client.post(f"{base}{link.pk}/edit", data).status_code == 302
    link.refresh_from_db()
    assert link.environment == worker
    event = AuditEvent.objects.get(action=Action.SHARE_LINK_CHANGED)
    assert (event.before["environment"], event.after["environment"]) == ("production", "worker")
    assert session_of(find_guest(link, secret), link) is None, "its guests begin anew where the link leads now"


def test_a_link_moves_only_where_one_may_share(client: Client, assistant: Assistant, link: ShareLink, base: str):
    client.force_login(make_person("annotator", Scope(assistant.pk, link.environment_id)))
    environment_of(assistant, "worker")
    data = {"target": "environment:worker", "name": link.name, "greeting": "", "expires_at": "", "is_on": "on"}
    assert client.post(f"{base}{link.pk}/edit", data).status_code == 422
    link.refresh_from_db()
    assert link.environment.name == "production"


def test_a_link_stays_with_its_assistant(person: User, link: ShareLink):
    with pytest.raises(Invalid):
        change(person, link, environment=environment_of(make_assistant("bar")))


def test_one_shares_only_where_one_may(client: Client, assistant: Assistant, link: ShareLink, base: str):
    worker = environment_of(assistant, "worker")
    client.force_login(make_person("annotator", Scope(assistant.pk, worker.pk)))
    assert "Revoke" not in client.get(base).content.decode()
    assert client.post(f"{base}{link.pk}/revoke").status_code == 404
    data = {"target": "environment:production", "name": "sneaky"}
    assert client.post(f"{base}new", data).status_code == 422
    assert ShareLink.objects.count() == 1
