"""The round trip of a sign-in with a small provider: who gets in, as whom, with which roles, and who does not."""

import time

import jwt
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from studio.access.models import BrowserSession, Grant, Identity, Role, User
from studio.access.oidc import views
from studio.access.services.people import create_person, set_active
from studio.audit.models import AuditEvent
from tests.access.small_provider import ACCOUNT, CLIENT, SECRET, SmallProvider, begin, come_back, new_key, sign_in
from tests.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db


def is_in(client: Client) -> bool:
    return client.get(ACCOUNT).status_code == 200


def refusals() -> list[str]:
    """The codes of what was refused, as the audit log has them."""
    reasons = AuditEvent.objects.filter(action="sign-in-refused").values_list("reason", flat=True)
    return [reason.rpartition("(")[2].rstrip(")") for reason in reasons]


def roles_of(person: User) -> set[tuple[str, str]]:
    return {(grant.role.name, grant.source) for grant in person.grants.select_related("role")}


def test_a_sign_in_makes_the_person_and_leads_to_the_page_that_was_asked_for(client, provider) -> None:
    assert sign_in(client, provider)["Location"] == ACCOUNT
    person = User.objects.get()
    assert (person.username, person.name, person.email) == ("mara", "Mara", "mara@example.com")
    assert roles_of(person) == {("annotator", "sso")}
    assert not person.has_usable_password()
    assert is_in(client)


def test_the_provider_is_asked_with_state_nonce_and_a_challenge(client, provider) -> None:
    asked, again = begin(client), begin(client)
    assert asked["redirect_uri"] == "http://testserver/oidc/callback"
    assert asked["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name]) >= 43 and asked[name] != again[name]


def test_the_code_is_redeemed_with_the_verifier_and_the_secret_in_the_header(client, provider) -> None:
    sign_in(client, provider)
    path, form = next(one for one in provider.asked if one[0].endswith("/token"))
    assert form["grant_type"] == "authorization_code" and len(form["code_verifier"]) >= 43
    assert "client_secret" not in form
    headers = provider.headers[provider.asked.index((path, form))]
    assert headers["Authorization"].startswith("Basic ")


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(client, provider) -> None:
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    sign_in(client, provider)
    form = next(form for path, form in provider.asked if path.endswith("/token"))
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)


def test_nobody_is_led_to_another_site(client, provider) -> None:
    assert sign_in(client, provider, "https://elsewhere.example/")["Location"] == "/"


def test_a_browser_at_another_address_is_led_to_the_public_one_first(client, provider, settings) -> None:
    settings.PUBLIC_URL = "http://parley.example.com"
    answer = client.get("/oidc/begin", {"next": ACCOUNT})
    assert answer["Location"] == "http://parley.example.com/oidc/begin?next=%2Fsettings%2Faccount&moved=1"
    assert client.get("/oidc/begin", {"moved": "1"})["Location"].startswith(provider.issuer)  # a proxy hides the name


# --- What is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}, "expired-token"),
        ({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, "early-token"),
        ({"aud": "another-client"}, "wrong-audience"),
        ({"aud": ["another-client", "a-third"]}, "wrong-audience"),
        ({"aud": [CLIENT, "another-client"], "azp": None}, "wrong-party"),
        ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "wrong-party"),
        ({"azp": "another-client"}, "wrong-party"),
        ({"aud": None}, "incomplete-token"),
        ({"iss": "https://elsewhere.example/realms/small"}, "wrong-issuer"),
        ({"iss": None}, "incomplete-token"),
        ({"sub": None}, "incomplete-token"),
        ({"exp": None}, "incomplete-token"),
        ({"nonce": "another"}, "wrong-nonce"),
        ({"nonce": None}, "wrong-nonce"),
    ],
)
def test_a_token_with_a_wrong_claim_lets_nobody_in(client, provider, changed, why) -> None:
    asked = begin(client)
    provider.gives(provider.sign(provider.claims(**{"nonce": asked["nonce"], **changed})))
    answer = come_back(client, asked)
    assert answer.status_code == 403
    assert "You are not signed in" in answer.content.decode()
    assert refusals() == [why]
    assert not is_in(client) and not User.objects.exists() and not BrowserSession.objects.exists()


def forged_signature(provider: SmallProvider, claims: dict) -> str:
    return provider.sign(claims, key=new_key())


def unsigned(provider: SmallProvider, claims: dict) -> str:
    return jwt.encode(claims, None, algorithm="none", headers={"kid": "one"})


def signed_with_our_secret(provider: SmallProvider, claims: dict) -> str:
    return provider.sign(claims, key=SECRET * 3, algorithm="HS256")


def signed_with_an_unknown_key(provider: SmallProvider, claims: dict) -> str:
    other = new_key()
    provider.keys["hidden"] = other
    token = provider.sign(claims, kid="hidden")
    del provider.keys["hidden"]
    return token


def no_token(provider: SmallProvider, claims: dict) -> str:
    return "not.a.token"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (forged_signature, "forged-token"),
        (unsigned, "wrong-algorithm"),
        (signed_with_our_secret, "wrong-algorithm"),
        (signed_with_an_unknown_key, "unknown-key"),
        (no_token, "forged-token"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(client, provider, make, why) -> None:
    asked = begin(client)
    provider.gives(make(provider, provider.claims(nonce=asked["nonce"])))
    assert come_back(client, asked).status_code == 403
    assert refusals() == [why]
    assert not is_in(client) and not User.objects.exists()


def test_a_clock_that_differs_a_little_is_no_reason_to_refuse(client, provider, settings) -> None:
    now = int(time.time())
    assert sign_in(client, provider, iat=now + settings.OIDC_SKEW - 5, exp=now + 300).status_code == 302
    assert sign_in(Client(), provider, iat=now - 300, exp=now - settings.OIDC_SKEW + 5).status_code == 302


def test_an_answer_counts_once(client, provider) -> None:
    asked = begin(client)
    provider.gives(provider.sign(provider.claims(nonce=asked["nonce"])))
    assert come_back(client, asked).status_code == 302
    client.post("/sign-out")
    assert come_back(client, asked).status_code == 400
    assert refusals() == ["state-unknown"]
    assert not is_in(client)


def test_an_answer_counts_in_the_browser_that_began_alone(client, provider) -> None:
    asked = begin(client)
    provider.gives(provider.sign(provider.claims(nonce=asked["nonce"])))
    assert come_back(Client(), asked).status_code == 400
    assert not User.objects.exists()


def test_an_answer_that_took_too_long_is_refused(client, provider, time_machine_travel) -> None:
    asked = begin(client)
    time_machine_travel(901)
    assert come_back(client, asked).status_code == 400


def test_an_answer_in_the_name_of_another_provider_is_refused(client, provider) -> None:
    assert come_back(client, begin(client), iss="https://elsewhere.example").status_code == 403
    assert refusals() == ["wrong-issuer"]


def test_who_turns_back_at_the_provider_reads_so(client, provider) -> None:
    answer = come_back(client, begin(client), error="access_denied")
    assert "did not let you in, or you turned back" in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        ("invalid_client", 502, "PARLEY_OIDC_CLIENT_SECRET"),
        ("unauthorized_client", 502, "PARLEY_OIDC_CLIENT_SECRET"),
        ("invalid_grant", 400, "ended this session, or it was used already"),
        ("odd_error", 502, "odd_error"),
    ],
)
def test_a_code_that_the_provider_does_not_redeem_gets_a_page_that_says_why(client, provider, error, status, sentence):
    asked = begin(client)
    provider.token_answer = 400, {"error": error}
    answer = come_back(client, asked)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert not User.objects.exists()


def test_a_provider_in_trouble_gets_a_page_with_the_local_way_in(client, provider) -> None:
    provider.broken = True
    answer = client.get("/oidc/begin", {"next": ACCOUNT})
    text = answer.content.decode()
    assert answer.status_code == 503
    assert "Single sign-on does not answer" in text and "/sign-in?local=1&amp;next=/settings/account" in text


def test_a_provider_that_calls_itself_otherwise_is_refused(client, provider) -> None:
    provider.document = {"issuer": provider.issuer + "/"}
    answer = client.get("/oidc/begin")
    assert answer.status_code == 502
    assert "to the last slash" in answer.content.decode()


def test_too_many_sign_ins_from_one_address_have_to_wait(client, provider, monkeypatch) -> None:
    monkeypatch.setattr(views, "MOST_PER_MINUTE", 2)
    assert [client.get("/oidc/begin").status_code for _ in range(3)] == [302, 302, 429]


# --- Keys ---------------------------------------------------------------------------------------------------------


def test_a_new_key_of_the_provider_is_known_at_its_first_use(client, provider) -> None:
    sign_in(client, provider)
    provider.keys = {"two": new_key()}
    other = Client()
    asked = begin(other)
    provider.gives(provider.sign(provider.claims(nonce=asked["nonce"]), kid="two"))
    assert come_back(other, asked).status_code == 302


def test_invented_key_ids_do_not_make_us_ask_for_each(client, provider) -> None:
    hidden = new_key()
    for number in range(4):
        other = Client()
        asked = begin(other)
        provider.gives(provider.sign(provider.claims(nonce=asked["nonce"]), kid=f"invented-{number}", key=hidden))
        come_back(other, asked)
    assert sum(path.endswith("/certs") for path, _ in provider.asked) == 2


# --- Who it is ----------------------------------------------------------------------------------------------------


def test_the_same_person_comes_back_under_another_name_and_address(client, provider) -> None:
    sign_in(client, provider)
    sign_in(Client(), provider, preferred_username="mara.married", email="new@example.com", name="Mara M")
    person = User.objects.get()
    assert (person.username, person.name, person.email) == ("mara", "Mara M", "new@example.com")


def test_neither_a_user_name_nor_an_address_makes_somebody_another(client, provider) -> None:
    owner = create_person(actor=None, username="Mara", password=PASSWORD, email="mara@example.com")
    sign_in(client, provider)
    newcomer = User.objects.exclude(pk=owner.pk).get()
    assert newcomer.username == "mara-2"
    assert Identity.objects.get().user == newcomer


def test_a_provider_that_moves_takes_its_people_with_it(client, provider, capsys) -> None:
    sign_in(client, provider)
    Identity.objects.update(issuer="https://old.example.com/realms/small")
    call_command("move_issuer", "https://old.example.com/realms/small", provider.issuer)
    assert "1 person is known" in capsys.readouterr().out
    assert not is_in(client)
    sign_in(client, provider)
    assert User.objects.count() == 1


def test_a_provider_does_not_move_over_people_who_are_there(client, provider) -> None:
    sign_in(client, provider)
    Identity.objects.create(user=make_person(), issuer="https://old.example.com", subject="subject-1")
    with pytest.raises(CommandError, match="1 of them have signed in under the new address"):
        call_command("move_issuer", "https://old.example.com", provider.issuer)


def test_somebody_expected_under_a_user_name_is_that_person_once(client, provider) -> None:
    expected = create_person(actor=None, username="mara", password=None, awaits_identity=True)
    sign_in(client, provider, preferred_username="Mara")
    assert Identity.objects.get().user == expected
    sign_in(Client(), provider, sub="subject-2")
    assert Identity.objects.get(subject="subject-2").user.username == "mara-2"


def test_who_is_shut_out_here_does_not_come_in_and_makes_no_second_account(client, provider) -> None:
    sign_in(client, provider)
    set_active(actor=None, person=User.objects.get(), is_active=False)
    answer = sign_in(client, provider)
    assert answer.status_code == 403
    assert "shut out of Parley" in answer.content.decode()
    assert User.objects.count() == 1


def test_people_of_the_single_sign_on_set_no_password_here(client, provider) -> None:
    sign_in(client, provider)
    assert "New password" not in client.get(ACCOUNT).content.decode()
    client.post(ACCOUNT, {"new": "a-first-long-horse", "again": "a-first-long-horse"})
    assert not User.objects.get().has_usable_password()


# --- Roles --------------------------------------------------------------------------------------------------------


def test_a_role_taken_away_there_is_gone_at_the_next_sign_in_and_those_given_here_stay(client, provider) -> None:
    sign_in(client, provider, realm_access={"roles": ["annotator", "tester"]})
    person = User.objects.get()
    Grant.objects.create(user=person, role=Role.objects.get(name="annotator"))
    sign_in(client, provider, realm_access={"roles": ["tester"]})
    assert roles_of(person) == {("tester", "sso"), ("annotator", "hand")}
    assert AuditEvent.objects.filter(action="role-revoked", actor_label="single sign-on").count() == 1


def test_a_sign_in_that_changes_nothing_writes_no_change(client, provider) -> None:
    sign_in(client, provider)
    before = AuditEvent.objects.count()
    sign_in(Client(), provider)
    assert [event.action for event in AuditEvent.objects.all()[: AuditEvent.objects.count() - before]] == ["signed-in"]


def test_what_the_id_token_leaves_out_is_asked_for(client, provider) -> None:
    provider.userinfo = {"sub": "subject-1", "realm_access": {"roles": ["tester"]}, "groups": ["/staff"]}
    sign_in(client, provider, realm_access=None, groups=None)
    person = User.objects.get()
    assert (roles_of(person), person.groups) == ({("tester", "sso")}, ["staff"])


def test_user_info_of_another_person_is_refused(client, provider) -> None:
    provider.userinfo = {"sub": "subject-2", "realm_access": {"roles": ["admin"]}}
    assert sign_in(client, provider, realm_access=None).status_code == 403
    assert refusals() == ["wrong-subject"]


def test_groups_follow_the_provider_and_bring_their_grants(client, provider) -> None:
    Grant.objects.create(group="staff", role=Role.objects.get(name="admin"))
    sign_in(client, provider, groups=["staff"])
    assert client.get("/settings/people/").status_code == 200
    sign_in(client, provider, groups=[])
    assert client.get("/settings/people/").status_code == 403


def test_somebody_new_whom_the_provider_gives_no_role_gets_the_default_one(client, provider, settings) -> None:
    settings.DEFAULT_ROLE = "tester"
    sign_in(client, provider, realm_access={"roles": ["offline_access"]})
    assert roles_of(User.objects.get()) == {("tester", "hand")}
    sign_in(Client(), provider, realm_access={"roles": ["annotator"]}, sub="subject-2")
    assert roles_of(Identity.objects.get(subject="subject-2").user) == {("annotator", "sso")}


def test_the_role_marked_for_new_people_is_the_default_without_a_setting(client, provider) -> None:
    Role.objects.filter(name="tester").update(is_default=True)
    sign_in(client, provider, realm_access={"roles": []})
    assert roles_of(User.objects.get()) == {("tester", "hand")}


def test_the_first_of_an_empty_installation_is_admin_where_the_settings_say_so(client, provider, settings) -> None:
    settings.FIRST_USER_ADMIN = True
    create_person(actor=None, username="admin", password=PASSWORD)  # made at the start, and nobody came
    sign_in(client, provider, realm_access={"roles": []})
    assert roles_of(User.objects.get(username="mara")) == {("admin", "hand")}
    sign_in(Client(), provider, realm_access={"roles": []}, sub="subject-2", preferred_username="tomas")
    assert roles_of(User.objects.get(username="tomas")) == set()


def test_the_first_single_sign_on_where_somebody_works_already_is_nobody_special(client, provider, settings) -> None:
    settings.FIRST_USER_ADMIN = True
    Client().force_login(make_person())
    sign_in(client, provider, realm_access={"roles": []})
    assert roles_of(User.objects.get(username="mara")) == set()


# --- The way in without it ----------------------------------------------------------------------------------------


def local(client: Client, username: str):
    return client.post("/sign-in?local=1", {"username": username, "password": PASSWORD})


def test_the_sign_in_page_offers_single_sign_on_first_and_the_form_folded(client, provider) -> None:
    text = client.get("/sign-in", {"next": ACCOUNT}).content.decode()
    assert text.index("/oidc/begin?next=%2Fsettings%2Faccount") < text.index("<details") < text.index('name="password"')
    assert "<details open>" in client.get("/sign-in?local=1").content.decode()


def test_a_hidden_form_is_still_at_its_address_for_administrators_alone(client, provider, settings) -> None:
    settings.LOCAL_SIGN_IN = False
    for name, role in (("boss", "admin"), ("helper", "annotator")):
        person = make_person(role, username=name)
        person.set_password(PASSWORD)
        person.save()
    assert 'name="password"' not in client.get("/sign-in").content.decode()
    assert 'name="password"' in client.get("/sign-in?local=1").content.decode()
    assert "Only administrators" in local(Client(), "helper").content.decode()
    assert local(client, "boss").status_code == 302
