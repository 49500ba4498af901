"""What the browser gets whatever the page: error pages, headers, htmx answers, and the component page."""

import re

import pytest
from django.conf import settings
from django.test import Client

from studio.access.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.urls")]

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/a/cafe/models?tag=x"}


@pytest.fixture
def person() -> User:
    return User.objects.create(username="ada")


@pytest.fixture
def forgiving() -> Client:
    return Client(raise_request_exception=False)


def test_every_page_carries_the_content_security_policy(client: Client) -> None:
    policy = client.get("/sign-in")["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_a_request_id_is_taken_when_plain_and_made_otherwise(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"})["X-Request-Id"] == "abc-1"
    assert re.fullmatch(r"[0-9a-f]{32}", client.get("/healthz", headers={"X-Request-Id": "a b\tc"})["X-Request-Id"])


def test_a_signed_out_htmx_request_leads_the_whole_browser_to_sign_in(client: Client) -> None:
    answer = client.get("/_forbidden", headers=HTMX)
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == "/sign-in?next=%2Fa%2Fcafe%2Fmodels%3Ftag%3Dx"


def test_a_signed_out_browser_is_redirected_as_usual(client: Client) -> None:
    answer = client.get("/_forbidden")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=/_forbidden")


def test_an_address_that_leads_nowhere_says_so(client: Client) -> None:
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_a_form_without_its_token_says_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post("/sign-in", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()


def test_a_bug_shows_the_request_id_and_nothing_of_the_exception(forgiving: Client, person: User) -> None:
    forgiving.force_login(person)
    page = forgiving.get("/_broken", headers={"X-Request-Id": "seen-in-log"})
    assert page.status_code == 500
    assert "seen-in-log" in page.content.decode()
    assert "on purpose" not in page.content.decode()


def test_a_refusal_names_the_missing_permission(client: Client, person: User) -> None:
    client.force_login(person)
    answer = client.get("/_forbidden")
    assert answer.status_code == 403
    assert "Modify environments" in answer.content.decode()


def test_the_component_page_has_nothing_inline(client: Client) -> None:
    page = client.get("/_components/").content.decode()
    assert page.count('class="card"') >= 10
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)


def test_every_control_of_the_component_page_has_a_name(client: Client) -> None:
    page = client.get("/_components/").content.decode()
    for button in re.findall(r"<button.*?</button>", page, re.DOTALL):
        visible = re.sub(r"<svg.*?</svg>|<[^>]+>", "", button, flags=re.DOTALL).strip()
        assert visible or "aria-label=" in button, button


def test_the_component_page_is_not_part_of_an_installation() -> None:
    from studio.web.urls import gallery, urlpatterns

    assert not settings.DEBUG
    assert gallery and not set(gallery) & set(urlpatterns)


def test_no_style_sheet_or_script_reaches_outside() -> None:
    for file in (settings.BASE_DIR / "static").rglob("*.[cj]s*"):
        assert "://" not in file.read_text(), file
