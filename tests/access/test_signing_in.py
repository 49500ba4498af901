"""Signing in, signing out, the password, and what ends a session."""

import pytest
from django.test import Client
from django.urls import reverse

from studio.access.models import SignInFailure, SignInLink, User
from studio.access.services.people import change_password, create_person, set_active
from studio.access.services.service_accounts import make_service
from studio.access.services.sign_in import forget_old, make_link
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from tests.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
ACCOUNT = "/settings/account"


@pytest.fixture
def person() -> User:
    return create_person(actor=None, username="Mara", password=PASSWORD)


def sign_in(client: Client, username: str, password: str, follow: str = ACCOUNT):
    return client.post("/sign-in", {"username": username, "password": password, "next": follow})


def service(username: str) -> User:
    return make_service(actor=None, username=username, description="")


def is_in(client: Client) -> bool:
    return client.get(ACCOUNT).status_code == 200


def test_the_sign_in_page_says_what_parley_is(client: Client, person: User) -> None:
    assert "trains its Rasa assistants" in client.get("/sign-in").content.decode()


def test_a_password_leads_to_the_page_that_was_asked_for(client: Client, person: User) -> None:
    asked = client.get(ACCOUNT)
    assert asked["Location"] == f"/sign-in?next={ACCOUNT}"
    assert sign_in(client, "mara", PASSWORD)["Location"] == ACCOUNT
    assert is_in(client)


ALIKE = "m\N{LATIN SMALL LETTER DOTLESS I}a"  # MIA in capitals


def test_a_name_that_reads_alike_in_capitals_is_taken(db) -> None:
    create_person(actor=None, username="mia", password=PASSWORD)
    for make in (lambda: create_person(actor=None, username=ALIKE, password=PASSWORD), lambda: service(ALIKE)):
        with pytest.raises(Conflict):
            make()
    service("mia-s")


def test_a_name_that_reads_alike_in_capitals_is_somebody_elses(client: Client) -> None:
    create_person(actor=None, username="mia", password=PASSWORD)
    User.objects.create(username=ALIKE)
    assert sign_in(client, "MIA", PASSWORD)["Location"] == ACCOUNT


def test_nobody_is_led_to_another_site(client: Client, person: User) -> None:
    assert sign_in(client, "mara", PASSWORD, "https://elsewhere.example/")["Location"] != "https://elsewhere.example/"


@pytest.mark.parametrize(("username", "password"), [("mara", "wrong-horse"), ("nobody", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(client, person, username, password) -> None:
    answer = sign_in(client, username, password)
    assert answer.status_code == 422
    assert "do not belong together" in answer.content.decode()
    assert AuditEvent.objects.filter(action="sign-in-refused", actor_label=username).count() == 1


def test_an_unknown_name_costs_a_hash_like_a_known_one(client, person, monkeypatch) -> None:
    """Otherwise the time of the answer would tell which names exist."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    hashed: list[str] = []
    encode = Argon2PasswordHasher.encode
    monkeypatch.setattr(
        Argon2PasswordHasher, "encode", lambda self, *a, **k: hashed.append("") or encode(self, *a, **k)
    )
    sign_in(client, "nobody", PASSWORD)
    assert len(hashed) == 1


def test_passwords_are_kept_with_argon2(person: User) -> None:
    assert person.password.startswith("argon2$")


def test_too_many_failures_lock_the_account_even_for_the_right_password(client, person, settings) -> None:
    for _ in range(settings.LOCKOUT_FAILURES):
        sign_in(client, "MARA", "wrong-horse")
    answer = sign_in(client, "mara", PASSWORD)
    assert answer.status_code == 422
    assert "Too many failed attempts" in answer.content.decode()


def test_an_address_that_tries_many_names_is_locked_out(client, person, settings) -> None:
    settings.LOCKOUT_FAILURES = 2
    for number in range(8):
        sign_in(client, f"guess-{number}", "wrong-horse")
    assert "Too many failed attempts" in sign_in(client, "mara", PASSWORD).content.decode()


def test_a_lock_out_ends_by_itself(client, person, settings, time_machine_travel) -> None:
    settings.LOCKOUT_FAILURES = 1
    sign_in(client, "mara", "wrong-horse")
    time_machine_travel(settings.LOCKOUT_SECONDS + 1)
    assert sign_in(client, "mara", PASSWORD).status_code == 302


def test_a_link_works_once_and_looking_at_it_does_not_use_it(client: Client, person: User) -> None:
    address = reverse("access:sign-in-link", args=[make_link(actor=None, person=person)])
    assert client.get(address).status_code == 200
    assert client.post(address).status_code == 302
    assert is_in(client)
    second = Client()
    assert second.post(address)["Location"] == "/sign-in"
    assert "used already or has expired" in second.get("/sign-in").content.decode()


def test_an_old_link_works_no_more(client, person, time_machine_travel) -> None:
    address = reverse("access:sign-in-link", args=[make_link(actor=None, person=person)])
    time_machine_travel(3601)
    client.post(address)
    assert not is_in(client)


def test_the_secret_of_a_link_is_not_in_the_database(person: User) -> None:
    secret = make_link(actor=None, person=person)
    assert secret.encode() not in bytes(SignInLink.objects.get().digest)
    events = list(AuditEvent.objects.all())
    assert events
    assert all(secret not in str(event.__dict__) for event in events)


def test_signing_out_ends_the_session_and_is_recorded(client: Client, person: User) -> None:
    sign_in(client, "mara", PASSWORD)
    client.post("/sign-out")
    assert not is_in(client)
    assert AuditEvent.objects.filter(action="signed-out", actor=person).exists()


def change(client: Client, current: str = PASSWORD, new: str = "another-long-horse", again: str | None = None):
    return client.post(ACCOUNT, {"current": current, "new": new, "again": again or new})


def test_changing_the_password_keeps_this_session_and_ends_all_others(person: User) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        sign_in(client, "mara", PASSWORD)
    assert change(here).status_code == 302
    assert is_in(here)
    assert not is_in(elsewhere)
    assert sign_in(Client(), "mara", "another-long-horse").status_code == 302


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"current": "wrong-horse"}, "This is not your current password."),
        ({"new": "short"}, "too short"),
        ({"again": "something-else-long"}, "This is not the same password."),
    ],
)
def test_a_password_is_not_changed_when(client, person, fields, sentence) -> None:
    sign_in(client, "mara", PASSWORD)
    answer = change(client, **fields)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert User.objects.get().check_password(PASSWORD)


def test_guessing_the_current_password_locks_out_too(client, person, settings) -> None:
    settings.LOCKOUT_FAILURES = 2
    sign_in(client, "mara", PASSWORD)
    for _ in range(2):
        change(client, current="wrong-horse")
    assert "Too many failed attempts" in change(client).content.decode()


def test_who_came_by_link_sets_a_password_without_an_old_one(client: Client) -> None:
    newcomer = make_person(username="tomas")
    client.force_login(newcomer)
    assert "Current password" not in client.get(ACCOUNT).content.decode()
    client.post(ACCOUNT, {"new": "a-first-long-horse", "again": "a-first-long-horse"})
    assert sign_in(Client(), "tomas", "a-first-long-horse").status_code == 302


def test_shutting_somebody_out_ends_their_sessions_and_links_for_good(person: User) -> None:
    client, secret = Client(), make_link(actor=None, person=person)
    sign_in(client, "mara", PASSWORD)
    admin = make_person("admin")
    set_active(actor=admin, person=person, is_active=False)
    assert not is_in(client)
    assert sign_in(Client(), "mara", PASSWORD).status_code == 422
    set_active(actor=admin, person=person, is_active=True)
    assert not is_in(client)
    assert Client().post(reverse("access:sign-in-link", args=[secret]))["Location"] == "/sign-in"


def test_another_instance_of_the_same_person_does_not_bring_sessions_back(person: User) -> None:
    old = User.objects.get()
    change_password(actor=person, person=person, password="another-long-horse")
    change_password(actor=old, person=old, password="one-more-long-horse")
    assert User.objects.get().session_epoch == 2


def test_old_failures_and_links_are_forgotten(client, person, time_machine_travel) -> None:
    sign_in(client, "mara", "wrong-horse")
    make_link(actor=None, person=person)
    time_machine_travel(3 * 3600)
    forget_old()
    assert not SignInFailure.objects.exists()
    assert not SignInLink.objects.exists()
