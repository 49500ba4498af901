"""A session that somebody had before signing in is worth nothing afterwards, and neither is one that has ended."""

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from studio.access.models import User
from studio.access.services.sign_in import make_link
from tests.factories import PASSWORD, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]


@pytest.fixture
def mara() -> User:
    person = make_person(username="mara")
    person.set_password(PASSWORD)
    person.save()
    return person


@pytest.fixture
def client() -> Client:
    """A browser with a session that an attacker gave it, and knows."""
    client = Client()
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


def key(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def is_signed_in(session_key: str) -> bool:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session_key
    return client.get("/settings/account").status_code == 200


def sign_in(client: Client) -> None:
    assert client.post("/sign-in", {"username": "mara", "password": PASSWORD}).status_code == 302


def test_signing_in_by_password_changes_the_session(client, mara) -> None:
    planted = key(client)
    sign_in(client)
    assert key(client) != planted and is_signed_in(key(client)) and not is_signed_in(planted)
    assert not Session.objects.filter(session_key=planted).exists()


def test_signing_in_by_link_changes_the_session(client, mara) -> None:
    planted = key(client)
    client.post(f"/sign-in/{make_link(actor=None, person=mara)}")
    assert key(client) != planted and is_signed_in(key(client)) and not is_signed_in(planted)


def test_a_session_that_was_signed_out_cannot_be_used_again(client, mara) -> None:
    sign_in(client)
    kept = key(client)
    client.post("/sign-out")
    assert not is_signed_in(kept)


def test_signing_in_as_somebody_else_takes_nothing_along(client, mara) -> None:
    sign_in(client)
    first = key(client)
    client.session["last_assistant"] = "cafe"
    client.post(f"/sign-in/{make_link(actor=None, person=make_person(username='otto'))}")
    assert key(client) != first and "last_assistant" not in client.session


def test_a_session_key_of_ones_own_choice_is_never_taken(mara) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    sign_in(client)
    assert key(client) != "a" * 32
