"""Who may come in, and how much each may write: counted by the database, also of many at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis
from django.db import connection
from django.test import Client

from conversations.chat import guests
from conversations.chat.links import change_link
from conversations.models import ShareGuest, ShareLink
from conversations.views import door
from conversations.views.door import COOKIE
from tests.conversations.fake_channel import Channel
from tests.conversations.guest_fixtures import link, page, say, set_options
from tests.factories import make_person
from tests.rasa.servers import Reply

__all__ = ["link", "page"]
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"


def with_password(link: ShareLink, password: str) -> None:
    change_link(
        actor=make_person(), link=link, environment=link.environment, name=link.name, greeting=link.greeting,
        expires_at=None, is_on=True, password=password,
    )  # fmt: skip


def test_a_browser_that_looks_is_known_again_and_nothing_says_who_it_is(client: Client, page: str, link: ShareLink):
    headers = {"accept-language": "pt-BR,pt;q=0.9", "user-agent": IPHONE}
    client.get(page, headers=headers)
    assert not ShareGuest.objects.exists(), "what only fetches the page counts for nobody"
    client.post(f"{page}/hello", headers=headers)
    client.post(f"{page}/hello", headers=headers)
    guest = ShareGuest.objects.get()
    assert (guest.language, guest.device, guest.visits_count, guest.is_in) == ("pt", "phone", 1, False)
    link.refresh_from_db()
    assert (link.opened_count, link.wrote_count, link.returned_count) == (1, 0, 0)


def test_whoever_comes_back_later_is_counted_once(client: Client, page: str, link: ShareLink, time_machine_later):
    client.post(f"{page}/hello")
    for seconds in (1801, 4000, 6000):
        with time_machine_later(seconds):
            client.post(f"{page}/hello")
    link.refresh_from_db()
    assert (ShareGuest.objects.get().visits_count, link.returned_count, link.opened_count) == (4, 1, 1)


def test_one_too_many_is_told_kindly_and_those_who_are_in_go_on(client: Client, page: str, link: ShareLink):
    set_options(link, visitors_limit=1)
    late = Client()
    late.get(page)
    assert say(client, page).status_code == 200
    refused = say(late, page)
    assert (refused.status_code, refused.json()["code"]) == (403, "full")
    assert "Thank you for your interest" in refused.json()["error"]
    assert "<h1>This chat is full" in late.get(page).content.decode()
    assert say(client, page, "again").status_code == 200
    assert "<h1>This chat is full" not in client.get(page).content.decode()
    client.post(f"{page}/again")
    assert say(client, page, "anew").status_code == 200, "who begins anew is the same visitor"


def test_a_visitor_who_has_written_enough_is_told_so(client: Client, page: str, link: ShareLink, channel: Channel):
    set_options(link, messages_limit=2)
    assert [say(client, page).status_code for _ in range(2)] == [200, 200]
    client.post(f"{page}/again")
    refused = say(client, page)
    assert (refused.status_code, refused.json()["code"]) == (403, "enough")
    assert "all 2 messages" in refused.json()["error"]
    assert len(channel.heard) == 2
    assert say(Client(), page).status_code == 200


def test_a_message_that_nobody_heard_costs_none(client: Client, page: str, link: ShareLink, channel: Channel):
    set_options(link, messages_limit=1)
    channel.reply = Reply(500, {})
    assert say(client, page).status_code == 503
    channel.reply = None
    assert say(client, page).status_code == 200
    assert say(client, page).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_exactly_as_many_as_may_get_in(link: ShareLink):
    set_options(link, visitors_limit=3)
    met = [guests.meet(link=link, about=guests.About())[0] for _ in range(8)]

    def enter(guest: ShareGuest) -> bool:
        try:
            guests.begin(guest=guest, link=link)
        except guests.Full:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        let_in = sum(pool.map(enter, met))
    link.refresh_from_db()
    assert (let_in, link.wrote_count, ShareGuest.objects.filter(is_in=True).count()) == (3, 3, 3)


@pytest.mark.django_db(transaction=True)
def test_of_many_messages_at_once_exactly_as_many_as_may_are_counted(link: ShareLink):
    set_options(link, messages_limit=3)
    link.refresh_from_db()
    guest, _ = guests.meet(link=link, about=guests.About())

    def count(_: int) -> bool:
        try:
            guests.count_message(guest, link)
        except guests.Enough:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(count, range(8))) == 3


def test_a_password_is_asked_once_in_each_browser(client: Client, page: str, link: ShareLink, channel: Channel):
    with_password(link, "open sesame")
    link.refresh_from_db()
    assert "open sesame" not in link.password and link.password.startswith("argon2")
    assert "This chat has a password" in client.get(page).content.decode()
    assert say(client, page).status_code == 403
    wrong = client.post(f"{page}/password", {"password": "abracadabra"})
    assert (wrong.status_code, "That is not the password" in wrong.content.decode()) == (422, True)
    assert client.post(f"{page}/password", {"password": "open sesame"}).status_code == 302
    assert "Write a message to begin" in client.get(page).content.decode()
    assert say(client, page).status_code == 200
    assert Client().post(f"{page}/hello").status_code == 200
    assert len(channel.heard) == 1


def test_another_password_shuts_out_who_had_the_old_one(client: Client, page: str, link: ShareLink):
    with_password(link, "open sesame")
    client.post(f"{page}/password", {"password": "open sesame"})
    assert say(client, page).status_code == 200
    with_password(link, "another one")
    assert say(client, page).json()["code"] == "locked"
    assert client.get(f"{page}/news").status_code == 410
    client.post(f"{page}/password", {"password": "another one"})
    assert say(client, page).status_code == 200, "and their chat goes on with the new one"


def test_guesses_are_limited_and_the_right_password_is_no_guess(client: Client, page: str, link: ShareLink):
    with_password(link, "open sesame")
    for _ in range(15):  # many people of one address
        assert Client().post(f"{page}/password", {"password": "open sesame"}).status_code == 302
    for _ in range(10):
        client.post(f"{page}/password", {"password": "guess"})
    slowed = client.post(f"{page}/password", {"password": "open sesame"})
    assert "Wait 10 minutes" in slowed.content.decode()


def test_one_who_guesses_on_and_on_locks_out_nobody_else(link: ShareLink, monkeypatch):
    with_password(link, "open sesame")
    link.refresh_from_db()
    monkeypatch.setattr(guests, "ALL_GUESSES", replace(guests.ALL_GUESSES, most=12))
    waits = [guests.try_password(link, "203.0.113.1", "guess")[1] > 0 for _ in range(30)]
    assert waits == [False] * 10 + [True] * 20
    assert guests.try_password(link, "203.0.113.2", "open sesame") == (True, 0)


def test_who_is_known_is_not_slowed_by_others_of_the_same_address(client: Client, page: str, monkeypatch):
    monkeypatch.setattr(door, "ADDRESS_PAGES_A_MINUTE", 5)
    client.post(f"{page}/hello")
    assert [Client().get(page).status_code for _ in range(6)] == [200] * 4 + [429] * 2
    assert client.get(page).status_code == 200
    forged = Client()
    forged.cookies[COOKIE] = "made up"
    assert forged.get(page).status_code == 429
    monkeypatch.setattr(door, "GUEST_PAGES_A_MINUTE", 3)
    assert [client.get(page).status_code for _ in range(3)] == [200, 200, 429]


def test_many_who_guess_together_are_slowed(link: ShareLink, monkeypatch):
    with_password(link, "open sesame")
    link.refresh_from_db()
    monkeypatch.setattr(guests, "ALL_GUESSES", replace(guests.ALL_GUESSES, most=12))
    waits = [guests.try_password(link, f"203.0.113.{number}", "guess")[1] > 0 for number in range(15)]
    assert waits == [False] * 12 + [True] * 3


def test_while_guesses_cannot_be_counted_nobody_guesses(
    client: Client, page: str, link: ShareLink, channel: Channel, monkeypatch
):
    with_password(link, "open sesame")
    client.post(f"{page}/password", {"password": "open sesame"})
    with monkeypatch.context() as patched:
        patched.setattr("studio.web.ratelimit.client", lambda: redis.Redis(port=1))
        for typed in ("guess", "open sesame"):
            refused = Client().post(f"{page}/password", {"password": typed})
            assert (refused.status_code, "cannot be checked right now" in refused.content.decode()) == (422, True)
        assert say(client, page).status_code == 200, "whoever is in goes on"
    assert Client().post(f"{page}/password", {"password": "open sesame"}).status_code == 302


def test_starting_over_keeps_the_browser_and_leaves_the_chat(client: Client, page: str):
    say(client, page)
    secret = client.cookies[COOKIE].value
    client.post(f"{page}/again")
    say(client, page)
    assert client.cookies[COOKIE].value == secret
    guest = ShareGuest.objects.get()
    assert (guest.sessions.count(), guest.messages_count) == (2, 2)


def test_who_only_looked_is_forgotten_and_who_wrote_is_not(client: Client, page: str, time_machine_later):
    say(client, page)
    Client().post(f"{page}/hello")
    with time_machine_later(91 * 86400):
        assert guests.sweep() == 1
    assert ShareGuest.objects.get().is_in


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (IPHONE, "phone"),
        ("Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", "phone"),
        ("Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "computer"),
        ("curl/8", ""),
    ],
)
def test_the_kind_of_device_is_all_that_is_kept_of_what_a_browser_says(agent: str, device: str):
    assert guests.device_of(agent) == device
