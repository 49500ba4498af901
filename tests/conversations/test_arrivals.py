import time
from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.chat.sessions import note_answered, note_said
from conversations.models import IntakePosition, IntakeSource, IntakeStream, TalkSession
from conversations.services.arrivals import arrivals
from environments.models import Environment
from environments.services.database import ensure_intake
from environments.services.environments import update_environment
from studio.jobs import heartbeat
from studio.jobs.models import Heartbeat
from tests.conversations.dead import CUT, make_letter
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_person, store_events

pytestmark = pytest.mark.django_db


def test_it_says_when_events_came_and_which_names_nobody_has():
    production = environment_of(make_assistant())
    now = timezone.now()
    IntakeSource.objects.create(
        kind="sql",
        name="t",
        assistant=production.assistant,
        environment=production,
        last_event_at=now,
        last_error="Full.",
    )
    store_events(production, *small_talk(sender="anna", start=time.time()), under="RASA_ENVIRONMENT_NOT_SET")
    seen = arrivals([production])[production.pk]
    assert (seen.last_at, seen.error, seen.strangers) == (now, "Full.", ("RASA_ENVIRONMENT_NOT_SET",))


def test_it_says_whether_events_are_taken_with_and_without_a_source():
    production = environment_of(make_assistant())
    for _ in range(2):
        Heartbeat.objects.all().delete()
        assert not arrivals([production])[production.pk].is_taken
        heartbeat.beat("ingest")
        assert arrivals([production])[production.pk].is_taken
        IntakeSource.objects.get_or_create(kind="sql", name="t", assistant=production.assistant, environment=production)


def talk_of(environment, sender, *, seconds_ago):
    session = TalkSession.objects.create(environment=environment, sender_id=sender, first_text="hello")
    at = timezone.now() - timedelta(seconds=seconds_ago)
    TalkSession.objects.filter(pk=session.pk).update(last_at=at, answered_at=at)
    return at


def missing_of(environment):
    return arrivals([environment])[environment.pk].missing_since


def test_an_answer_in_talk_whose_events_do_not_come_is_told_after_ten_seconds():
    production = environment_of(make_assistant())
    talk_of(production, "ben", seconds_ago=5)
    assert missing_of(production) is None
    at = talk_of(production, "anna", seconds_ago=20)
    assert missing_of(production) == at


def test_what_was_never_answered_is_not_missing():
    production = environment_of(make_assistant())
    session = TalkSession.objects.create(environment=production, sender_id="anna")
    note_said(session, "hello")
    TalkSession.objects.update(last_at=timezone.now() - timedelta(seconds=20))
    assert missing_of(production) is None
    note_answered(session, "hello")
    session.refresh_from_db()
    assert session.answered_at == session.last_at


def test_nothing_is_missing_once_the_events_came():
    production = environment_of(make_assistant())
    talk_of(production, "anna", seconds_ago=20)
    store_events(production, *small_talk(sender="anna", start=time.time() - 21))
    assert missing_of(production) is None


def test_letters_are_told_of_the_environment_that_they_came_from():
    cafe = make_assistant()
    production, worker = environment_of(cafe), environment_of(cafe, "worker")
    make_letter(production, CUT)
    make_letter(production, CUT)
    assert [arrivals([production, worker])[one.pk].dead for one in (production, worker)] == ["2 dead letters", ""]


def test_what_went_missing_long_ago_is_not_told_for_ever():
    production = environment_of(make_assistant())
    talk_of(production, "anna", seconds_ago=2 * 3600)
    assert missing_of(production) is None


def test_a_former_name_of_an_environment_is_no_strangers():
    production = environment_of(make_assistant())
    update_environment(actor=None, environment=production, name="live")
    store_events(production, *small_talk(sender="anna", start=time.time()), under="production")
    assert arrivals([production])[production.pk].strangers == ()


def kafka_of(environment, **facts):
    settings = {"servers": ["k:9092"], "topics": ["t"]}
    return IntakeSource.objects.create(
        kind="kafka", name="Kafka", assistant=environment.assistant, settings=settings, **facts
    )


def test_a_kafka_that_fails_before_it_brought_anything_is_told_where_nothing_else_brings_events():
    production = environment_of(make_assistant())
    store_events(production, *small_talk(sender="anna"))
    kafka_of(production, last_error="No answer.")
    worker = environment_of(production.assistant, "worker")
    seen = arrivals([production, worker])
    assert (seen[production.pk].error, seen[worker.pk].error) == ("", "No answer.")


def test_names_and_what_waits_are_told_of_the_environments_that_a_kafka_feeds():
    production = environment_of(make_assistant())
    store_events(production, *small_talk(sender="anna", start=time.time() - 3600))
    source = IntakeSource.objects.get()
    taken = ("rasa_core_events", 0, 0, 7), ("rasa_core_events", 1, 3, 5), ("rasa_core_events", 2, 9, 4)
    for topic, partition, reached, end in (*taken, ("former", 0, 0, 100)):
        IntakePosition.objects.create(
            source=source, topic=topic, partition=partition, next_offset=reached, end_offset=end
        )
    seen = arrivals([production])[production.pk]
    assert (seen.names, seen.lag) == (("production",), 9)


def opened(client, environment):
    """The tab that the connection page opens on, and whether its block is a Kafka's."""
    client.force_login(make_person("admin"))
    page = client.get(f"/a/{environment.assistant.slug}/environments/{environment.name}/connection")
    return page.context["chosen"], page.context["broker"] is not None


def test_the_connection_page_opens_on_what_brings_the_events(client):
    production = environment_of(make_assistant())
    assert opened(client, production) == ("sql", False)
    quiet, busy = kafka_of(production), kafka_of(production)
    assert opened(client, production) == (f"kafka-{quiet.pk}", True)  # nothing came yet
    IntakeStream.objects.create(
        source=busy,
        assistant=production.assistant,
        environment_name="production",
        newest_event_at=1.0,
        last_at=timezone.now(),
    )
    assert opened(client, production) == (f"kafka-{busy.pk}", True)


def test_the_connection_page_of_a_server_of_ours_opens_on_the_table(client):
    production = environment_of(make_assistant())
    kafka_of(production)
    access = ensure_intake(production)
    assert access is not None
    assert opened(client, production)[0].startswith("kafka")
    Environment.objects.filter(pk=production.pk).update(kind=Environment.Kind.MANAGED)
    assert opened(client, production) == ("sql", False)
