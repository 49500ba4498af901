"""Secrets planted in every field that takes one: no page, log line, audit row or error page shows them again."""

import io
import json
import logging

import pytest
from django.db import transaction
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from environments.models import Environment
from environments.services.environments import update_environment
from studio import logs
from studio.access.models import User
from studio.access.services.sign_in import make_link
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from tests.clients import client_of
from tests.factories import PASSWORD
from tests.house.permission_matrix import ROWS, Row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]

SERVER_TOKEN, TYPED = "canary-server-token-51", "canary-typed-password-52"
# Where a secret is shown on purpose, to people who may use it.
SHOWN = {
    "model token": {"/a/cafe/environments/production/connection"},
    "share code": {
        "/a/cafe/share/",
        "/a/cafe/share/{link}",
        "/s/{code}",
        "/share/{code}/chat",
        "/share/{code}/widget.js",
    },
}


@pytest.fixture
def lines():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(json=False))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def secrets(everything) -> dict[str, str]:
    production = Environment.objects.get(assistant__slug="cafe", name="production")
    admin = everything.people["admin"]
    Environment.objects.filter(pk=production.pk).update(kind="connected", url="http://rasa.example.com")
    production.refresh_from_db()
    update_environment(actor=admin, environment=production, server_token=SERVER_TOKEN)
    production.refresh_from_db()
    return {
        "server token": SERVER_TOKEN,
        "model token": decrypt(production.model_token_encrypted),
        "private key": decrypt(production.private_key_encrypted).splitlines()[5],
        "share code": str(everything.words["code"]),
        "sign-in link": make_link(actor=admin, person=everything.people["tester"]),
        "password hash": User.objects.get(username="admin").password,
    }


def visit(client: Client, row: Row, words: dict[str, object]) -> str:
    with transaction.atomic():
        answer = client.get(row.path.format_map(words))
        body = answer.getvalue() if isinstance(answer, StreamingHttpResponse) else answer.content
        transaction.set_rollback(True)
    return f"{answer.headers}{body.decode(errors='replace')}"


def test_no_page_shows_a_secret_but_where_it_is_for_copying(everything, secrets) -> None:
    client = client_of(everything.people["admin"])
    session = client.session.session_key
    leaks = []
    for row in (row for row in ROWS if row.method == "GET" and row.admin == 200):
        page = visit(client, row, everything.words)
        leaks += [
            f"{row.path}: {name}"
            for name, secret in secrets.items()
            if secret in page and row.path not in SHOWN.get(name, ())
        ]
        leaks += [f"{row.path}: session"] if session in page else []
    assert leaks == []


def test_no_log_line_and_no_audit_row_holds_a_secret(everything, secrets, lines) -> None:
    person = everything.people["tester"]
    person.set_password(PASSWORD)
    person.save()
    client = Client(enforce_csrf_checks=True)
    for path in (
        f"/s/{secrets['share code']}/say",
        f"/sign-in/{secrets['sign-in link']}",
        f"/api/models/tags/production?token={secrets['model token']}x",
        f"/api/nowhere?api_token={secrets['server token']}",
    ):
        client.post(path)
        client.get(path)
    client.get("/api/nowhere", headers={"authorization": f"Bearer {secrets['server token']}"})
    browser = Client()
    browser.post("/sign-in", {"username": "tester", "password": TYPED})
    browser.post(f"/sign-in/{secrets['sign-in link']}")
    browser.post(reverse("access:account"), {"old_password": TYPED, "new_password1": TYPED, "new_password2": TYPED})
    rows = json.dumps([[str(value) for value in row] for row in AuditEvent.objects.values_list()])
    written = lines.getvalue()
    hunted = {**secrets, "typed password": TYPED, "session": browser.session.session_key or "none"}
    assert [name for name, secret in hunted.items() if secret in rows] == []
    assert [name for name, secret in hunted.items() if secret in written] == []
    assert "Forbidden" in written  # the lines that could have held them were written


def test_an_error_page_shows_neither_code_nor_settings(everything, secrets, monkeypatch, lines) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError(f"Bearer {SERVER_TOKEN}")

    monkeypatch.setattr("studio.audit.views.readable", broken)
    client = Client(raise_request_exception=False)
    client.force_login(everything.people["admin"])
    answer = client.get(f"/settings/audit/?token={SERVER_TOKEN}")
    page = answer.content.decode()
    assert answer.status_code == 500 and answer["X-Request-Id"] in page
    assert "RuntimeError" not in page and SERVER_TOKEN not in page
    assert "RuntimeError" in lines.getvalue() and SERVER_TOKEN not in lines.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "GET /s/{} 403",
        "https://parley.example.com/s/{}-0123456789",
        "Forbidden: /sign-in/{}",
        "?token={}&x=1",
        "api_token={}",
        "Authorization: Bearer {}",
        "client_secret={}",
        "refresh_token={}",
        "postgresql://parley:{}@host/parley",
        "redis://:{}@host:6379/0",
        "'password': '{}'",
        '"server_token": "{}"',
        "parley_k1.{}",
    ],
)
def test_the_log_takes_secrets_out_of(line) -> None:
    assert "s3cret-value" not in logs.redact(line.format("s3cret-value"))


def test_the_log_leaves_other_words_alone() -> None:
    for line in ("/a/cafe/settings", "tokens=12 of 30", "code 404", "https://example.com/a", "signed in by password"):
        assert logs.redact(line) == line
