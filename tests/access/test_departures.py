"""Whoever is disabled or deleted at Keycloak: out within a round, and nobody else with them.

tests/stack/test_single_sign_on.py holds the same against a real Keycloak.
"""

from datetime import timedelta
from urllib.parse import unquote

import pytest
from django.test import Client
from django.utils import timezone
from structlog.testing import capture_logs

from studio.access.models import ApiToken, BrowserSession, Identity, User
from studio.access.oidc import keycloak_people
from studio.access.services import departures, tokens
from studio.audit.models import AuditEvent
from tests.access.small_provider import ACCOUNT, SmallProvider, sign_in
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first_round() -> None:
    departures._state = departures._State()


@pytest.fixture
def mara(client: Client, provider: SmallProvider) -> User:
    """Signed in by single sign-on, with a valid API token."""
    sign_in(client, provider)
    provider.people["subject-1"] = True
    person = User.objects.get()
    token_of(person)
    return person


def token_of(person: User) -> str:
    return tokens.make(actor=person, user=person, name="nightly", permissions=["models.view"]).text


def is_in(client: Client) -> bool:
    return client.get(ACCOUNT).status_code == 200


def is_valid(person: User) -> bool:
    return person.api_tokens.filter(tokens.live()).exists()


def asked_of_administration(provider: SmallProvider) -> list[str]:
    return [unquote(path) for path, _ in provider.asked if path.startswith("/admin/")]


def warnings_of_a_round() -> list[str]:
    with capture_logs() as logs:
        departures.end_departed()
    return [str(entry["error"]) for entry in logs if entry["log_level"] == "warning"]


def test_somebody_enabled_stays(client, provider, mara) -> None:
    departures.end_departed()
    assert is_in(client) and is_valid(mara)
    assert not AuditEvent.objects.filter(action__in=["session-ended", "token-revoked"]).exists()


def test_somebody_disabled_there_is_out_with_sessions_and_tokens(client, provider, mara) -> None:
    provider.people["subject-1"] = False
    departures.end_departed()
    assert not is_in(client) and not is_valid(mara)
    told = AuditEvent.objects.filter(reason="Disabled at Keycloak.").values_list("action", "actor_label")
    assert sorted(told) == [("session-ended", "Parley"), ("token-revoked", "Parley")]


def test_they_are_asked_for_no_more_and_may_come_back(client, provider, mara) -> None:
    provider.people["subject-1"] = False
    departures.end_departed()
    count = len(provider.asked)
    departures.end_departed()
    assert len(provider.asked) == count
    provider.people["subject-1"] = True
    sign_in(client, provider)
    departures.end_departed()
    assert is_in(client) and not is_valid(mara)  # a new token is theirs to make


def test_somebody_deleted_there_is_out_too(client, provider, mara) -> None:
    del provider.people["subject-1"]
    departures.end_departed()
    assert not is_in(client) and not is_valid(mara)
    assert AuditEvent.objects.filter(action="token-revoked", reason="Deleted at Keycloak.").exists()


def test_a_token_alone_is_enough_to_be_asked_for(client, provider, mara) -> None:
    BrowserSession.objects.all().delete()
    provider.people["subject-1"] = False
    departures.end_departed()
    assert not is_valid(mara)


def test_others_are_not_asked_for(client, provider, mara) -> None:
    """People without single sign-on, of another provider, or with nothing in hand."""
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(days=1))
    BrowserSession.objects.all().delete()
    local, moved = make_person("admin"), make_person("admin")
    Identity.objects.create(user=moved, issuer="https://elsewhere.example/realms/small", subject="subject-2")
    for person in (local, moved):
        token_of(person)
    departures.end_departed()
    assert asked_of_administration(provider) == []
    assert is_valid(local) and is_valid(moved)


def others(provider: SmallProvider, *subjects: str) -> list[User]:
    """People of the provider with a token each."""
    people = []
    for subject in subjects:
        person = make_person("tester")
        Identity.objects.create(user=person, issuer=provider.issuer, subject=subject)
        ApiToken.objects.create(user=person, name="nightly", key=subject[:16], digest=b"", permissions=[])
        provider.people[subject] = True
        people.append(person)
    return people


def test_fifty_people_are_one_request_and_the_rest_the_next(provider, mara) -> None:
    found = others(provider, *(f"other-{number}" for number in range(keycloak_people.MOST)))
    provider.people[f"other-{keycloak_people.MOST - 1}"] = False
    departures.end_departed()
    assert len(asked_of_administration(provider)) == 2
    assert not is_valid(found[-1])
    assert is_valid(mara) and all(is_valid(person) for person in found[:-1])


def test_where_the_time_is_up_the_next_round_goes_on(provider, mara, monkeypatch) -> None:
    monkeypatch.setattr(keycloak_people, "MOST", 1)
    monkeypatch.setattr(departures, "MOST_SECONDS", 0.0)
    [other] = others(provider, "other")
    provider.people["other"] = False
    departures.end_departed()
    assert is_valid(other)
    departures.end_departed()
    assert not is_valid(other)


# --- When Keycloak cannot be believed or asked ------------------------------------------------------------------------


def test_an_older_keycloak_that_searches_for_one_id_alone_is_asked_one_by_one(client, provider, mara) -> None:
    [other] = others(provider, "other")
    provider.people["other"] = False
    provider.searches_for_ids = False
    departures.end_departed()
    assert is_in(client) and is_valid(mara) and not is_valid(other)


def test_where_subjects_are_no_ids_nobody_counts_as_deleted(client, provider, mara) -> None:
    """A pairwise subject mapper of the client: its own account has another subject than id as well."""
    provider.people = {}
    provider.account_id = "id-of-the-account"
    departures.end_departed()
    assert is_in(client) and is_valid(mara)


def test_a_hidden_administration_ends_nothing(client, provider, mara) -> None:
    """A proxy that lets no path below /admin through."""
    provider.administration_answer = 404, {"error": "no such page"}
    assert "Its administration answered 404." in warnings_of_a_round()[0]
    assert is_in(client) and is_valid(mara)


def test_a_missing_right_is_said_once(client, provider, mara) -> None:
    provider.administration_answer = 403, {"error": "HTTP 403 Forbidden"}
    [said] = warnings_of_a_round()
    assert "Keycloak does not tell “parley-web” who is disabled there." in said and "view-users" in said
    assert warnings_of_a_round() == []
    provider.administration_answer = None
    departures.end_departed()
    provider.administration_answer = 403, {}
    assert len(warnings_of_a_round()) == 1
    assert is_in(client) and is_valid(mara)


def test_a_client_without_a_service_account_is_said_once(client, provider, mara) -> None:
    provider.token_of_client = 401, {"error": "unauthorized_client"}
    assert "view-users" in warnings_of_a_round()[0]
    assert warnings_of_a_round() == []
    assert is_in(client) and is_valid(mara)


def test_a_keycloak_that_is_away_is_asked_again_later(client, provider, mara) -> None:
    provider.broken = True
    departures.end_departed()
    assert is_in(client) and is_valid(mara)
    provider.broken, provider.people["subject-1"] = False, False
    departures.end_departed()
    assert not is_valid(mara)


def test_an_access_token_that_keycloak_refuses_is_replaced(client, provider, mara) -> None:
    departures.end_departed()
    provider.administration_answer = 401, {"error": "HTTP 401 Unauthorized"}
    departures.end_departed()
    provider.administration_answer, provider.people["subject-1"] = None, False
    departures.end_departed()
    assert not is_valid(mara)
    grants = [form["grant_type"] for path, form in provider.asked if path.endswith("/token")]
    assert grants.count("client_credentials") == 2


def test_another_provider_or_a_client_without_secret_is_not_asked(client, provider, mara, settings) -> None:
    count = len(provider.asked)
    settings.OIDC_CLIENT_SECRET = ""
    departures.end_departed()
    settings.OIDC_CLIENT_SECRET, settings.OIDC_ISSUER = "secret", "https://accounts.google.com"
    departures.end_departed()
    assert len(provider.asked) == count
