"""Where somebody is signed in, and ending that."""

import pytest
from django.test import Client
from django.urls import reverse

from studio.access.models import BrowserSession, User
from studio.access.presentation import browser_of
from studio.audit.models import AuditEvent
from tests.clients import client_of
from tests.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
ACCOUNT = "/settings/account"


@pytest.fixture
def client() -> Client:
    return client_of(make_person("admin", username="admin"))


@pytest.fixture
def mara() -> User:
    mara = make_person("tester", username="mara")
    mara.set_password(PASSWORD)
    mara.save()
    return mara


def browser(agent: str = FIREFOX) -> Client:
    """A browser in which mara signs in."""
    browser = Client(headers={"User-Agent": agent})
    browser.post("/sign-in", {"username": "mara", "password": PASSWORD})
    assert browser.get(ACCOUNT).status_code == 200
    return browser


def page(client: Client, mara: User) -> str:
    return client.get(reverse("access:person", args=[mara.pk])).content.decode()


def test_the_persons_page_lists_the_browsers_they_are_signed_in_with(client: Client, mara: User) -> None:
    assert "Signed in nowhere." in page(client, mara)
    browser()
    text = page(client, mara)
    assert "Firefox on Linux" in text and "127.0.0.1" in text and "Signed in nowhere." not in text


def test_one_session_ends_and_the_others_go_on(client: Client, mara: User) -> None:
    first, second = browser(), browser()
    row = BrowserSession.objects.get(session_key=first.session.session_key)
    client.post(reverse("access:session-end", args=[mara.pk, row.pk]))
    assert (first.get(ACCOUNT).status_code, second.get(ACCOUNT).status_code) == (302, 200)
    assert AuditEvent.objects.get(action="session-ended").actor_label == "admin"


def test_all_sessions_end_at_once(client: Client, mara: User) -> None:
    browsers = [browser(), browser()]
    client.post(reverse("access:sessions-end", args=[mara.pk]))
    assert [one.get(ACCOUNT).status_code for one in browsers] == [302, 302]
    assert "Signed in nowhere." in page(client, mara)


def test_asking_ends_nothing(client: Client, mara: User) -> None:
    one = browser()
    assert "End all sessions of mara" in client.get(reverse("access:sessions-end", args=[mara.pk])).content.decode()
    assert one.get(ACCOUNT).status_code == 200


def test_a_session_is_ended_under_its_own_persons_address_alone(client: Client, mara: User) -> None:
    one = browser()
    row, other = BrowserSession.objects.get(user=mara), make_person()
    assert client.post(reverse("access:session-end", args=[other.pk, row.pk])).status_code == 404
    assert one.get(ACCOUNT).status_code == 200


# --- One's own --------------------------------------------------------------------------------------------------------


def end_here(browser: Client, of: Client) -> int:
    """The answer to ending `of` from `browser`."""
    row = BrowserSession.objects.get(session_key=of.session.session_key)
    return browser.post(reverse("access:own-session-end", args=[row.pk])).status_code


def test_ones_account_lists_where_one_is_signed_in_and_marks_this_browser(mara: User) -> None:
    one, _ = browser(), browser("Mozilla/5.0 (iPhone) Safari/605")
    text = one.get(ACCOUNT).content.decode()
    assert "Firefox on Linux" in text and "Safari on iPhone" in text
    assert text.count("this browser") == 1
    assert text.count("End the session in") == 1 and "End all others" in text


def test_one_ends_another_browser_of_ones_own(mara: User) -> None:
    one, other, third = browser(), browser(), browser()
    assert end_here(one, of=other) == 302
    assert [each.get(ACCOUNT).status_code for each in (one, other, third)] == [200, 302, 200]
    event = AuditEvent.objects.get(action="session-ended")
    assert (event.actor, event.target_id) == (mara, str(mara.pk))


def test_this_browser_and_those_of_others_are_not_ended_there(client: Client, mara: User) -> None:
    one = browser()
    assert end_here(one, of=one) == 404
    client.get(ACCOUNT)
    assert end_here(client, of=one) == 404  # not even by an admin, who has the people pages for that
    assert one.get(ACCOUNT).status_code == 200


def test_all_others_end_and_this_one_goes_on(mara: User) -> None:
    one, *others = browser(), browser(), browser()
    assert "API tokens go on" in one.get(reverse("access:own-sessions-end")).content.decode()
    assert one.post(reverse("access:own-sessions-end")).status_code == 302
    assert [each.get(ACCOUNT).status_code for each in (one, *others)] == [200, 302, 302]
    assert BrowserSession.objects.get().session_key == one.session.session_key
    event = AuditEvent.objects.get(action="session-ended")
    assert (event.before, event.reason) == ({"sessions": 2}, "All but the one they used.")


def test_asking_ends_none_of_ones_own(mara: User) -> None:
    one, other = browser(), browser()
    row = BrowserSession.objects.get(session_key=other.session.session_key)
    assert "End this session" in one.get(reverse("access:own-session-end", args=[row.pk])).content.decode()
    assert other.get(ACCOUNT).status_code == 200


def test_a_browser_of_single_sign_on_is_said_to_come_back(mara: User) -> None:
    one, other = browser(), browser()
    BrowserSession.objects.filter(session_key=other.session.session_key).update(by="sso")
    assert "Where Keycloak still knows the browser" in one.get(reverse("access:own-sessions-end")).content.decode()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_browsers_are_named_as_people_know_them(agent: str, words: str) -> None:
    assert browser_of(agent) == words
