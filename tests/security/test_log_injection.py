"""Nobody writes lines of their own into our logs, nor commands for the terminal that shows them."""

import io
import json
import logging

import pytest
import structlog
from django.test import Client

from studio import logs

EVIL = "x\n2026-01-01 [info] event='admin signed in'\r\x1b[2J\x1b]0;title\x07\u2028\u202e"
CONTROL = set("\r\x1b\x07\u2028\u202e\x9b\x00\x08")


@pytest.fixture
def written():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler, stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_people_name_themselves_stays_within_its_line(written, as_json) -> None:
    handler, stream = written
    handler.setFormatter(logs.formatter(json=as_json))
    structlog.get_logger("tests.injection").warning("refused", who=EVIL)
    logging.getLogger("tests.injection").warning("refused %s", EVIL)
    text = stream.getvalue()
    assert len(text.splitlines()) == text.count("\n") == 2
    assert not CONTROL & set(text)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_text_of_an_error_begins_no_line_of_its_own(written, as_json) -> None:
    handler, stream = written
    handler.setFormatter(logs.formatter(json=as_json))
    try:
        raise ValueError(EVIL)
    except ValueError:
        structlog.get_logger("tests.injection").exception("failed")
    text = stream.getvalue()
    assert not CONTROL & set(text)
    assert not any(line.startswith("2026-01-01") for line in text.splitlines())
    if as_json:
        assert json.loads(text)["event"] == "failed"


@pytest.mark.django_db
def test_an_address_and_a_user_name_write_no_lines(written, redis_client) -> None:
    handler, stream = written
    handler.setFormatter(logs.formatter(json=False))
    client = Client()
    client.get("/%0a2026-01-01%1b[2J")
    client.post("/sign-in", {"username": EVIL, "password": "wrong"})
    client.get("/healthz", headers={"x-request-id": "a b\x1b[2J"})
    text = stream.getvalue()
    assert not any(line.startswith("2026-01-01") for line in text.splitlines())
    assert not CONTROL & set(text)


def test_a_request_id_is_a_plain_word_or_one_of_ours() -> None:
    for given in ("a b", "x\x1b[2J", "a" * 65, "ü", "<b>"):
        assert Client().get("/sign-in", headers={"x-request-id": given})["X-Request-Id"] != given
    assert Client().get("/sign-in", headers={"x-request-id": "trace-1.2_3"})["X-Request-Id"] == "trace-1.2_3"
