"""What /metrics tells of the intake of events, and that it tells nothing of what people say."""

import threading

import pytest
from django.db import connection

from conversations import metrics
from conversations.ingest.loop import TablesLoop
from conversations.models import DeadLetter, DeadLetterRun, IntakePosition, IntakeSource
from environments.services.database import ensure_intake
from studio.jobs.heartbeat import beat
from tests.conversations.events import small_talk, user
from tests.factories import source_of
from tests.scraping import scraped

__all__ = ["scraped"]
SECRET_WORDS = "my number is 555-4711"


def told(reader) -> dict[tuple[str, ...], float]:
    return {(one.family.name, *one.labels): one.value for one in reader()}


@pytest.fixture
def kafka(assistant) -> IntakeSource:
    return source_of(assistant)


def test_a_source_tells_what_it_brought_how_fresh_it_is_and_what_waits(assistant, kafka, stored) -> None:
    beat("ingest")
    stored(*small_talk())
    stored(*small_talk())
    IntakePosition.objects.create(source=kafka, topic="rasa_core_events", partition=0, next_offset=7, end_offset=50)
    IntakePosition.objects.create(source=kafka, topic="a former topic", partition=0, next_offset=7, end_offset=5000)
    kafka.refresh_from_db()
    found = told(metrics.intake)
    labels = assistant.slug, "test", str(kafka.pk)
    assert found["parley_ingest_records_total", *labels, "new"] == kafka.events_total > 0
    assert found["parley_ingest_records_total", *labels, "known"] == kafka.events_total
    assert found["parley_ingest_lag_records", *labels] == 43
    assert found["parley_ingest_newest_event_timestamp_seconds", *labels] == kafka.newest_event_at
    assert found["parley_ingest_last_stored_timestamp_seconds", *labels] == kafka.last_event_at.timestamp()


@pytest.mark.parametrize(("changes", "up"), [({}, 1), ({"alarm": "501 of 1000."}, 0), ({"last_error": "Away."}, 0)])
def test_a_source_that_cannot_be_taken_from_is_down(kafka, changes, up) -> None:
    beat("ingest")
    IntakeSource.objects.filter(pk=kafka.pk).update(**changes)
    found = told(metrics.intake)
    assert [value for series, value in found.items() if series[0] == "parley_ingest_source_up"] == [up]


@pytest.mark.django_db(transaction=True)
def test_what_waits_in_a_table_is_its_lag(environment) -> None:
    access = ensure_intake(environment)
    loop = TablesLoop(threading.Event())
    loop.drain()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {access.schema}.events (sender_id, data) VALUES ('a', 'no json'), ('b', 'none')")

    def lag() -> list[float]:
        found = told(metrics.intake)
        return [value for (name, *_), value in found.items() if name == "parley_ingest_lag_records"]

    assert lag() == [2]
    loop.drain()
    assert lag() == [0]


def test_dead_letters_are_counted_by_their_fault(assistant, stored, monkeypatch) -> None:
    stored(b"{", b"[]", b"[1]", b"[2]", b'{"event": "user"}')
    found = told(metrics.dead_letters)
    assert found["parley_dead_letters", assistant.slug, "not-json"] == 1
    assert found["parley_dead_letters", assistant.slug, "not-an-object"] == 3
    assert found["parley_dead_letters", assistant.slug, "too-deep"] == 0
    DeadLetter.objects.filter(fault="not-json").update(fault="of another version")
    DeadLetter.objects.filter(fault="missing").update(state=DeadLetter.State.DISCARDED)
    monkeypatch.setattr(metrics, "COUNTED", 2)
    found = told(metrics.dead_letters)
    assert found["parley_dead_letters", assistant.slug, "other"] == 1
    assert found["parley_dead_letters", assistant.slug, "not-an-object"] == 2
    assert found["parley_dead_letters", assistant.slug, "missing"] == 0


def test_work_on_conversations_is_told_while_it_is_open(assistant) -> None:
    run = DeadLetterRun.objects.create(assistant=assistant, act="retry", fault="not-json", up_to=1, total=1)
    found = {(one.kind, one.state): one.number for one in metrics.open_runs()}
    assert found["dead-letters", "waiting"] == 1
    assert found["export", "running"] == found["erasure", "counting"] == found["completeness", "waiting"] == 0
    DeadLetterRun.objects.filter(pk=run.pk).update(state="done")
    assert {one.number for one in metrics.open_runs()} == {0}


def test_batches_of_this_process_are_counted(scraped, environment, transactional_db) -> None:
    access = ensure_intake(environment)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {access.schema}.events (sender_id, data) VALUES ('a', 'no json')")
    TablesLoop(threading.Event()).drain()
    found = scraped()
    assert found["parley_ingest_process_records_total{kind=sql,outcome=dead}"] == 1
    assert found["parley_ingest_batch_duration_seconds_count{kind=sql}"] == 1


def test_nothing_of_what_people_say_is_told(client, scraped, settings, stored) -> None:
    settings.METRICS_TOKEN = "a-token-of-32-letters-for-prometheus"
    stored(*small_talk(sender="+49 555 saffron"), user(SECRET_WORDS, 1_790_000_002.0, sender="+49 555 saffron"))
    scraped()
    text = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).content.decode()
    assert "parley_ingest_records_total" in text
    assert SECRET_WORDS not in text and "saffron" not in text
