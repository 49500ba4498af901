"""Sign-in of command lines at Keycloak's addresses under ours, and the tokens that it brings at /api."""

import time

import jwt
import pytest
from django.test import Client

from studio.access.models import Identity, SignInFailure, User
from studio.access.services import people, sessions
from studio.access.services.api_sign_in import LIFE_SECONDS, REFRESH_SECONDS
from studio.audit.models import AuditEvent
from tests.access.small_provider import CLIENT, SmallProvider, new_key
from tests.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
REALM = "/auth/realms/rasa-studio"
TOKEN = f"{REALM}/protocol/openid-connect/token"
DEVICE = f"{REALM}/protocol/openid-connect/auth/device"
KEYS = {"access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"}
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CLI = "parley-cli"


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin() -> User:
    person = make_person("admin", username="admin")
    person.set_password(PASSWORD)
    person.save()
    return person


def ask(grant: str, **form: str):
    return Client(enforce_csrf_checks=True).post(TOKEN, {"grant_type": grant, "client_id": "admin-cli", **form})


def sign_in(username: str = "admin", password: str = PASSWORD):
    return ask("password", username=username, password=password, scope="openid")


def who(text: str):
    answer = Client().get("/api/user", headers={"Authorization": f"Bearer {text}"})
    return answer.json()["username"] if answer.status_code == 200 else answer.status_code


# --- Without single sign-on ---------------------------------------------------------------------------------------


def test_a_password_brings_the_five_keys_and_both_tokens_say_when_they_end(admin) -> None:
    answer = sign_in()
    found = answer.json()
    assert (answer.status_code, found.keys()) == (200, KEYS)
    ends = {
        name: jwt.decode(found[name], options={"verify_signature": False})["exp"]
        for name in KEYS
        if "token" in name and name != "token_type"
    }
    assert ends["access_token"] - time.time() == pytest.approx(LIFE_SECONDS, abs=5)
    assert ends["refresh_token"] - time.time() == pytest.approx(REFRESH_SECONDS, abs=5)
    assert (found["token_type"], who(found["access_token"])) == ("Bearer", "admin")
    assert who(found["refresh_token"]) == 401
    assert "no-store" in answer["Cache-Control"]


def test_a_refresh_token_brings_new_ones_that_end_when_it_would_have(admin, time_machine_travel) -> None:
    first = sign_in().json()
    time_machine_travel(REFRESH_SECONDS - 60)
    second = ask("refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["refresh_expires_in"] <= 60 and second["expires_in"] <= 60
    assert who(second["access_token"]) == "admin"
    assert ask("refresh_token", refresh_token=first["access_token"]).status_code == 400


@pytest.mark.parametrize(
    "end",
    [lambda p: sessions.end_all(actor=p, person=p), lambda p: people.set_active(actor=None, person=p, is_active=False)],
)
def test_signing_out_everywhere_ends_refreshing_too(admin, end) -> None:
    other = make_person("tester", username="mara")
    other.set_password(PASSWORD)
    other.save()
    found = sign_in("mara").json()
    end(other)
    answer = ask("refresh_token", refresh_token=found["refresh_token"])
    assert (answer.status_code, answer.json()["error"], bool(answer.json()["message"])) == (400, "invalid_grant", True)


def test_wrong_passwords_are_401_and_counted(admin, settings) -> None:
    for _ in range(settings.LOCKOUT_FAILURES):
        answer = sign_in(password="wrong")
        assert (answer.status_code, answer.json()["error"], bool(answer.json()["message"])) == (
            401,
            "invalid_grant",
            True,
        )
    assert sign_in().status_code == 403
    assert SignInFailure.objects.filter(username="admin").count() == settings.LOCKOUT_FAILURES


def test_what_else_is_asked_without_single_sign_on(admin) -> None:
    found = Client().get(f"{REALM}/.well-known/openid-configuration")
    assert (found.status_code, found.json()["token_endpoint"].endswith(TOKEN)) == (200, True)
    assert Client().post(DEVICE).status_code == 404
    for grant in ("client_credentials", "authorization_code", DEVICE_CODE, ""):
        assert ask(grant).json()["error"] == "unsupported_grant_type"
    assert sign_in("a\0b").status_code == 400
    answer = Client().get(TOKEN)
    assert (answer.status_code, answer["Allow"], answer.json()["reason"]) == (405, "POST", "MethodNotAllowed")
    assert Client().get("/api/sign-in-ways").json() == {"password": True, "single_sign_on": None}


# --- With single sign-on ------------------------------------------------------------------------------------------


def access(provider: SmallProvider, **changed: object) -> str:
    return provider.sign(provider.claims(**{"azp": CLI, "aud": [CLIENT, "account"], "typ": "Bearer", **changed}))


def gives(provider: SmallProvider, **changed: object) -> str:
    text = access(provider, **changed)
    provider.gives("", access_token=text, token_type="Bearer")
    return text


def test_a_password_goes_to_the_provider_as_the_public_clients(provider) -> None:
    text = gives(provider)
    answer = sign_in("mara")
    assert (answer.status_code, answer.json()["access_token"], answer.json()["refresh_token"]) == (
        200,
        text,
        "refresh-2",
    )
    _path, form = next(one for one in provider.asked if one[0].endswith("/token"))
    assert form == {
        "grant_type": "password", "client_id": CLI, "username": "mara", "password": PASSWORD, "scope": "openid",
    }  # fmt: skip
    person = User.objects.get()
    assert (person.username, [grant.role.name for grant in person.grants.all()]) == ("mara", ["annotator"])
    assert who(text) == "mara"
    assert AuditEvent.objects.filter(action="signed-in", actor=person).count() == 1


def test_guesses_are_401_and_counted_before_the_provider_is_asked(provider, settings) -> None:
    provider.token_answer = 401, {"error": "invalid_grant", "error_description": "Invalid user credentials"}
    for _ in range(settings.LOCKOUT_FAILURES):
        answer = sign_in("mara", "wrong")
        assert (answer.status_code, answer.json()["message"]) == (401, "Invalid user credentials")
    asked = len(provider.asked)
    assert sign_in("mara").status_code == 403
    assert len(provider.asked) == asked


def test_refreshing_and_codes_are_forwarded_and_nothing_else_is(provider) -> None:
    gives(provider)
    ask("refresh_token", refresh_token="refresh-1", username="x", client_secret="y")
    ask(DEVICE_CODE, device_code="code-1", scope="openid")
    forms = [form for path, form in provider.asked if path.endswith("/token")]
    assert forms == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": CLI},
        {"grant_type": DEVICE_CODE, "device_code": "code-1", "client_id": CLI},
    ]
    assert ask("client_credentials").status_code == 400
    assert len([path for path, _ in provider.asked if path.endswith("/token")]) == 2


def test_a_device_code_comes_from_the_provider_where_it_has_any(provider) -> None:
    assert Client().get("/api/sign-in-ways").json()["single_sign_on"]["device_endpoint"] is None
    assert Client().post(DEVICE).status_code == 502
    provider.document = {"device_authorization_endpoint": f"{provider.issuer}/token"}
    provider.token_answer = 200, {"device_code": "d", "user_code": "ABCD", "verification_uri": "x", "expires_in": 600}
    from studio.access.oidc import provider as known

    known.forget()
    assert Client().post(DEVICE, {"scope": "openid"}).json()["user_code"] == "ABCD"
    assert Client().get("/api/sign-in-ways").json()["single_sign_on"] == {
        "name": "Keycloak",
        "issuer": provider.issuer,
        "client_id": CLI,
        "scope": "openid profile email",
        "token_endpoint": f"http://testserver{TOKEN}",
        "device_endpoint": f"http://testserver{DEVICE}",
    }
    found = Client().get(f"{REALM}/.well-known/openid-configuration").json()
    assert (found["issuer"], found["token_endpoint"]) == (provider.issuer, f"http://testserver{TOKEN}")


def test_tokens_that_are_not_made_for_us_are_not_handed_on(provider) -> None:
    gives(provider, aud="account")
    answer = sign_in("mara")
    assert (answer.status_code, "audience" in answer.json()["message"]) == (502, True)
    assert not User.objects.exists()


def test_who_is_shut_out_here_gets_no_tokens(provider) -> None:
    text = gives(provider)
    sign_in("mara")
    people.set_active(actor=None, person=User.objects.get(), is_active=False)
    assert sign_in("mara").status_code == 403
    assert who(text) == 401


def test_a_provider_that_is_away_is_503_with_a_message(provider) -> None:
    provider.broken = True
    answer = sign_in("mara")
    assert (answer.status_code, bool(answer.json()["message"])) == (503, True)
    assert Client().get(f"{REALM}/.well-known/openid-configuration").status_code == 503


def test_while_the_provider_is_away_it_is_not_asked_by_everybody(provider, monkeypatch) -> None:
    provider.broken = True
    for _ in range(3):
        assert Client().get("/api/sign-in-ways").json()["single_sign_on"]["device_endpoint"] is None
        assert sign_in("mara").status_code == 503
    assert len(provider.asked) == 1
    provider.broken = False
    monkeypatch.setattr("studio.access.oidc.provider.AWAY_SECONDS", -1)
    gives(provider)
    assert sign_in("mara").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [(f"{REALM}/none", 404), ("/auth/realms/other/x", 404), (TOKEN, 500), (TOKEN, 400)]
)
def test_every_fault_has_a_message(db, redis_client, monkeypatch, settings, path, status) -> None:
    if status == 500:
        monkeypatch.setattr("studio.access.views.command_line.check_password", lambda *_: 1 / 0)
    if status == 400:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 5
    form = "application/x-www-form-urlencoded"
    answer = Client(raise_request_exception=False).post(path, "grant_type=password", content_type=form)
    assert (answer.status_code, bool(answer.json()["message"])) == (status, True)


# --- Bearer tokens of the provider --------------------------------------------------------------------------------


def test_a_token_that_somebody_got_at_the_provider_itself_makes_the_person(provider) -> None:
    assert who(access(provider)) == "mara"
    assert Identity.objects.get().subject == "subject-1"


def test_roles_follow_with_each_new_token_and_a_known_one_asks_nothing(provider) -> None:
    first = access(provider)
    assert who(first) == "mara"
    asked = len(provider.asked)
    assert who(first) == "mara"
    assert len(provider.asked) == asked
    assert who(access(provider, realm_access={"roles": ["tester"]}, jti="2")) == "mara"
    assert [grant.role.name for grant in User.objects.get().grants.all()] == ["tester"]


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "account"},
        {"aud": CLI},
        {"azp": CLIENT},
        {"azp": "another"},
        {"azp": None},
        {"iss": "https://elsewhere.example.com"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"at_hash": "x"},
        {"iat": 4_000_000_000},
    ],
)
def test_what_is_no_access_token_for_us_opens_nothing(provider, changed) -> None:
    assert who(access(provider, **changed)) == 401
    assert not User.objects.exists()


def test_what_somebody_else_signed_opens_nothing(provider) -> None:
    claims = provider.claims(azp=CLI, typ="Bearer")
    assert who(provider.sign(claims, key=new_key())) == 401
    assert who(provider.sign(claims, kid="one", key="x" * 32, algorithm="HS256")) == 401
    assert who(jwt.encode(claims, None, algorithm="none")) == 401


def test_without_single_sign_on_no_such_token_opens_anything(admin) -> None:
    assert who(jwt.encode({"sub": "1"}, new_key(), algorithm="RS256")) == 401


def test_wrong_tokens_are_counted_until_the_address_has_to_wait(provider) -> None:
    from studio.access.services.api_sign_in import FAILURES_BY_ADDRESS

    wrong = access(provider, aud="account")
    assert [who(wrong) for _ in range(FAILURES_BY_ADDRESS.most)] == [401] * FAILURES_BY_ADDRESS.most
    assert who(wrong) == 429
    assert who(access(provider)) == "mara"


def test_while_the_provider_is_away_the_answer_says_so(provider) -> None:
    text = access(provider)
    provider.broken = True
    assert who(text) == 503


def test_an_api_token_still_opens_without_the_provider(provider, admin) -> None:
    from tests.access.api import Caller

    provider.broken = True
    assert Caller(admin).get("/user").status_code == 200
