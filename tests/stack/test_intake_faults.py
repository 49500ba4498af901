"""Whatever is killed, comes twice, comes wrong or goes away: nothing is lost, nothing is doubled, all counts are right."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from conversations.ingest.kafka_settings import KafkaSettings
from tests.conversations.events import raw, small_talk, user
from tests.stack.kafka import Kafka, running
from tests.stack.stage import STOP_SECONDS, Stage, stage

pytestmark = [
    pytest.mark.stack,
    pytest.mark.faults,
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STEPS = (
    "before decoding",
    "before the batch is handed over",
    "before it is stored",
    "before its events",
    "after its events",
    "before the position",
    "before the commit",
    "after the commit",
    "before the group is told",
    "after the group was told",
)


@pytest.fixture(scope="module")
def the_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage")) as made:
        made.add_source(KafkaSettings(servers=("127.0.0.1:1",), topics=("none",)))
        yield made


@pytest.fixture
def topic(kafka: Kafka, the_stage: Stage) -> Iterator[str]:
    """A topic of its own, and a source that has taken nothing of it; no conversation is left from another test."""
    name = f"rasa-{uuid4().hex[:8]}"
    kafka.make_topic(name)
    the_stage.write(
        "TRUNCATE conversations_event, conversations_conversation, conversations_deadletter, conversations_intakestream,"
        " conversations_searchentry, conversations_tally, conversations_tallyentry, conversations_nametally,"
        " conversations_nameentry CASCADE"
    )
    the_stage.write("DELETE FROM conversations_intakeposition")
    the_stage.write("DELETE FROM conversations_intakeincident")
    settings = json.dumps({"servers": [kafka.servers], "topics": [name], "group": name})
    the_stage.write(
        "UPDATE conversations_intakesource SET settings = settings || %s::jsonb, alarm = '', accepts_invalid = false,"
        " events_total = 0, known_total = 0, settings_version = settings_version + 1",
        settings,
    )
    yield name
    for process in the_stage.running:
        if process.poll() is None:
            process.kill()
            process.wait()
    the_stage.running.clear()


def talks(count: int, start: int = 0) -> list[bytes]:
    """Eight events of each of so many people."""
    return [line for number in range(start, start + count) for line in raw(*small_talk(sender=f"s{number}"))]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_of_a_batch(step: str, kafka: Kafka, topic: str, the_stage: Stage):
    kafka.publish(topic, talks(40))
    dying = the_stage.ingest("-m", "tests.stack.dying", step)
    dying.wait(120)
    assert dying.returncode == -signal.SIGKILL
    the_stage.ingest()
    the_stage.has(320)
    the_stage.is_right()
    assert the_stage.one("SELECT sum(next_offset) FROM conversations_intakeposition") == 320


def test_the_broker_is_killed_and_comes_back(topic: str, the_stage: Stage, tmp_path: Path):
    with running() as own:
        own.make_topic(topic)
        the_stage.write(
            "UPDATE conversations_intakesource SET settings = settings || %s::jsonb,"
            " settings_version = settings_version + 1",
            json.dumps({"servers": [own.servers]}),
        )
        own.publish(topic, talks(40))
        ingest = the_stage.ingest()
        the_stage.has(320)
        own.kill()
        said = "SELECT last_error FROM conversations_intakesource"
        told = ("does not answer", "refused the connection")  # the one becomes the other after a second
        the_stage.eventually(lambda: any(words in the_stage.one(said) for words in told))
        own.start()
        own.publish(topic, talks(40, start=40))
        the_stage.has(640)
        the_stage.eventually(lambda: the_stage.one(said) == "")
        assert ingest.poll() is None
        the_stage.is_right()


def test_the_database_is_killed_in_the_middle_and_comes_back(kafka: Kafka, topic: str, the_stage: Stage):
    kafka.publish(topic, talks(500))
    ingest = the_stage.ingest("-m", "tests.stack.small_batches")
    the_stage.eventually(lambda: the_stage.events() > 200)
    the_stage.kill_database()
    time.sleep(2)
    the_stage.start_database()
    the_stage.has(4000)
    assert ingest.poll() is None
    assert the_stage.one("SELECT count(*) FROM conversations_deadletter") == 0
    the_stage.is_right()


def test_a_process_that_stands_still_with_a_batch_half_stored_holds_up_nobody(
    kafka: Kafka, topic: str, the_stage: Stage
):
    """PostgreSQL undoes what it holds, the group gives its partitions away, and when it goes on it changes nothing."""
    kafka.publish(topic, talks(500))
    first = the_stage.ingest("-m", "tests.stack.small_batches")
    the_stage.eventually(lambda: the_stage.events() > 200)
    stop_within_a_transaction(first, the_stage)
    the_stage.ingest()
    the_stage.has(4000)
    first.send_signal(signal.SIGCONT)
    kafka.publish(topic, talks(40, start=500))
    the_stage.has(4320)
    assert first.poll() is None
    the_stage.is_right()


def test_a_process_that_stands_still_while_it_sends_a_batch_holds_up_nobody(kafka: Kafka, topic: str, the_stage: Stage):
    """PostgreSQL waits for the rest of a COPY for ever, so nothing may be locked by then."""
    kafka.publish(topic, talks(100))
    first = the_stage.ingest("-m", "tests.stack.standing")
    the_stage.eventually(lambda: psutil.Process(first.pid).status() == psutil.STATUS_STOPPED)
    sending = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, 'COPY incoming')"
    the_stage.eventually(lambda: the_stage.one(sending) == 1)
    the_stage.ingest()
    the_stage.has(800, seconds=120)
    first.send_signal(signal.SIGCONT)
    kafka.publish(topic, talks(40, start=100))
    the_stage.has(1120)
    assert first.poll() is None
    the_stage.is_right()


def stop_within_a_transaction(process: subprocess.Popen[bytes], the_stage: Stage) -> None:
    while True:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        if the_stage.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def test_a_third_process_joins_and_leaves_in_the_middle(kafka: Kafka, topic: str, the_stage: Stage):
    kafka.publish(topic, talks(600))
    first = the_stage.ingest("-m", "tests.stack.small_batches")
    the_stage.eventually(lambda: the_stage.events() > 100)
    second = the_stage.ingest("-m", "tests.stack.small_batches")
    the_stage.eventually(lambda: the_stage.events() > 1500)
    second.terminate()
    second.wait(60)
    the_stage.has(4800)
    assert first.poll() is None
    the_stage.is_right()


def test_everything_twice_and_in_any_order(kafka: Kafka, topic: str, the_stage: Stage):
    lines = talks(100) * 2
    random.Random(1).shuffle(lines)
    kafka.publish(topic, lines)
    the_stage.ingest()
    the_stage.eventually(lambda: the_stage.one("SELECT sum(next_offset) FROM conversations_intakeposition") == 1600)
    the_stage.has(800)
    assert the_stage.row("SELECT events_total, known_total FROM conversations_intakesource") == (800, 800)
    the_stage.is_right()


def test_one_poison_in_ten_thousand(kafka: Kafka, topic: str, the_stage: Stage):
    lines = talks(1250)
    lines.insert(6000, b'{"sender_id": "x", "event": "user"}')
    kafka.publish(topic, lines)
    the_stage.ingest()
    the_stage.has(10_000)
    assert the_stage.row("SELECT fault, place FROM conversations_deadletter") == ("missing", "timestamp")
    the_stage.is_right()


def test_nothing_but_poison_is_an_alarm_and_fills_no_table(kafka: Kafka, topic: str, the_stage: Stage):
    kafka.publish(topic, [b"\x00\xff poison"] * 3000)
    ingest = the_stage.ingest()
    the_stage.eventually(lambda: the_stage.one("SELECT alarm FROM conversations_intakesource") != "")
    assert the_stage.one("SELECT count(*) FROM conversations_deadletter") <= 500
    the_stage.write("UPDATE conversations_intakesource SET alarm = '', accepts_invalid = true")
    the_stage.eventually(lambda: the_stage.one("SELECT count(*) FROM conversations_deadletter") == 3000)
    kafka.publish(topic, talks(250))
    the_stage.has(2000)
    the_stage.eventually(lambda: the_stage.one("SELECT accepts_invalid FROM conversations_intakesource") is False)
    assert ingest.poll() is None


def strange() -> list[bytes]:
    """What a channel, a client or a broken clock can make of an event."""
    odd = [
        user("x" * 5_000_000, 1.0, sender="large"),
        user("hi", 1.0, sender="s" * 10_000),
        user("NUL \x00", 1.0, sender="nul\x00"),
        user("\ud83d", 1.0, sender="lone \ud83d"),
        user("hi", -62_135_596_800.0, sender="year 1"),
        user("hi", 253_402_300_799.0, sender="year 9999"),
        user("hi", 1.0, sender="nan", confidence=float("nan")),
    ]
    return raw(*odd)


def test_strange_events_are_stored_whole(kafka: Kafka, topic: str, the_stage: Stage):
    kafka.publish(topic, [*talks(10), *strange(), *talks(10, start=10)])
    the_stage.ingest()
    the_stage.has(160 + len(strange()))
    assert the_stage.one("SELECT count(*) FROM conversations_deadletter") == 0
    the_stage.is_right()


def test_redis_is_flushed_and_the_whole_history_comes_again(kafka: Kafka, topic: str, the_stage: Stage):
    kafka.publish(topic, talks(100))
    ingest = the_stage.ingest()
    the_stage.has(800)
    the_stage.flush_redis()
    kafka.publish(topic, talks(100))
    the_stage.eventually(lambda: the_stage.one("SELECT sum(next_offset) FROM conversations_intakeposition") == 1600)
    the_stage.has(800)
    began = time.monotonic()
    ingest.terminate()
    ingest.wait(60)
    assert time.monotonic() - began < 3 * STOP_SECONDS  # of a busy machine
    the_stage.is_right()
