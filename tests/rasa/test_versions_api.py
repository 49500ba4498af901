"""Rasa versions by API."""

import pytest
from django.test import Client

from studio.access.services.api_sign_in import token_for
from studio.rasa import index
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import RuntimeProblem
from tests.factories import make_person

pytestmark = pytest.mark.django_db
PATH = "/api/rasa/versions"
JSON = "application/json"


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


def headers(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(make_person(role))}"}


@pytest.fixture
def admin() -> dict[str, str]:
    return headers("admin")


def test_the_installations_own_is_there_and_says_why_it_stays(admin, settings) -> None:
    (own,) = Client().get(PATH, headers=admin).json()
    assert (own["version"], own["is_default"], own["is_own"]) == (settings.RASA_VERSION, True, False)
    assert "PARLEY_RASA_VERSION" in own["kept"]
    refused = Client().delete(f"{PATH}/{own['version']}", headers=admin)
    assert (refused.status_code, refused.json()["reason"]) == (409, "Conflict")


def test_a_version_is_asked_for_once_and_removed(admin, monkeypatch) -> None:
    monkeypatch.setattr(index, "check_exists", lambda _version: None)
    body = {"version": "3.6.20"}
    asked = Client().post(PATH, body, content_type=JSON, headers={**admin, "Idempotency-Key": "k"})
    assert (asked.status_code, asked["Location"], asked.json()["state"]) == (202, f"{PATH}/3.6.20", "wanted")
    assert Client().get(f"{PATH}/3.6.20", headers=admin).json() == asked.json()
    assert Client().post(PATH, body, content_type=JSON, headers=admin).status_code == 409
    RasaRuntime.objects.filter(version="3.6.20").update(state="failed")
    again = Client().post(f"{PATH}/3.6.20/install", headers=admin)
    assert (again.status_code, again.json()["state"]) == (202, "wanted")
    assert Client().delete(f"{PATH}/3.6.20", headers=admin).json()["state"] == "removing"


def test_a_version_that_there_is_not_is_refused(admin, monkeypatch) -> None:
    def missing(_version: str) -> None:
        raise RuntimeProblem("There is no such version.", "Choose another.")

    monkeypatch.setattr(index, "check_exists", missing)
    for version in ("3.6.99", "four", ""):
        assert Client().post(PATH, {"version": version}, content_type=JSON, headers=admin).status_code == 422
    assert Client().get(f"{PATH}/3.6.99", headers=admin).status_code == 404


def test_others_see_and_change_none(admin) -> None:
    annotator = headers("annotator")
    assert Client().get(PATH).status_code == 401
    assert Client().get(PATH, headers=annotator).status_code == 403
    assert Client().post(PATH, {"version": "3.6.20"}, content_type=JSON, headers=annotator).status_code == 403
