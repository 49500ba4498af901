"""Browser sessions: noted at every way in, seen without cost, renewed in the background, ended from every side."""

import time
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from studio.access.models import BrowserSession, User
from studio.access.oidc import provider as known
from studio.access.services import renewal, sessions
from studio.access.services.people import change_password, create_person, set_active
from studio.access.services.sign_in import make_link
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from tests.access.small_provider import ACCOUNT, SmallProvider, begin, come_back, new_key, sign_in
from tests.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture
def person() -> User:
    return create_person(actor=None, username="mara", password=PASSWORD)


def by_password(client: Client) -> None:
    client.post("/sign-in", {"username": "mara", "password": PASSWORD}, HTTP_USER_AGENT="Tests/1.0")


def is_in(client: Client) -> bool:
    return client.get(ACCOUNT).status_code == 200


def roles_of(person: User) -> set[tuple[str, str]]:
    return {(grant.role.name, grant.source) for grant in person.grants.select_related("role")}


def a_minute_later() -> None:
    """Every browser is looked at again."""
    BrowserSession.objects.update(seen_at=timezone.now() - timedelta(minutes=2))


def its_time_has_come(*, confirmed: timedelta = timedelta(minutes=-2), used: bool = True) -> None:
    now = timezone.now()
    BrowserSession.objects.update(
        renewed_at=now - timedelta(minutes=10),
        renew_at=now - timedelta(minutes=3),
        confirmed_until=now + confirmed,
        seen_at=now - timedelta(minutes=5 if used else 15),
    )


# --- Beginning and being seen -------------------------------------------------------------------------------------


def test_a_sign_in_by_password_is_noted_with_browser_and_address(client, person) -> None:
    by_password(client)
    row = BrowserSession.objects.get()
    assert (row.by, row.address, row.agent) == ("password", "127.0.0.1", "Tests/1.0")
    assert list(sessions.sessions_of(person)) == [row]


def test_a_sign_in_by_link_is_noted(client, person) -> None:
    client.post(f"/sign-in/{make_link(actor=None, person=person)}")
    assert BrowserSession.objects.get().by == "link"


def test_signing_in_again_in_the_same_browser_leaves_one_session(client, person) -> None:
    by_password(client)
    by_password(client)
    assert BrowserSession.objects.count() == Session.objects.count() == 1
    assert is_in(client)


def test_most_requests_of_a_session_write_nothing(client, person, django_assert_max_num_queries) -> None:
    by_password(client)
    client.get(ACCOUNT)
    with django_assert_max_num_queries(20) as counted:
        client.get(ACCOUNT)
    assert not [query["sql"] for query in counted if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]


def test_a_person_is_seen_and_a_page_that_asks_by_itself_is_not(client, person) -> None:
    by_password(client)
    a_minute_later()
    client.get(ACCOUNT, HTTP_HX_REQUEST="true")
    assert BrowserSession.objects.get().seen_at < timezone.now() - timedelta(minutes=1)
    client.get(ACCOUNT)
    assert BrowserSession.objects.get().seen_at > timezone.now() - timedelta(minutes=1)
    assert User.objects.get().last_seen_at > timezone.now() - timedelta(minutes=1)


# --- Ending -------------------------------------------------------------------------------------------------------


def test_one_session_is_ended_and_the_others_go_on(person) -> None:
    here, there = Client(), Client()
    by_password(here)
    first = BrowserSession.objects.get()
    by_password(there)
    sessions.end_session(actor=person, session=first)
    assert not is_in(here) and is_in(there)
    assert AuditEvent.objects.filter(action="session-ended", actor=person).count() == 1


def test_all_sessions_are_ended_also_those_that_nobody_noted(person) -> None:
    noted, unnoted = Client(), Client()
    by_password(noted)
    unnoted.force_login(person)
    sessions.end_all(actor=person, person=person)
    assert not is_in(noted) and not is_in(unnoted)
    assert not BrowserSession.objects.exists()


def test_whoever_is_shut_out_has_no_session_left(client, person) -> None:
    by_password(client)
    set_active(actor=None, person=person, is_active=False)
    assert not is_in(client) and not BrowserSession.objects.exists()


def test_a_new_password_keeps_the_session_it_was_set_in(person) -> None:
    here, there = Client(), Client()
    by_password(here)
    by_password(there)
    new = "another-long-horse"
    here.post(ACCOUNT, {"current": PASSWORD, "new": new, "again": new})
    assert is_in(here) and not is_in(there)
    assert sessions.sessions_of(person).count() == 1


def test_a_password_that_somebody_else_sets_ends_every_session(client, person) -> None:
    by_password(client)
    change_password(actor=make_person(), person=person, password="another-long-horse")
    assert not is_in(client)


def test_sessions_that_ran_out_are_forgotten(client, person, time_machine_travel) -> None:
    by_password(client)
    time_machine_travel(15 * 24 * 3600)
    sessions.forget_over()
    assert not BrowserSession.objects.exists() and not Session.objects.exists()


def test_signing_out_ends_the_session_there_too(client, provider) -> None:
    sign_in(client, provider)
    id_token = decrypt(BrowserSession.objects.get().id_token)
    answer = client.post("/sign-out")
    assert answer["Location"].startswith(f"{provider.issuer}/logout?client_id=parley-web&id_token_hint={id_token}")
    assert answer["Location"].endswith("post_logout_redirect_uri=http%3A%2F%2Ftestserver%2Fsign-in")
    assert not is_in(client) and not BrowserSession.objects.exists()


def test_signing_out_while_the_provider_is_away_ends_the_session_here(client, provider) -> None:
    sign_in(client, provider)
    known.forget()
    provider.broken = True
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert not is_in(client)


def test_a_form_may_lead_to_the_provider_and_nowhere_else(client, provider) -> None:
    policy = client.get("/sign-in")["Content-Security-Policy"]
    host = provider.issuer.removesuffix("/realms/small")
    assert f"form-action 'self' {host};" in policy


def test_tokens_are_not_in_the_database_in_plain_text(client, provider) -> None:
    sign_in(client, provider)
    row = BrowserSession.objects.get()
    assert decrypt(row.refresh_token) == "refresh-2" and b"refresh-2" not in bytes(row.refresh_token)
    assert decrypt(row.id_token).encode() not in bytes(row.id_token)
    assert "refresh" not in str(Session.objects.get().get_decoded())


# --- Renewal ------------------------------------------------------------------------------------------------------


def test_a_session_is_renewed_when_its_time_has_come_and_brings_the_roles_of_now(client, provider) -> None:
    sign_in(client, provider)
    provider.gives(provider.sign(provider.claims(realm_access={"roles": ["tester"]})), refresh_token="refresh-3")
    renewal.renew_due()
    assert roles_of(User.objects.get()) == {("annotator", "sso")}  # not yet
    its_time_has_come()
    renewal.renew_due()
    assert roles_of(User.objects.get()) == {("tester", "sso")}
    row = BrowserSession.objects.get()
    assert decrypt(row.refresh_token) == "refresh-3" and row.confirmed_until > timezone.now()
    assert provider.asked[-1][1]["refresh_token"] == "refresh-2"


def test_a_session_that_the_provider_ended_ends(client, provider) -> None:
    sign_in(client, provider)
    provider.token_answer = 400, {"error": "invalid_grant"}
    its_time_has_come()
    renewal.renew_due()
    assert not is_in(client)
    assert AuditEvent.objects.filter(action="session-ended", target_label="Mara").exists()


def test_a_session_that_nobody_uses_is_not_kept_alive_there(client, provider) -> None:
    sign_in(client, provider)
    its_time_has_come(used=False)
    count = len(provider.asked)
    renewal.renew_due()
    assert len(provider.asked) == count


def test_a_session_that_nobody_used_until_its_end_there_ends(client, provider) -> None:
    sign_in(client, provider)
    its_time_has_come(used=False)
    BrowserSession.objects.update(ends_at=timezone.now() - timedelta(minutes=1))
    renewal.renew_due()
    assert not BrowserSession.objects.exists() and not is_in(client)


def test_who_comes_back_is_asked_for_before_the_answer(client, provider) -> None:
    sign_in(client, provider)
    its_time_has_come(used=False)
    provider.token_answer = 400, {"error": "invalid_grant"}
    assert client.get(ACCOUNT)["Location"] == f"/sign-in?next={ACCOUNT}"
    assert not BrowserSession.objects.exists()


def test_who_comes_back_to_a_session_that_goes_on_gets_the_page(client, provider) -> None:
    sign_in(client, provider)
    its_time_has_come(used=False)
    provider.gives(provider.sign(provider.claims()))
    assert is_in(client)
    assert BrowserSession.objects.get().confirmed_until > timezone.now()


def test_a_provider_that_is_away_keeps_sessions_for_the_grace_and_no_longer(client, provider, settings) -> None:
    sign_in(client, provider)
    provider.broken = True
    its_time_has_come()
    renewal.renew_due()
    assert BrowserSession.objects.exists()
    its_time_has_come(confirmed=timedelta(seconds=-settings.OIDC_GRACE - 1))
    renewal.renew_due()
    assert not BrowserSession.objects.exists() and not is_in(client)


def test_a_wrong_secret_is_as_if_nobody_answered(client, provider) -> None:
    sign_in(client, provider)
    provider.token_answer = 401, {"error": "invalid_client"}
    its_time_has_come()
    renewal.renew_due()
    assert is_in(client)


def test_a_renewal_for_another_person_ends_the_session(client, provider) -> None:
    sign_in(client, provider)
    provider.gives(provider.sign(provider.claims(sub="subject-2", realm_access={"roles": ["admin"]})))
    its_time_has_come()
    renewal.renew_due()
    assert not is_in(client)
    assert roles_of(User.objects.get()) == {("annotator", "sso")}


def test_a_forged_renewal_changes_nothing(client, provider) -> None:
    sign_in(client, provider)
    provider.gives(provider.sign(provider.claims(realm_access={"roles": ["admin"]}), key=new_key()))
    its_time_has_come()
    renewal.renew_due()
    assert roles_of(User.objects.get()) == {("annotator", "sso")}


def test_a_renewal_without_an_id_token_asks_the_user_info(client, provider) -> None:
    sign_in(client, provider)
    provider.userinfo = {"sub": "subject-1", "realm_access": {"roles": ["tester"]}, "groups": []}
    provider.gives("")
    its_time_has_come()
    renewal.renew_due()
    assert roles_of(User.objects.get()) == {("tester", "sso")}
    assert decrypt(BrowserSession.objects.get().id_token)  # the old one still serves to sign out


def test_a_session_without_a_refresh_token_ends_after_its_time(client, provider, time_machine_travel) -> None:
    sign_in(client, provider)
    BrowserSession.objects.all().delete()
    client = Client()
    asked_at = time.time()
    sign_in_without_refresh(client, provider)
    assert BrowserSession.objects.get().ends_at.timestamp() - asked_at == pytest.approx(10 * 3600, abs=60)
    time_machine_travel(10 * 3600 + 60)
    renewal.renew_due()
    assert not BrowserSession.objects.exists()


def sign_in_without_refresh(client: Client, provider: SmallProvider) -> None:
    asked = begin(client)
    provider.gives(provider.sign(provider.claims(nonce=asked["nonce"])), refresh_token=None)
    come_back(client, asked)


# --- Back-channel logout ------------------------------------------------------------------------------------------


def logout_token(provider: SmallProvider, **changed: object) -> str:
    now = int(time.time())
    right = {
        "iss": provider.issuer,
        "aud": "parley-web",
        "iat": now,
        "exp": now + 120,
        "jti": f"logout-{time.monotonic_ns()}",
        "sid": "session-1",
        "sub": "subject-1",
        "events": LOGOUT,
    }
    claims = {name: value for name, value in {**right, **changed}.items() if value is not None}
    return provider.sign(claims)


def tell(token: str) -> int:
    return Client(enforce_csrf_checks=True).post("/oidc/back-channel-logout", {"logout_token": token}).status_code


def test_a_session_that_ends_there_ends_here_and_others_go_on(client, provider) -> None:
    other = Client()
    sign_in(client, provider)
    sign_in(other, provider, sid="session-2")
    assert tell(logout_token(provider)) == 200
    assert not is_in(client) and is_in(other)


def test_a_logout_of_the_person_ends_all_sessions(client, provider) -> None:
    other = Client()
    sign_in(client, provider)
    sign_in(other, provider, sid="session-2")
    assert tell(logout_token(provider, sid=None)) == 200
    assert not is_in(client) and not is_in(other)


def test_a_logout_token_counts_once(client, provider) -> None:
    token = logout_token(provider)
    assert tell(token) == 200
    sign_in(client, provider)
    assert tell(token) == 200
    assert is_in(client)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-client"},
        {"exp": 1},
        {"exp": None, "iat": int(time.time()) - 3600},
        {"iat": None},
        {"jti": None},
        {"events": None},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "n"},
        {"sid": None, "sub": None},
    ],
)
def test_a_logout_token_that_is_none_ends_nothing(client, provider, changed) -> None:
    sign_in(client, provider)
    assert tell(logout_token(provider, **changed)) == 403
    assert is_in(client)


def test_an_id_token_ends_no_session(client, provider) -> None:
    sign_in(client, provider)
    assert tell(provider.sign(provider.claims(jti="1"))) == 403
    assert tell("") == 403
    assert is_in(client)


# --- htmx ---------------------------------------------------------------------------------------------------------


def test_a_fragment_of_an_ended_session_sends_the_browser_to_sign_in_and_back_to_its_page(client, provider) -> None:
    sign_in(client, provider)
    BrowserSession.objects.all().delete()
    Session.objects.all().delete()
    answer = client.get(ACCOUNT, HTTP_HX_REQUEST="true", HTTP_HX_CURRENT_URL="http://testserver/a/cafe/models/?tag=x")
    assert answer["HX-Redirect"] == "/sign-in?next=%2Fa%2Fcafe%2Fmodels%2F%3Ftag%3Dx"


def test_a_fragment_leads_back_to_no_other_site(client, provider) -> None:
    answer = client.get(ACCOUNT, HTTP_HX_REQUEST="true", HTTP_HX_CURRENT_URL="https://elsewhere.example/x")
    assert answer["HX-Redirect"] == "/sign-in?next=%2F"


def test_the_provider_s_own_call_comes_by_plain_http_from_inside_and_is_not_sent_away(settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().post("/oidc/back-channel-logout", {"logout_token": "none"}).status_code != 301
    assert Client().get("/sign-in").status_code == 301
