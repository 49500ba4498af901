"""What is said of a source, and that nobody is alarmed by a quiet night."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import IntakePosition, IntakeSource, TalkSession
from conversations.services.freshness import Facts, freshness_of, judge, sources_of
from environments.models import Environment
from studio.jobs import heartbeat
from tests.conversations.events import small_talk
from tests.factories import make_assistant, store_events

NOW = timezone.now()


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def row(**changes: Any) -> IntakeSource:
    facts = {
        "kind": "kafka",
        "created_at": ago(days=9),
        "heartbeat_at": NOW,
        "last_event_at": NOW,
        "newest_event_at": NOW.timestamp(),
    }
    return IntakeSource(**(facts | changes))


def waiting(lag: int, moved_at: datetime) -> list[IntakePosition]:
    return [IntakePosition(next_offset=0, end_offset=lag, moved_at=moved_at)]


def said(source: IntakeSource, **facts: Any) -> tuple[str, str]:
    now = judge(source, Facts(**facts), NOW)
    return now.status, now.word


def test_a_source_that_is_well_is_current():
    assert said(row()) == ("running", "Current")


def test_what_stops_it_is_said_in_the_order_in_which_it_matters():
    trouble = {"alarm": "501 of 1000.", "last_error": "No answer."}
    assert said(row(is_on=False, **trouble)) == ("silent", "Off")
    assert said(row(**trouble)) == ("failed", "Stopped by alarm")
    assert said(row(last_error="No answer."), is_ingesting=False) == ("failed", "Failing")
    assert said(row(), is_ingesting=False) == ("failed", "Not taken")
    assert said(row(heartbeat_at=None)) == ("busy", "Starting")
    assert said(row(heartbeat_at=ago(minutes=5))) == ("warning", "Not looked at")


def test_a_busy_source_is_not_behind_by_what_is_just_on_its_way():
    assert said(row(), positions=waiting(400, NOW)) == ("running", "Current")


def test_it_catches_up_while_records_of_long_ago_are_stored():
    late = row(newest_event_at=ago(hours=3).timestamp())
    assert said(late, positions=waiting(400, NOW)) == ("busy", "Catching up")


def test_records_that_wait_while_none_is_taken_are_suspicious():
    late = row(newest_event_at=ago(hours=3).timestamp())
    assert said(late, positions=waiting(400, ago(minutes=5))) == ("warning", "Suspicious")


def test_nobody_talking_is_no_trouble():
    quiet = row(last_event_at=ago(days=3), newest_event_at=ago(days=3).timestamp())
    assert said(quiet) == ("silent", "Silent")
    assert said(row(last_event_at=None, newest_event_at=None)) == ("silent", "Nothing yet")


def test_an_answer_whose_events_are_missing_is_suspicious():
    assert said(row(), missing_since=ago(minutes=1)) == ("warning", "Suspicious")


def test_letters_that_wait_are_told_also_of_a_source_that_stored_nothing_yet():
    assert said(row(last_event_at=None, newest_event_at=None), dead=4) == ("warning", "4 dead letters")
    assert said(row(), dead=1) == ("warning", "1 dead letter")
    assert said(row(), dead=100) == ("warning", "More than 99 dead letters")
    assert said(row(), dead=4, missing_since=ago(minutes=1)) == ("warning", "Suspicious")


@pytest.fixture
def kafka(environment: Environment) -> IntakeSource:
    heartbeat.beat("ingest")
    return IntakeSource.objects.create(
        kind="kafka",
        name="Kafka",
        assistant=environment.assistant,
        settings={"servers": ["k:9092"], "topics": ["t"]},
        heartbeat_at=timezone.now(),
    )


def talked(environment: Environment, sender: str, **span: float) -> None:
    session = TalkSession.objects.create(environment=environment, sender_id=sender, first_text="hello")
    at = timezone.now() - timedelta(**span)
    TalkSession.objects.filter(pk=session.pk).update(last_at=at, answered_at=at)


def test_a_source_that_never_brought_anything_although_somebody_talked_is_suspicious(kafka, environment):
    IntakeSource.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert freshness_of(kafka).word == "Nothing yet"
    talked(environment, "anna", days=1)
    kafka.refresh_from_db()
    assert freshness_of(kafka).word == "Suspicious"
    store_events(environment, *small_talk(sender="anna", start=time.time() - 24 * 3600))
    assert freshness_of(kafka).word == "Nothing yet"


def test_talks_from_before_a_source_was_added_say_nothing_about_it(kafka, environment):
    talked(environment, "anna", days=1)
    assert freshness_of(kafka).word == "Nothing yet"


def test_a_talk_of_an_environment_that_another_source_feeds_says_nothing(kafka, environment):
    IntakeSource.objects.update(created_at=timezone.now() - timedelta(days=2))
    store_events(environment, *small_talk(sender="ben"))
    talked(environment, "anna", minutes=5)
    kafka.refresh_from_db()
    words = {one.name: freshness_of(one).word for one in sources_of(environment.assistant)}
    assert words["Kafka"] == "Nothing yet"


def test_only_topics_that_are_taken_from_now_count(kafka):
    for topic, end in (("t", 3), ("former", 900)):
        IntakePosition.objects.create(source=kafka, topic=topic, partition=0, next_offset=0, end_offset=end)
    assert freshness_of(kafka).lag == 3


def test_the_list_of_sources_is_of_one_assistant(kafka):
    assert sources_of(make_assistant("inn", "Inn")) == []
    assert sources_of(kafka.assistant) == [kafka]
