"""What was refused is in the audit log: who, from where, what was missing; and no flood of it fills the table."""

import pytest
from django.test import Client
from django.urls import reverse

from conversations.chat.links import create_link
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.services import refusals
from studio.audit.services.refusals import write_repeated
from studio.crypto import decrypt
from tests.factories import PASSWORD, environment_of, make_assistant, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]


@pytest.fixture
def tester() -> User:
    return make_person("tester", username="tester")


@pytest.fixture
def client(tester: User) -> Client:
    client = Client(headers={"user-agent": "Browser/1"}, REMOTE_ADDR="198.51.100.7")
    client.force_login(tester)
    return client


def refused(action: Action = Action.ACCESS_REFUSED) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def test_a_refusal_says_who_from_where_what_was_asked_and_which_permission_is_missing(client, tester) -> None:
    answer = client.get("/settings/people/?token=s3cret")
    assert answer.status_code == 403
    [event] = refused()
    assert (event.actor, event.address, event.request_id) == (tester, "198.51.100.7", answer["X-Request-Id"])
    assert event.after["permission"] == "Manage people, roles and grants"
    assert event.after["request"] == "GET /settings/people/"
    assert event.after["agent"] == "Browser/1"


def test_a_refused_promotion_is_recorded_with_its_assistant(client) -> None:
    cafe = make_assistant("cafe")
    annotator = make_person("annotator")
    client.force_login(annotator)
    assert client.post("/a/cafe/environments/production/promote").status_code == 403
    [event] = refused()
    assert (event.actor, event.assistant_id) == (annotator, cafe.pk)
    assert "protected" in event.after["permission"]


def test_what_a_service_refuses_within_a_page_is_recorded_too(client) -> None:
    make_assistant("cafe")
    client.force_login(make_person("annotator"))
    data = {"path": "actions.py", "text": "print(1)", "message": "", "parent": ""}
    answer = client.post("/a/cafe/data/new", data)
    assert "Python code" in answer.content.decode()
    assert [("Python code" in event.reason) for event in refused()] == [True]


def test_a_thousand_identical_refusals_are_one_row_and_a_count(client, redis_client) -> None:
    for _ in range(20):
        client.get("/settings/people/")
    assert len(refused()) == 1
    write_repeated()
    assert len(refused()) == 1  # its minute has not ended
    for key in redis_client.scan_iter("parley:refused:*"):
        redis_client.delete(key)
    write_repeated()
    write_repeated()
    assert [event.after.get("repeated") for event in refused()] == [None, 19]
    assert refused()[1].after["permission"] == refused()[0].after["permission"]


def test_trying_one_number_after_the_other_is_one_kind(client) -> None:
    for pk in range(10):
        client.get(f"/settings/people/{pk}")
    assert len(refused()) == 1


def test_different_people_and_different_pages_are_rows_of_their_own(client) -> None:
    client.get("/settings/people/")
    client.get("/settings/roles/")
    client.force_login(make_person("tester"))
    client.get("/settings/people/")
    assert len(refused()) == 3


def test_without_redis_repetitions_are_dropped(client, settings, monkeypatch) -> None:
    def away():
        raise refusals.RedisError

    monkeypatch.setattr(refusals, "client", away)
    for _ in range(5):
        assert client.get("/settings/people/").status_code == 403
    assert len(refused()) == 1


def test_a_form_without_its_token_is_recorded_without_the_code_of_its_address() -> None:
    link = create_link(actor=make_person(), environment=environment_of(make_assistant()), name="friends")
    code = decrypt(link.code_encrypted)
    client = Client(enforce_csrf_checks=True)
    assert client.post(f"/s/{code}/say", {"text": "hi"}).status_code == 403
    [event] = refused()
    assert event.after["request"] == "POST /s/.../say"
    assert code not in f"{event.after}{event.reason}"


def test_a_wrong_model_token_is_one_row_an_hour_for_each_address() -> None:
    environment_of(make_assistant("cafe"))
    server = Client(REMOTE_ADDR="203.0.113.9")
    for _ in range(3):
        assert server.get("/api/projects/cafe/models/tags/production?token=wr0ng").status_code == 401
    server.get("/api/projects/cafe/models/tags/worker?token=wr0ng-too")
    [event] = refused(Action.TOKEN_REFUSED)
    assert (event.address, event.after["request"]) == ("203.0.113.9", "GET /api/projects/cafe/models/tags/production")
    assert "wr0ng" not in f"{event.after}{event.reason}"


def test_a_locked_account_is_recorded_as_such(settings) -> None:
    settings.LOCKOUT_FAILURES = 1
    person = make_person(username="mara")
    person.set_password(PASSWORD)
    person.save()
    for _ in range(2):
        Client().post(reverse("access:sign-in"), {"username": "mara", "password": "wrong-password"})
    assert len(refused(Action.SIGN_IN_REFUSED)) == 1
    assert "Too many failed attempts" in refused()[0].reason


@pytest.mark.parametrize("written", ["unknown", "'; DROP TABLE", "", "[::1]:80"])
def test_a_proxy_that_writes_no_address_breaks_nothing(client, settings, written) -> None:
    settings.TRUSTED_PROXIES = 1
    assert client.get("/settings/people/", headers={"x-forwarded-for": written}).status_code == 403
    assert refused()[0].address == "198.51.100.7"
