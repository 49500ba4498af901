"""What a Sentry gets to see, by one of our own that keeps what arrives."""

import gzip
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from studio import sentry
from studio.jobs import queues
from studio.jobs.worker import HorseWorker
from tests.factories import make_person
from tests.rasa.servers import Reply, Seen, SmallServer

NUMBER = "-".join(["47", "11", "saffron"])  # joined, since the lines of code around an error are reported
WORDS = f"my card is {NUMBER}"
Reports = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def reports() -> Iterator[Reports]:
    """Sentry is set here for one test; the reports that arrived there."""
    structlog.contextvars.clear_contextvars()
    server = SmallServer()
    bodies: list[bytes] = []

    def keep(seen: Seen) -> Reply:
        bodies.append(gzip.decompress(seen.body) if seen.headers.get("Content-Encoding") == "gzip" else seen.body)
        return Reply(200, {})

    server.replies["/api/7/envelope/"] = keep
    sentry.configure(
        f"http://key@127.0.0.1:{server.port}/7", environment="staging", release=f"parley@{settings.VERSION}"
    )

    def arrived() -> list[dict[str, Any]]:
        sentry_sdk.flush(5)
        found = [json.loads(line) for body in bodies for line in body.splitlines() if line.startswith(b'{"')]
        return [one for one in found if "event_id" in one and "platform" in one]

    yield arrived
    sentry_sdk.flush(5)
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)
    server.close()
    assert bodies
    assert [body for body in bodies if NUMBER.encode() in body] == []


def fails(request: HttpRequest) -> HttpResponse:
    said = request.POST["text"]
    raise ValueError(f"cannot make sense of {said}")


@pytest.mark.django_db
def test_an_error_of_a_page_says_where_it_is_and_nothing_of_who_or_what(reports: Reports, client, monkeypatch) -> None:
    client.force_login(person := make_person("annotator", username=f"anna-{NUMBER}"))
    client.raise_request_exception = False
    monkeypatch.setattr("studio.access.views.account.render", lambda request, *_, **__: fails(request))
    headers = {"Cookie": client.cookies.output(header="", sep=";"), "X-Request-Id": "asked-1", "X-Secret": WORDS}
    answer = client.post(f"/settings/account?q={NUMBER}", {"text": WORDS, "first_name": WORDS * 9}, headers=headers)
    assert answer.status_code == 500, person
    (report,) = reports()
    (failure,) = report["exception"]["values"]
    assert failure["type"] == "ValueError" and "value" not in failure
    place = failure["stacktrace"]["frames"][-1]
    assert (place["function"], place["module"]) == ("fails", __name__)
    assert "vars" not in place
    assert report["transaction"] == "/settings/account"
    assert report["tags"]["request_id"] == "asked-1"
    assert (report["environment"], report["release"]) == ("staging", f"parley@{settings.VERSION}")
    assert not report.keys() & {"request", "user", "breadcrumbs", "extra", "modules", "logentry"}


def test_what_a_process_caught_is_reported_with_its_ids(reports: Reports) -> None:
    log = structlog.get_logger()
    with structlog.contextvars.bound_contextvars(training=12, address=NUMBER):
        try:
            raise KeyError(WORDS)
        except KeyError:
            log.exception("training stopped by the machine", said=WORDS)
    log.error("artifact missing", sha256=NUMBER, environment=3)
    log.warning("of no interest", said=WORDS)
    caught, said = reports()
    assert caught["exception"]["values"][0]["type"] == "KeyError"
    assert caught["tags"] == {"log": "training stopped by the machine", "training": "12"}
    assert said["message"] == "artifact missing" and said["tags"] == {"log": "artifact missing", "environment": "3"}


def job(_words: str) -> None:
    raise RuntimeError(WORDS)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_is_reported_without_its_arguments(reports: Reports, redis_client, capfd) -> None:
    queue = queues.queue(queues.BACKGROUND)
    made = queue.enqueue_call(f"{__name__}.job", args=(WORDS,), job_id="job-1")
    worker = HorseWorker([queue], connection=queue.connection, serializer=queue.serializer)
    logging.getLogger("rq").setLevel(logging.CRITICAL)
    assert worker.perform_job(made, queue) is False
    (report,) = reports()
    assert report["exception"]["values"][0]["type"] == "RuntimeError"
    assert report["tags"]["job_id"] == "job-1"


def test_without_a_setting_nothing_is_reported() -> None:
    sentry.configure("", environment="production", release="parley@0")
    assert not sentry_sdk.get_client().is_active()


@pytest.mark.parametrize(
    "wrong", ["sentry.example.com", "https://sentry.example.com/7", "ftp://key@host/7", "https://key@host"]
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    assert not sentry.is_address(wrong)
    assert sentry.is_address("https://key@sentry.example.com/7")


def test_a_sentry_that_says_nothing_delays_nobody() -> None:
    """Who waited for it would wait half a minute."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://key@127.0.0.1:{silent.getsockname()[1]}/7"
        sentry.configure(address, environment="staging", release="parley@0")
        try:
            began = time.monotonic()
            structlog.get_logger().error("artifact missing")
            assert time.monotonic() - began < 10
        finally:
            sentry_sdk.get_client().close(timeout=0.1)
            sentry_sdk.get_global_scope().set_client(None)
