"""The form of every answer under /api: failures, unknown addresses, methods, conditional requests, repeats, sign-in."""

import json
import time
from unittest.mock import Mock

import jwt
import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.test import Client
from ninja import Schema

from studio import api
from studio.access.models import KeptAnswer, User
from studio.access.permissions import Permission
from studio.access.services import people, sessions, tokens
from studio.access.services.api_sign_in import LIFE_SECONDS, token_for
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.factories import PASSWORD, make_assistant, make_person

pytestmark = pytest.mark.django_db
KEYS = {"version", "status", "message", "reason", "details", "help", "code"}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


def person_of(role: str, username: str) -> User:
    person = make_person(role, username=username)
    person.set_password(PASSWORD)
    person.save()
    return person


@pytest.fixture
def admin() -> User:
    return person_of("admin", "admin")


def bearer(user: User, permissions=frozenset(Permission)) -> dict[str, str]:
    text = tokens.make(actor=user, user=user, name="build", permissions=permissions).text
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("path", ["/api/", "/api/none", "/api/projects/cafe/none/of/it", "/api/openapi", "/api"])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_an_unknown_address_is_a_failure_of_our_shape(path, method) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(path)
    assert answer.status_code == 404
    assert answer.json().keys() == KEYS
    assert answer.json()["help"] == "/api/docs"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("put", "/api/user", "GET"), ("post", "/api/models/tags/x", "GET, HEAD"), ("get", "/api/auth", "POST")],
)
def test_a_wrong_method_names_the_right_ones(method, path, allowed) -> None:
    answer = getattr(Client(), method)(path)
    assert (answer.status_code, answer["Allow"], answer.json()["reason"]) == (405, allowed, "MethodNotAllowed")
    assert answer.json().keys() == KEYS


def test_a_body_that_is_not_what_it_must_be_says_where(admin) -> None:
    answer = Client().post("/api/auth", {"username": "x"}, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["details"]["errors"] == [{"where": "body.body.password", "message": "Field required"}]
    garbled = Client().post("/api/auth", "{", content_type="application/json")
    assert (garbled.status_code, garbled.json().keys()) == (400, KEYS)


@pytest.mark.parametrize(
    "title", ['"a\\u0000b"', '"\\ud800"', "NaN", "Infinity", '"' + "\0" + '"', "[" * 9999, "9" * 9999]
)
def test_a_body_that_nothing_can_hold_is_refused(admin, title) -> None:
    body = f'{{"name": "inn", "title": {title}}}'
    answer = Client().post("/api/projects", body, content_type="application/json", headers=bearer(admin))
    assert (answer.status_code, answer.json().keys()) == (400, KEYS)


def test_an_escape_that_is_meant_as_it_stands_is_text(admin) -> None:
    body = json.dumps({"name": "inn", "title": r"\u0000"})
    made = Client().post("/api/projects", body, content_type="application/json", headers=bearer(admin))
    assert made.json()["title"] == r"\u0000"


def test_what_goes_wrong_here_is_told_without_its_words(admin, monkeypatch) -> None:
    monkeypatch.setattr("studio.access.api.me._grants", lambda *_: 1 / 0)
    answer = Client().get("/api/user", headers=bearer(admin))
    assert (answer.status_code, answer.json()["reason"]) == (500, "InternalError")
    assert answer["X-Request-Id"] in answer.json()["message"]
    assert "division" not in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (IntegrityError, 409, "Conflict"),
        (OperationalError, 503, "Unavailable"),
        (InterfaceError, 503, "Unavailable"),
        (ProgrammingError, 500, "InternalError"),
    ],
)
def test_what_the_database_says_is_told_as_what_it_is(admin, monkeypatch, error, status, reason) -> None:
    monkeypatch.setattr("studio.access.api.me._grants", Mock(side_effect=error("key (slug)=(inn)")))
    answer = Client().get("/api/user", headers=bearer(admin))
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert "inn" not in answer.json()["message"]


def test_what_is_polled_costs_nothing_while_it_is_the_same(admin) -> None:
    headers = bearer(admin)
    first = Client().get("/api/user", headers=headers)
    again = Client().get("/api/user", headers={**headers, "If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first["Cache-Control"] == "private, no-cache"


# --- Signing in with a password -----------------------------------------------------------------------------------


def sign_in(username: str, password: str, **headers: str):
    body = json.dumps({"username": username, "password": password})
    return Client().post("/api/auth", body, content_type="application/json", headers=headers)


def test_a_password_brings_a_token_that_acts_as_the_person(admin) -> None:
    text = sign_in("admin", PASSWORD).json()["access_token"]
    claims = jwt.decode(text, options={"verify_signature": False})
    assert claims["username"] == "admin"
    assert claims["exp"] - time.time() == pytest.approx(LIFE_SECONDS, abs=5)
    seen = Client().get("/api/user", headers={"Authorization": f"Bearer {text}"}).json()
    assert (seen["username"], seen["token"], seen["roles"]) == ("admin", None, ["admin"])


def test_a_wrong_password_is_401_and_counts_towards_the_lock_out(admin, settings) -> None:
    for _ in range(settings.LOCKOUT_FAILURES):
        assert sign_in("admin", "wrong").status_code == 401
    assert sign_in("admin", PASSWORD).status_code == 401
    assert sign_in("nobody", "wrong").json()["reason"] == "NotAuthenticated"


def test_guesses_under_a_word_are_guesses(admin, settings) -> None:
    headers = {**bearer(make_person("tester", username="tess"), {Permission.TALK}), "Idempotency-Key": "k1"}
    answers = [sign_in("admin", "wrong", **headers).status_code for _ in range(settings.LOCKOUT_FAILURES)]
    assert set(answers) == {401}
    assert sign_in("admin", PASSWORD, **headers).status_code == 401
    assert AuditEvent.objects.filter(action=Action.SIGN_IN_REFUSED).count() == settings.LOCKOUT_FAILURES


def test_a_sign_in_is_kept_for_nobody(admin) -> None:
    headers = {**bearer(admin), "Idempotency-Key": "k1"}
    assert [sign_in("admin", PASSWORD, **headers).status_code for _ in range(2)] == [200, 200]
    assert AuditEvent.objects.filter(action=Action.SIGNED_IN).count() == 2
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize(
    "end",
    [
        lambda person: sessions.end_all(actor=person, person=person),
        lambda person: people.set_active(actor=None, person=person, is_active=False),
        lambda person: people.change_password(actor=person, person=person, password="another long password"),
    ],
)
def test_the_token_of_a_sign_in_ends_with_the_persons_sessions(admin, end) -> None:
    person = person_of("annotator", "anna")
    text = sign_in("anna", PASSWORD).json()["access_token"]
    end(person)
    assert Client().get("/api/user", headers={"Authorization": f"Bearer {text}"}).status_code == 401


def test_a_token_that_somebody_else_signed_lets_nobody_in(admin) -> None:
    claims = jwt.decode(sign_in("admin", PASSWORD).json()["access_token"], options={"verify_signature": False})
    forged = jwt.encode(claims, "x" * 32, algorithm="HS256")
    unsigned = jwt.encode(claims, None, algorithm="none")
    for text in (forged, unsigned, "a.b.c", ".."):
        assert Client().get("/api/user", headers={"Authorization": f"Bearer {text}"}).status_code == 401


# --- The same request again ----------------------------------------------------------------------------------------


def again(key: str, headers, body, kind: str = "application/json"):
    headers = {**headers, "Idempotency-Key": key}
    return Client().post("/api/projects", json.dumps(body), content_type=kind, headers=headers)


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])  # the second is curl's
def test_the_same_request_with_the_same_word_is_done_once(admin, kind) -> None:
    headers, body = bearer(admin), {"name": "inn", "title": "The Inn"}
    first, second = again("k1", headers, body, kind), again("k1", headers, body, kind)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second["X-Repeated"] == "true"
    assert "X-Repeated" not in first
    assert again("k2", headers, body).status_code == 409


def test_what_one_token_was_answered_no_other_reads(admin) -> None:
    body = {"name": "inn", "title": "The Inn"}
    again("k1", bearer(admin), body)
    for headers in (bearer(admin, {Permission.TALK}), {"Authorization": f"Bearer {token_for(admin)}"}):
        answer = again("k1", headers, body)
        assert (answer.status_code, "The Inn" in answer.content.decode()) == (409, False)


def test_the_word_of_a_sign_in_outlives_its_token(admin) -> None:
    body = {"name": "inn", "title": "The Inn"}
    first, second = (again("k1", {"Authorization": f"Bearer {token_for(admin)}"}, body) for _ in range(2))
    assert second.json() == first.json()


def test_a_word_stands_for_one_request_of_one_person(admin) -> None:
    other, headers = make_person("admin", username="other"), bearer(admin)
    again("k1", headers, {"name": "inn", "title": "The Inn"})
    taken = again("k1", headers, {"name": "bar", "title": "The Bar"})
    assert (taken.status_code, taken.json()["reason"]) == (409, "Conflict")
    assert again("k1", bearer(other), {"name": "bar", "title": "The Bar"}).status_code == 201


def test_what_failed_may_be_tried_again_with_the_same_word(admin) -> None:
    make_assistant("inn", "The Inn")
    assert again("k1", bearer(admin), {"name": "inn", "title": "Another"}).status_code == 409
    assert not KeptAnswer.objects.exists()
    assert again("k1", bearer(admin), {"name": "bar", "title": "The Bar"}).status_code == 201


def test_a_refusal_under_a_word_is_in_the_audit_log(admin) -> None:
    tester = make_person("tester", username="tess")
    assert again("k1", bearer(tester, {Permission.TALK}), {"name": "inn", "title": "The Inn"}).status_code == 403
    assert AuditEvent.objects.filter(action=Action.ACCESS_REFUSED, actor=tester).count() == 1


def test_too_large_a_body_is_told_as_that(admin, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = again("k1", bearer(admin), {"name": "inn", "title": "x" * 100})
    assert (answer.status_code, answer.json()["reason"]) == (413, "TooLarge")


def test_the_description_promises_a_word_where_it_counts() -> None:
    paths = api.api.get_openapi_schema()["paths"]
    posts = {path: operation["post"] for path, operation in paths.items() if "post" in operation}
    without = {path for path, one in posts.items() if not any(p["in"] == "header" for p in one.get("parameters", []))}
    assert without == {
        "/api/auth",
        "/api/auth/jwt",
        "/api/projects/{slug}/data/archive",
        "/api/projects/{slug}/intake/sources/test",
        "/api/projects/{slug}/intake/sources/{number}/test",
        "/api/projects/{slug}/models",
        "/api/rasa/versions",
    }
    assert not any("x-repeats" in one for one in posts.values())


def test_lists_tell_how_many_there_are_and_how_to_go_on(admin) -> None:
    for number in range(5):
        make_assistant(f"a{number}", f"Assistant {number}")
    headers = bearer(admin)
    first = Client().get("/api/projects?limit=2", headers=headers)
    assert [row["name"] for row in first.json()] == ["a0", "a1"]
    assert (first["X-Total-Count"], first["X-Limit"]) == ("5", "2")
    address = first["Link"].removeprefix("<http://testserver").partition(">")[0]
    assert [row["name"] for row in Client().get(address, headers=headers).json()] == ["a2", "a3"]
    last = Client().get("/api/projects?limit=2&offset=4", headers=headers)
    assert [row["name"] for row in last.json()] == ["a4"]
    assert "Link" not in last
    assert Client().get("/api/projects?limit=99999", headers=headers)["X-Limit"] == "1000"
    assert Client().get("/api/projects?cursor=???", headers=headers).status_code == 422


def test_no_two_shapes_have_one_name() -> None:
    """The description knows them by it: the second would stand for both."""
    assert api.api  # which joins all of it
    names = [kind.__name__ for kind in _below(Schema) if not kind.__module__.startswith(("ninja", "tests"))]
    names = [name for name in names if name != "NinjaResponseSchema"]
    assert not {name for name in names if names.count(name) > 1}


def _below(kind: type) -> set[type]:
    found = set(kind.__subclasses__())
    return found.union(*map(_below, found))
