"""Cross-site requests: whatever changes something asks for the token that only our own pages hold."""

import pytest
from django.db import transaction
from django.test import Client
from django.urls import resolve

from tests.house.permission_matrix import ROWS, Row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]

SAFE = {"GET", "HEAD", "OPTIONS"}
# Addresses that no cookie opens, and why each may do without the token.
WITHOUT = {
    "/oidc/back-channel-logout": "the single sign-on's server calls it; what counts is its signature",
    "/auth/realms/rasa-studio/.well-known/openid-configuration": "it changes nothing",
    "/auth/realms/rasa-studio/protocol/openid-connect/token": "programs sign in; no cookie counts, and none is set",
    "/auth/realms/rasa-studio/protocol/openid-connect/auth/device": "the same",
}
# The chat in a frame: a header that no other site can send says who asks, and no cookie counts (tests/conversations/
# test_embed.py).
FRAMED = "/share/{code}/"
API = ("/api/", "/api?")  # tokens alone count there
UNSAFE = [row for row in ROWS if row.method not in SAFE and not f"{row.path}?".startswith(API)]


def path_of(row: Row, words: dict[str, object]) -> str:
    return row.path.format_map(words)


def is_exempt(path: str) -> bool:
    return bool(getattr(resolve(path).func, "csrf_exempt", False))


@pytest.mark.parametrize("row", UNSAFE, ids=lambda row: f"{row.method} {row.path}")
def test_what_changes_something_is_refused_without_the_token(row: Row, everything) -> None:
    path = path_of(row, everything.words)
    if is_exempt(path):
        assert path in WITHOUT or row.path.startswith(FRAMED)
        return
    client = Client(enforce_csrf_checks=True)
    with transaction.atomic():
        client.force_login(everything.people["admin"])
        answer = client.generic(row.method, path, "", content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    assert (answer.status_code, "This form has expired" in answer.content.decode()) == (403, True)


def test_no_address_of_people_goes_without_the_token_for_no_reason(everything) -> None:
    paths = {path_of(row, everything.words) for row in ROWS if not f"{row.path}?".startswith((*API, FRAMED))}
    assert {path for path in paths if is_exempt(path)} <= set(WITHOUT)


def test_the_right_token_lets_the_same_request_through(everything) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(everything.people["admin"])
    client.get("/settings/account")
    [token] = [cookie.value for name, cookie in client.cookies.items() if name.startswith("parley_csrf")]
    answer = client.post("/settings/account", {"old_password": "x"}, headers={"x-csrftoken": token})
    assert answer.status_code == 422


def test_a_token_from_elsewhere_is_worth_nothing_with_a_foreign_origin(everything) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(everything.people["admin"])
    client.get("/settings/account")
    [token] = [cookie.value for name, cookie in client.cookies.items() if name.startswith("parley_csrf")]
    headers = {"x-csrftoken": token, "origin": "https://evil.example.com"}
    assert client.post("/settings/account", {}, headers=headers).status_code == 403
