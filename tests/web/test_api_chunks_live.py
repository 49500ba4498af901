"""JSON and forms in chunks, without a length, as a real gunicorn gets them from curl."""

import json
import subprocess
from typing import Any

import pytest

from models_app.models import Assistant
from models_app.services.revisions import newest_revision, save_revision
from studio.access.services.api_sign_in import token_for
from tests.factories import PASSWORD, make_assistant, make_person
from tests.models_app.test_upload_live import Server, chunked, running

__all__ = ["running"]

pytestmark = pytest.mark.django_db(transaction=True)
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.fixture
def server(running: Server) -> Server:
    admin = make_person("admin", username="admin")
    admin.set_password(PASSWORD)
    admin.save()
    running.cookie = token_for(admin)
    return running


def curl(server: Server, path: str, body: str, kind: str = JSON, *more: str) -> tuple[int, Any]:
    """Status and answer of a POST in chunks."""
    headers = f"Authorization: Bearer {server.cookie}", "Transfer-Encoding: chunked", f"Content-Type: {kind}"
    lines = [part for header in headers for part in ("-H", header)]
    address = f"http://127.0.0.1:{server.port}{path}"
    command = ["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", *lines, *more, "--data-binary", "@-", address]
    answer, _, status = subprocess.run(
        command, input=body, capture_output=True, text=True, check=True
    ).stdout.rpartition("\n")
    return int(status), json.loads(answer)


def test_a_body_in_chunks_is_read(server: Server) -> None:
    status, made = curl(server, "/api/projects", '{"name": "inn", "title": "The Inn"}')
    assert (status, made["title"]) == (201, "The Inn")


def test_a_body_that_may_be_left_out_is_not(server: Server) -> None:
    cafe = make_assistant("cafe")
    save_revision(actor=None, assistant=cafe, files={"a.md": b"1"}, message="", parent_number=None)
    save_revision(actor=None, assistant=cafe, files={"a.md": b"2"}, message="", parent_number=1)
    assert curl(server, "/api/projects/cafe/data/revisions/1/restore", '{"message": "Back."}')[0] == 201
    newest = newest_revision(cafe)
    assert newest is not None and newest.message == "Back."


def test_a_body_in_chunks_may_be_sent_again(server: Server) -> None:
    again = ("-H", "Idempotency-Key: k1")
    body = '{"name": "inn", "title": "The Inn"}'
    assert [curl(server, "/api/projects", body, JSON, *again)[0] for _ in range(2)] == [201, 201]
    assert curl(server, "/api/projects", body.replace("inn", "bar"), JSON, *again)[0] == 409
    assert Assistant.objects.count() == 1


@pytest.mark.parametrize("more", [(), ("-H", "Idempotency-Key: k1")])
def test_more_than_a_body_may_be_is_413(server: Server, more: tuple[str, ...]) -> None:
    body = json.dumps({"name": "inn", "title": "x" * 3 * 1024**2})
    status, answer = curl(server, "/api/projects", body, JSON, *more)
    assert (status, answer["reason"]) == (413, "TooLarge")


def test_chunks_that_break_off_are_told_as_that(server: Server) -> None:
    lines = ("POST /api/projects HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", f"Content-Type: {JSON}")
    head = "\r\n".join((*lines, f"Authorization: Bearer {server.cookie}", "\r\n")).encode()
    cut = chunked(b'{"name": "inn"}').removesuffix(b"0\r\n\r\n") + b"zz\r\n"
    status, answer = server.exchange(head + cut)
    assert (status, answer["reason"]) == (422, "UploadCut")


def test_rasa_studio_and_its_sign_in_read_chunks(server: Server) -> None:
    status, found = curl(server, "/api/graphql/", '{"query": "{ licenseDetails { valid } }"}')
    assert (status, found) == (200, {"data": {"licenseDetails": {"valid": True}}})
    form = f"grant_type=password&client_id=admin-cli&username=admin&password={PASSWORD}"
    status, found = curl(server, "/auth/realms/rasa-studio/protocol/openid-connect/token", form, FORM)
    assert (status, found["token_type"]) == (200, "Bearer")
