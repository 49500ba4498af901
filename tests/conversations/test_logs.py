"""A conversation from its first word to its end, with all that can go wrong: its ids are logged, its words never."""

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.db import connection, transaction

from conversations.ingest.loop import TablesLoop
from conversations.models import Conversation, TalkSession
from environments.models import Promotion
from environments.services.database import ensure_intake
from environments.services.promotion import promote
from studio import logs
from studio.jobs import queues, schedule
from studio.jobs.worker import HorseWorker
from tests.conversations.events import small_talk, user
from tests.conversations.fake_channel import Channel, say
from tests.factories import make_model
from tests.rasa.servers import Reply

pytestmark = pytest.mark.django_db
WORDS = "my card is zq4711-zq0815"  # ports and ids hold any four digits
ANSWER = "your card ends in zq0815"
SENDER = "+49 171 zq4711 Zoë"  # Django escapes what is no ASCII of an address that it logs
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Lines:
    """Everything that is logged from now on at any level, as JSON lines."""
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler, root = Kept(logging.DEBUG), logging.getLogger()
    handler.setFormatter(logs.formatter(json=True))
    handler.addFilter(logs.WithoutSenders())
    level, django_level = root.level, logging.getLogger("django").level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("django.db.backends").setLevel(logging.INFO)  # statements are for a developer's own machine
    yield lambda: [json.loads(line) for line in written]
    root.removeHandler(handler)
    root.setLevel(level)
    logging.getLogger("django").setLevel(django_level)
    assert [line for line in written if "zq4711" in line or "zq0815" in line] == []


def test_talking_to_a_server_that_fails_in_every_way(client, person, channel: Channel, assistant, environment, lines):
    base = f"/a/{assistant.slug}/talk/production/"
    client.get(base)
    channel.replies = [{"recipient_id": "x", "text": ANSWER}]
    answer = say(client, f"{base}say", WORDS)
    assert answer.status_code == 200
    talk = TalkSession.objects.get()
    for reply in (
        Reply(500, f"crash at {WORDS}"),
        Reply(200, f"no JSON: {WORDS}"),
        Reply(404, WORDS),
        Reply(401, WORDS),
    ):
        channel.reply = reply
        say(client, f"{base}{talk.sender_id}/say", WORDS)
    client.get(f"/a/{assistant.slug}/conversations/", {"q": WORDS})
    client.get(f"/a/{assistant.slug}/talk/production/{SENDER}")
    failed = [line for line in lines() if line["event"] == "chat not answered"]
    assert len(failed) >= 3
    assert {(line["talk"], line["environment"]) for line in failed} == {(talk.pk, environment.pk)}
    assert all(len(line["request_id"]) == 32 for line in failed)
    assert any("/talk/production/..." in line["event"] for line in lines())  # not found, and whose it was is not said


@pytest.mark.django_db(transaction=True)
def test_events_that_cannot_be_stored(environment, assistant, lines, redis_client):
    """PostgreSQL quotes the row that it refuses, and the line of a COPY that it stumbles over."""
    access = ensure_intake(environment)
    with connection.cursor() as cursor:
        for record in (f"no JSON: {WORDS}", json.dumps(user(WORDS, 1_790_000_000.0, sender=SENDER))):
            cursor.execute(f"INSERT INTO {access.schema}.events (sender_id, data) VALUES (%s, %s)", [SENDER, record])
        cursor.execute(
            "ALTER TABLE conversations_conversation ADD CONSTRAINT nobody CHECK (first_text NOT LIKE '%%card%%')"
        )
    try:
        TablesLoop(threading.Event()).drain()
        log = structlog.get_logger()
        for statement in (
            "UPDATE conversations_deadletter SET place = repeat(reason, 99), fault = convert_from(record, 'UTF8')",
            f"SELECT '{WORDS}'::int",
            f"SELECT '{WORDS}' || nothing_of_that_name",
        ):
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(statement)
            except Exception as error:
                log.exception("refused", error=str(error).strip())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE conversations_conversation DROP CONSTRAINT nobody")
    refused = [line for line in lines() if line["event"] == "refused"]
    assert len(refused) == 3
    assert all("Traceback" in line["exception"] and "psycopg" in line["exception"] for line in refused)


def test_reading_a_conversation(client, person, assistant, stored, lines, monkeypatch):
    stored(*small_talk(sender=SENDER), user(WORDS, 1_790_000_002.0, sender=SENDER))
    row = Conversation.objects.get(sender_id=SENDER)
    client.raise_request_exception = False
    monkeypatch.setattr("conversations.views.conversation.render", None)
    assert client.get(f"/a/{assistant.slug}/conversations/{row.pk}").status_code == 500
    failed = [line for line in lines() if "exception" in line]
    assert {line["conversation"] for line in failed} == {row.pk}


def test_a_promotion_is_followed_by_its_id(environment, lines, django_capture_on_commit_callbacks, redis_client):
    model = make_model(environment.assistant)
    with django_capture_on_commit_callbacks(execute=True):
        promote(actor=None, environment=environment, model=model)
    pk = Promotion.objects.get().pk
    moved = [line for line in lines() if line["event"] == "promotion reached a state"]
    assert [(line["promotion"], line["state"]) for line in moved] == [(pk, "requested"), (pk, "switched")]


def fails(number: int) -> None:
    structlog.get_logger().warning("works on it", number=number)
    raise ValueError


@pytest.mark.django_db(transaction=True)
def test_a_job_carries_the_id_of_the_request_that_asked_for_it(lines, redis_client, capfd):
    with structlog.contextvars.bound_contextvars(request_id="asked-4"), transaction.atomic():
        queues.enqueue(queues.BACKGROUND, f"{__name__}.fails", 7)
    queue = queues.queue(queues.BACKGROUND)
    (job,) = queue.get_jobs()
    worker = HorseWorker([queue], connection=queue.connection, serializer=queue.serializer)
    assert worker.perform_job(job, queue) is False
    (line,) = [line for line in lines() if line["event"] == "works on it"]
    assert (line["request_id"], line["job_id"], line["function"]) == ("asked-4", job.id, f"{__name__}.fails")


def test_what_one_piece_of_periodic_work_is_about_is_not_said_of_the_next(lines, monkeypatch):
    log = structlog.get_logger()

    def promotes() -> None:
        structlog.contextvars.bind_contextvars(promotion=4)
        log.info("first")

    tasks = {
        one.name: one for one in (schedule.Task("a", promotes, 1), schedule.Task("b", lambda: log.info("second"), 1))
    }
    monkeypatch.setattr(schedule, "_tasks", tasks)
    schedule.run_due(10.0)
    log.info("third")
    said = {line["event"]: (line.get("task"), line.get("promotion")) for line in lines() if "timestamp" in line}
    assert said == {"first": ("a", 4), "second": ("b", None), "third": (None, None)}
