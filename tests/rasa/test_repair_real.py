"""History and repair against a real Rasa, whose event broker and tracker store are in our PostgreSQL as for a managed
server: what it published, what it keeps, what its API answers and what `rasa export` brings are the same events."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from conversations.ingest.loop import TablesLoop
from conversations.ingest.write import Stored
from conversations.models import CompletenessRun, Conversation, Event
from conversations.services import completeness, repair
from conversations.services.completeness import request_backfill, request_check
from environments.models import Environment
from environments.services.database import drop_intake, ensure_intake, events_access, tracker_access
from studio.crypto import encrypt
from studio.rasa.files import endpoints_yml
from studio.rasa.process import Spec
from studio.rasa.signing import chat_token
from tests.conversations.fake_rasa import FakeRasa
from tests.factories import environment_of, make_assistant
from tests.rasa_fixtures import RunningRasa, running_rasa, wait_for_end

pytestmark = pytest.mark.rasa

GUESTS = ["anna", "bert@example.com", "whatsapp:+4930", "ünï cödé", "no/body"]
SAID = ["hi", "how much is an espresso?", "book a table for 4 people tomorrow at 7pm", "cancel", "/restart", "bye 😀"]


@pytest.fixture
def production(transactional_db: None) -> Iterator[Environment]:
    environment = environment_of(make_assistant())
    ensure_intake(environment)
    yield environment
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {events_access(environment).schema}.events")
    assert drop_intake(environment)


@pytest.fixture
def endpoints(production: Environment) -> str:
    return endpoints_yml(
        event_broker=events_access(production).as_block(), tracker_store=tracker_access(production).as_block()
    )


@pytest.fixture
def rasa(
    production: Environment, endpoints: str, rasa_processes, trained_model: Path, tmp_path: Path, monkeypatch
) -> Iterator[RunningRasa]:
    """A server that knows five conversations, all of which came to us by its event broker."""
    monkeypatch.setattr(completeness, "SETTLED_SECONDS", 0.0)
    with running_rasa(rasa_processes, tmp_path / "rasa", endpoints=endpoints, model=trained_model) as server:
        Environment.objects.filter(pk=production.pk).update(
            kind="connected", url=server.url, server_token_encrypted=encrypt(server.token)
        )
        production.refresh_from_db()
        for guest in GUESTS:
            for text in SAID:
                server.client.send(chat_token(server.keys.private_pem, guest), text)
        assert ingested().added > 200
        yield server


def ingested() -> Stored:
    return TablesLoop(threading.Event()).drain()


def carried_out(run: CompletenessRun) -> CompletenessRun:
    while repair.work(run.pk):
        pass
    run.refresh_from_db()
    assert run.state == "done", run.message
    return run


def checked(production: Environment) -> CompletenessRun:
    return carried_out(request_check(actor=None, environment=production, since=None))


def test_what_is_lost_is_found_and_brought_in_again(production: Environment, rasa: RunningRasa):
    whole = checked(production)
    assert (whole.events_missing, whole.events_extra, whole.events_there) == (0, 0, Event.objects.count())
    assert whole.lists_senders and whole.conversations_compared == len(GUESTS)
    lost = [row.pk for at, row in enumerate(Event.objects.order_by("conversation", "timestamp")) if at % 5 == 2]
    Event.objects.filter(pk__in=lost).delete()
    Conversation.objects.filter(sender_id__in=["bert@example.com", "ünï cödé"]).delete()
    gone = whole.events_there - Event.objects.count()
    check = checked(production)
    assert (check.events_missing, check.conversations_unknown) == (gone, 2)
    assert carried_out(request_backfill(actor=None, run=check)).events_added == gone
    again = checked(production)
    assert (again.events_missing, again.events_there) == (0, whole.events_there)
    store_reset(production)
    forgotten = checked(production)
    assert (forgotten.events_there, forgotten.events_missing) == (0, 0)
    assert forgotten.events_extra == whole.events_there - unasked_events()


def store_reset(production: Environment) -> None:
    """The server forgets everything, and makes up whatever it is asked for."""
    access = tracker_access(production)
    with session(production) as tracker_store:
        tracker_store.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(access.schema, "events")))


def unasked_events() -> int:
    return Event.objects.filter(conversation__sender_id="ünï cödé").count()


def session(production: Environment) -> psycopg.Connection:
    access = tracker_access(production)
    return psycopg.connect(
        host=access.host, port=access.port, dbname=access.name, user=access.username, password=access.password
    )


def brought(where: object, production: Environment, *options: str) -> str:
    out = io.StringIO()
    call_command("import_events", str(where), "--assistant", production.assistant.slug, *options, stdout=out)
    return out.getvalue().splitlines()[-2]


def test_every_way_brings_the_same_events(
    production: Environment, endpoints: str, rasa: RunningRasa, rasa_processes, tmp_path: Path
):
    count = Event.objects.count()
    known = f"0 new, {count} known already, 0 unreadable"
    access = tracker_access(production)
    url = f"postgresql://{access.username}:{access.password}@{access.host}:{access.port}/{access.name}"
    assert known in brought(url, production)
    askable = [guest for guest in GUESTS if guest != "ünï cödé"]
    trackers = [rasa.client.tracker(guest) for guest in askable]
    (tmp_path / "trackers.json").write_text(json.dumps(trackers, indent=1))
    assert f"0 new, {count - unasked_events()} known already, 0 unreadable" in brought(
        tmp_path / "trackers.json", production
    )
    exported(rasa_processes, tmp_path / "export", endpoints)
    assert ingested() == Stored(known=count)
    assert Event.objects.count() == count


def exported(processes, folder: Path, endpoints: str) -> None:
    folder.mkdir()
    (folder / "endpoints.yml").write_text(endpoints)
    arguments = ("export", "--endpoints", str(folder / "endpoints.yml"))
    handle = processes.start(Spec(arguments, folder, folder / "export.log"))
    status = wait_for_end(processes, handle, 180)
    assert status.code == 0, (folder / "export.log").read_text()


def test_the_fake_is_as_the_real_one(rasa: RunningRasa):
    """In what it answers for a conversation that it knows, and for one that it makes up."""
    fake = FakeRasa()
    try:
        fake.hold(*(one | {"sender_id": "anna"} for one in rasa.client.tracker("anna")["events"]))
        client = type(rasa.client)(fake.url, "their-token", hosts=("127.0.0.1",))
        assert client.tracker("anna")["events"] == rasa.client.tracker("anna")["events"]
        for server in (client, rasa.client):
            assert made_up(server.tracker) != made_up(server.tracker)
        assert shape(client.tracker("nobody")) == shape(rasa.client.tracker("nobody"))
    finally:
        fake.close()


def made_up(tracker: Callable[[str], dict]) -> list[float]:
    time.sleep(0.001)
    return [event["timestamp"] for event in tracker("nobody")["events"]]


def shape(tracker: dict) -> list[tuple[str, object]]:
    return [(event["event"], event.get("name")) for event in tracker["events"]]
