"""No address of ours sends people to somebody else's."""

import pytest
from django.test import Client

from tests.factories import PASSWORD, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]

ELSEWHERE = [
    "https://evil.example.com/",
    "//evil.example.com/",
    "///evil.example.com",
    "/\\evil.example.com",
    "\\\\evil.example.com",
    "http:evil.example.com",
    "javascript:alert(1)",
    "data:text/html,x",
    " https://evil.example.com",
    "\thttps://evil.example.com",
    "https://testserver@evil.example.com/",
    "https://testserver.evil.example.com/",
]


@pytest.fixture
def client() -> Client:
    person = make_person(username="mara")
    person.set_password(PASSWORD)
    person.save()
    return Client()


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_leads_to_pages_of_ours_alone(client, target) -> None:
    answer = client.post("/sign-in", {"username": "mara", "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


def test_signing_in_leads_back_to_where_one_was(client) -> None:
    answer = client.post("/sign-in", {"username": "mara", "password": PASSWORD, "next": "/settings/account?a=b"})
    assert answer["Location"] == "/settings/account?a=b"


@pytest.mark.parametrize("target", ELSEWHERE)
def test_the_sign_in_page_links_nowhere_else(client, target) -> None:
    page = client.get("/sign-in", {"next": target}).content.decode()
    assert 'href="https://evil' not in page and 'href="//evil' not in page and 'href="javascript' not in page


@pytest.mark.parametrize("page", ["https://evil.example.com/a/cafe/", "//evil.example.com"])
def test_a_fragment_asked_for_from_elsewhere_comes_back_to_us(client, page) -> None:
    answer = client.get("/settings/account", headers={"hx-request": "true", "hx-current-url": page})
    assert answer["HX-Redirect"] == "/sign-in?next=%2F"


@pytest.mark.parametrize("path", ["//evil.example.com/settings", "/%5cevil.example.com", "/%2f%2fevil.example.com/"])
def test_an_address_that_looks_like_another_host_stays_here(client, path) -> None:
    location = client.get(path).headers.get("Location", "/")
    assert location.startswith("/") and not location.startswith(("//", "/\\"))
