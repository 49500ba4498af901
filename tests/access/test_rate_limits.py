"""Guessing what lets people in: one-time links, and accounts when Redis has forgotten everything."""

import pytest
import redis
from django.test import Client

from studio.access.models import User
from studio.access.services import sign_in
from studio.access.services.people import create_person
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> None: ...


@pytest.fixture
def person() -> User:
    return create_person(actor=None, username="mara", password=PASSWORD)


def guess(client: Client, times: int, **headers: str):
    for number in range(times):
        answer = client.post(f"/sign-in/wrong-{number}", **headers)
    return answer


def test_an_address_that_guesses_links_has_to_wait(client: Client, person: User) -> None:
    assert guess(client, sign_in.LINK_GUESSES.most).status_code == 302
    answer = guess(client, 1)
    assert (answer.status_code, "Try again in 15 minutes" in answer.content.decode()) == (429, True)
    assert 0 < int(answer["Retry-After"]) <= sign_in.LINK_GUESSES.seconds


def test_a_right_link_is_not_used_up_by_a_guessing_neighbour(client: Client, person: User) -> None:
    secret = sign_in.make_link(actor=None, person=person)
    guess(client, sign_in.LINK_GUESSES.most)
    assert client.post(f"/sign-in/{secret}").status_code == 429
    assert client.post(f"/sign-in/{secret}", REMOTE_ADDR="192.0.2.7").status_code == 302


def test_accounts_stay_locked_when_redis_forgets_everything(client, person, settings, redis_client) -> None:
    fields = {"csrfmiddlewaretoken": "x", "username": "mara"}
    for _ in range(settings.LOCKOUT_FAILURES):
        client.post("/sign-in", {**fields, "password": "wrong"})
    redis_client.flushdb()
    answer = client.post("/sign-in", {**fields, "password": PASSWORD})
    assert (answer.status_code, "Too many failed attempts" in answer.content.decode()) == (422, True)
