"""Every page runs our own scripts and styles alone: the policy says so, and no page needs more."""

import re

import pytest
from django.db import transaction
from django.http import StreamingHttpResponse
from django.test import Client

from tests.clients import client_of
from tests.house.permission_matrix import ROWS, Row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]

# JSON in a script element is data that no browser runs.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")|<style|\sstyle=|\son[a-z]+=[\"']|javascript:",
    re.IGNORECASE,
)
PAGES = [row for row in ROWS if row.method == "GET" and 200 in (row.anonymous, row.admin, row.annotator)]


def got(row: Row, everything):
    client = Client()
    with transaction.atomic():
        if row.admin == 200:
            client.force_login(everything.people["admin"])
        elif row.annotator == 200:
            client.force_login(everything.people["annotator"])
        answer = client.get(row.path.format_map(everything.words))
        if isinstance(answer, StreamingHttpResponse):
            answer.getvalue()
        transaction.set_rollback(True)
    return answer


def directives(answer) -> dict[str, str]:
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return dict(part.partition(" ")[::2] for part in parts)


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.path)
def test_each_page_is_strict_and_needs_nothing_inline(row: Row, everything) -> None:
    answer = got(row, everything)
    if row.path in {"/healthz", "/readyz"} or "/models/tags/" in row.path:
        return  # programs read them, and no browser
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = directives(answer)
    assert "unsafe" not in str(policy)
    if not answer.headers["Content-Type"].startswith("text/html"):
        assert policy["default-src"] == "'none'" and "sandbox" in policy
        return
    assert policy["script-src"] == policy["style-src"] == policy["default-src"] == "'self'"
    is_framed = row.path == "/share/{code}/chat"
    assert policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == ("https://www.example.org" if is_framed else "'none'")
    assert answer.headers.get("X-Frame-Options") == (None if is_framed else "DENY")
    assert INLINE.findall(answer.content.decode()) == []


@pytest.mark.parametrize("path", ["/nowhere", "/settings/people/"])
def test_error_pages_are_strict_as_well(path, everything) -> None:
    client = client_of(everything.people["tester"])
    answer = client.get(path)
    assert answer.status_code in {403, 404}
    assert directives(answer)["script-src"] == "'self'"
    assert INLINE.findall(answer.content.decode()) == []
