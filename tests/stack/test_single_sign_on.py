"""Signing in through the real Keycloak with a real browser: who comes in as what, and what ends it."""

import time

import jwt
import pytest
import requests
from django.utils import timezone
from playwright.sync_api import expect

from studio.access.models import BrowserSession, Identity, User
from studio.access.oidc import provider, tokens
from studio.access.oidc.backend import callback_url
from studio.access.oidc.errors import TokenRefused
from studio.access.services import departures, renewal
from studio.access.services import tokens as api_tokens
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from tests.factories import make_person
from tests.stack.conftest import Person
from tests.stack.keycloak import PASSWORD, REALM_FILE

pytestmark = pytest.mark.stack


def roles_of(username: str) -> list[tuple[str, str]]:
    return sorted((grant.role.name, grant.source) for grant in User.objects.get(username=username).grants.all())


def wait_until_due() -> None:
    """The realm gives tokens that live for a few seconds."""
    deadline = time.monotonic() + 20
    while not BrowserSession.objects.filter(renew_at__lte=timezone.now()).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def short_lived(keycloak):
    keycloak.change_realm(accessTokenLifespan=3)
    yield keycloak
    keycloak.change_realm(accessTokenLifespan=300)


@pytest.mark.parametrize(
    ("group", "role", "may_see"),
    [("admins", "admin", ["Audit log", "People", "Roles"]), ("annotators", "annotator", []), ("testers", "tester", [])],
)
def test_a_first_sign_in_brings_the_role_of_the_group(keycloak, somebody, group, role, may_see) -> None:
    subject = keycloak.add("mara", group)
    person = somebody()
    person.sign_in("mara")
    person.is_at("/settings/account")
    found = User.objects.get(username="mara")
    assert roles_of("mara") == [(role, "sso")]
    assert (found.name, found.email, found.groups) == ("Mara of the tests", "mara@example.com", [group])
    assert Identity.objects.get(user=found).subject == subject
    for page in ("Audit log", "People", "Roles"):
        expect(person.page.get_by_role("link", name=page, exact=True)).to_have_count(int(page in may_see))
    person.open("/settings/people/")
    person.reads("People" if may_see else "You may not do this")


def test_the_account_console_is_in_the_menu_and_opens(keycloak, somebody) -> None:
    keycloak.add("mara", "testers")
    person = somebody()
    person.sign_in("mara")
    person.page.get_by_role("link", name="Your account at Keycloak").click()
    expect(person.page).to_have_url(f"{keycloak.issuer}/account")
    expect(person.page.get_by_text("Personal info").first).to_be_visible()


def test_somebody_new_registers_and_is_in_without_a_role(keycloak, somebody) -> None:
    person = somebody()
    person.begin()
    person.page.get_by_role("link", name="Register").click()
    fields = {"username": "tomas", "email": "tomas@example.com", "firstName": "Tomas", "lastName": "Test"}
    _register(person, {**fields, "password": "short", "password-confirm": "short"})
    person.reads("minimum length 10")
    _register(person, {"password": PASSWORD, "password-confirm": PASSWORD})
    person.is_at("/settings/account")
    person.reads("You have no role yet")
    assert roles_of("tomas") == []


def _register(person: Person, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        person.page.locator(f"#{name}").fill(value)
    person.page.get_by_role("button", name="Register").click()


def test_a_role_taken_away_in_keycloak_is_gone_at_the_next_renewal(short_lived, somebody) -> None:
    mara = short_lived.add("mara", "admins", "testers")
    person = somebody()
    person.sign_in("mara", "/settings/people/")
    person.is_at("/settings/people/")
    short_lived.leave_group(mara, "admins")
    wait_until_due()
    renewal.renew_due()
    assert roles_of("mara") == [("tester", "sso")]
    person.page.reload()
    person.reads("You may not do this")


def test_signing_out_here_ends_keycloaks_session(keycloak, somebody) -> None:
    mara = keycloak.add("mara", "testers")
    person = somebody()
    person.sign_in("mara")
    assert len(keycloak.ask("GET", f"/users/{mara}/sessions").json()) == 1
    person.page.get_by_role("button", name="Account and theme").click()
    person.page.get_by_role("menuitem", name="Sign out").click()
    person.is_at("/sign-in")
    assert keycloak.ask("GET", f"/users/{mara}/sessions").json() == []
    person.begin()
    expect(person.page.get_by_label("Password", exact=True)).to_be_visible()


def test_signing_out_there_ends_the_session_here_at_once(keycloak, somebody) -> None:
    """Keycloak calls the back-channel address, and signs what it says."""
    mara = keycloak.add("mara", "testers")
    person = somebody()
    person.sign_in("mara")
    person.is_at("/settings/account")
    keycloak.sign_out(mara)
    assert not BrowserSession.objects.exists()
    person.open("/settings/account")
    person.is_at("/sign-in?next=/settings/account")
    ended = AuditEvent.objects.get(action="session-ended")
    assert ended.reason == "Signed out at the single sign-on."


def test_a_page_that_asks_for_news_in_an_ended_session_goes_to_sign_in_and_comes_back(keycloak, somebody) -> None:
    mara = keycloak.add("mara", "admins")
    person = somebody()
    person.sign_in("mara", "/settings/people/?sort=name")
    person.is_at("/settings/people/?sort=name")
    keycloak.sign_out(mara)
    person.page.get_by_role("link", name="Add a person").click()  # a dialog, fetched by htmx
    expect(person.page.get_by_role("link", name="Sign in with Keycloak")).to_be_visible()
    person.page.get_by_role("link", name="Sign in with Keycloak").click()
    person.fill_in("mara")
    person.is_at("/settings/people/?sort=name")


def test_somebody_disabled_in_keycloak_is_out_at_the_next_renewal(short_lived, somebody) -> None:
    mara = short_lived.add("mara", "testers")
    person = somebody()
    person.sign_in("mara")
    person.is_at("/settings/account")
    short_lived.ask("PUT", f"/users/{mara}", {"enabled": False})
    wait_until_due()
    renewal.renew_due()
    person.open("/settings/account")
    person.is_at("/sign-in?next=/settings/account")


@pytest.mark.parametrize("act", ["disable", "delete"])
def test_somebody_disabled_or_deleted_in_keycloak_is_out_within_a_round_api_tokens_included(
    keycloak, somebody, act
) -> None:
    ids = {name: keycloak.add(name, "annotators") for name in ("mara", "tomas")}
    people, texts = {name: somebody() for name in ids}, {}
    for name, person in people.items():
        person.sign_in(name)
        person.is_at("/settings/account")
        texts[name] = _token_of(name)
    departures.end_departed()
    assert [_status(person, texts[name]) for name, person in people.items()] == [200, 200]
    if act == "disable":
        keycloak.ask("PUT", f"/users/{ids['mara']}", {"enabled": False})
    else:
        keycloak.ask("DELETE", f"/users/{ids['mara']}")
    departures.end_departed()
    assert [_status(person, texts[name]) for name, person in people.items()] == [401, 200]
    people["mara"].open("/settings/account")
    people["mara"].is_at("/sign-in?next=/settings/account")
    people["tomas"].open("/settings/account")
    people["tomas"].is_at("/settings/account")
    reason = f"{act.title()}d at Keycloak."
    assert AuditEvent.objects.filter(action="token-revoked", reason=reason).count() == 1


def _token_of(username: str) -> str:
    person = User.objects.get(username=username)
    return api_tokens.make(actor=person, user=person, name="nightly", permissions=["models.view"]).text


def _status(person: Person, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{person.parley}/api/user", headers=headers, timeout=30).status_code


def test_a_key_that_keycloak_changes_needs_no_restart(keycloak, somebody) -> None:
    keycloak.add("mara", "testers")
    somebody().sign_in("mara")
    keycloak.rotate_key()
    later = somebody()
    later.sign_in("mara")
    later.is_at("/settings/account")


def test_a_wrong_client_secret_is_told_and_lets_nobody_in(keycloak, somebody, settings) -> None:
    settings.OIDC_CLIENT_SECRET = "another-secret"
    keycloak.add("mara", "testers")
    person = somebody()
    person.sign_in("mara")
    person.reads("Single sign-on is not set up right")
    person.reads("PARLEY_OIDC_CLIENT_SECRET")
    assert not User.objects.exists()
    assert AuditEvent.objects.get(action="sign-in-refused").reason.endswith("(wrong-client-secret)")


def test_an_answer_that_comes_again_lets_nobody_in(keycloak, somebody) -> None:
    keycloak.add("mara", "testers")
    person, answers = somebody(), []
    person.page.on("request", lambda request: answers.append(request.url) if "/oidc/callback" in request.url else None)
    person.sign_in("mara")
    person.is_at("/settings/account")
    for thief in (person, somebody()):
        thief.page.goto(answers[0])
        thief.reads("This sign-in was finished before, took too long, or was begun in another browser.")
    assert BrowserSession.objects.count() == 1


def test_while_keycloak_is_away_the_page_says_so_and_a_password_of_parleys_works(
    keycloak, somebody, settings, unused_port
) -> None:
    boss = make_person("admin", username="boss")
    boss.set_password(PASSWORD)
    boss.save()
    settings.OIDC_ISSUER = f"http://localhost:{unused_port}/realms/parley"
    person = somebody()
    person.begin("/settings/people/")
    person.reads("Single sign-on does not answer")
    person.page.get_by_role("link", name="Sign in with a password of Parley").click()
    person.page.get_by_label("User name").fill("boss")
    person.page.get_by_label("Password", exact=True).fill(PASSWORD)
    person.page.get_by_role("button", name="Sign in", exact=True).click()
    person.is_at("/settings/people/")


def test_the_checks_accept_what_keycloak_sends_at_sign_in_and_at_renewal(keycloak, somebody) -> None:
    """The contract that keeps the small signer of tests/access honest."""
    mara = keycloak.add("mara", "annotators")
    somebody().sign_in("mara")
    row = BrowserSession.objects.get()
    first = tokens.verify_id_token(decrypt(row.id_token))
    renewed = tokens.refresh(decrypt(row.refresh_token))
    second = tokens.verify_id_token(renewed.id_token)
    for claims in (first, second):
        assert (claims["sub"], claims["aud"], claims["azp"]) == (mara, "parley-web", "parley-web")
        assert claims["sid"] == row.provider_session
        assert "annotator" in claims["realm_access"]["roles"] and claims["groups"] == ["annotators"]
    assert renewed.expires_in and renewed.refresh_expires_in


def test_the_import_fills_in_the_addresses_and_the_secret(keycloak, live_server) -> None:
    client = keycloak.ask("GET", "/clients?clientId=parley-web").json()[0]
    assert client["redirectUris"] == [f"{live_server.url}/oidc/callback"]
    assert client["attributes"]["backchannel.logout.url"] == f"{live_server.url}/oidc/back-channel-logout"
    assert '"secret": "${PARLEY_OIDC_CLIENT_SECRET}"' in REALM_FILE.read_text()


def test_our_own_account_there_looks_at_people_and_changes_nothing(keycloak) -> None:
    mara = keycloak.add("mara", "testers")
    realm = f"{keycloak.url}/admin/realms/parley"
    headers = {"Authorization": f"Bearer {tokens.for_ourselves().access_token}"}
    assert requests.get(f"{realm}/users/{mara}", headers=headers, timeout=30).json()["enabled"] is True
    tries = [
        requests.put(f"{realm}/users/{mara}", json={"enabled": False}, headers=headers, timeout=30),
        requests.delete(f"{realm}/users/{mara}", headers=headers, timeout=30),
        requests.get(f"{realm}/clients", headers=headers, timeout=30),
    ]
    assert [answer.status_code for answer in tries] == [403, 403, 403]


def test_keycloak_asks_for_the_challenge(keycloak) -> None:
    asked = {"client_id": "parley-web", "response_type": "code", "redirect_uri": callback_url(), "scope": "openid"}
    answer = requests.get(provider.current().authorization_endpoint, asked, allow_redirects=False, timeout=30)
    assert "Missing+parameter%3A+code_challenge_method" in answer.headers["Location"]


def test_the_command_line_signs_in_by_a_code_that_is_typed_into_the_browser(keycloak, somebody) -> None:
    """What the device flow gives says who it is, with which roles and groups, and that it is meant for us."""
    mara = keycloak.add("mara", "annotators")
    begun = _ask_as_command_line(f"{keycloak.issuer}/protocol/openid-connect/auth/device", scope="openid").json()
    token_endpoint = provider.current().token_endpoint
    wanted = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": begun["device_code"]}
    assert _ask_as_command_line(token_endpoint, **wanted).json()["error"] == "authorization_pending"
    somebody().allow(begun["verification_uri_complete"], "mara")
    given = wait_for_tokens(token_endpoint, begun["interval"], wanted)
    assert given["refresh_token"]
    claims = _checked(given["access_token"])
    assert (claims["sub"], claims["azp"], claims["preferred_username"]) == (mara, "parley-cli", "mara")
    assert "parley-web" in claims["aud"] and claims["iss"] == keycloak.issuer
    assert "annotator" in claims["realm_access"]["roles"] and claims["groups"] == ["annotators"]
    with pytest.raises(TokenRefused):  # it signs nobody in at the web
        tokens.verify_id_token(given["access_token"])


def wait_for_tokens(url: str, interval: float, wanted: dict[str, str]) -> dict[str, str]:
    """As RFC 8628 §3.5 has it: asked again while it is pending, five seconds further apart when that was too often."""
    for _ in range(10):
        time.sleep(interval)
        given: dict[str, str] = _ask_as_command_line(url, **wanted).json()
        if given.get("error") not in ("authorization_pending", "slow_down"):
            return given
        interval += 5 * (given["error"] == "slow_down")
    raise AssertionError(given)


def _ask_as_command_line(url: str, **form: str) -> requests.Response:
    return requests.post(url, {"client_id": "parley-cli", **form}, timeout=30)


def _checked(access_token: str) -> dict[str, object]:
    key = provider.signing_key(jwt.get_unverified_header(access_token))
    return jwt.decode(access_token, key, algorithms=["RS256"], audience="parley-web", leeway=30)
