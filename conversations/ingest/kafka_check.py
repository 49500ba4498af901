"""Trying a Kafka cluster's settings before anything depends on them: what is wrong, each in its own sentence.

Takes seconds while something does not answer, so never within a transaction. Nothing joins the group and nothing is
taken.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from conversations.ingest.kafka_greeting import failures
from conversations.ingest.kafka_settings import KafkaSettings, client_options
from conversations.ingest.kafka_words import explain

CALL_MILLISECONDS = 4000
MOST_NAMES = 6


class Unusable(Exception):
    """Why nothing can be taken with these settings; a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class TopicFound:
    name: str
    partitions: int = 0
    records: int = 0
    problem: str = ""  # why nothing can be taken from it


@dataclass(frozen=True, slots=True)
class Checked:
    """`problem` is why nothing can be taken; `warnings` are about single servers and topics."""

    problem: str = ""
    warnings: tuple[str, ...] = ()
    topics: tuple[TopicFound, ...] = ()
    is_new: bool = False  # what is wrong is only that nothing was ever written there

    @property
    def records(self) -> int:
        return sum(topic.records for topic in self.topics)


def check(settings: KafkaSettings) -> Checked:
    """Whether events can be taken. The user's password is tried once at each server."""
    found = failures(settings)
    if len(found) == len(settings.servers):
        return Checked(problem=" ".join(dict.fromkeys(found.values())))
    well = replace(settings, servers=tuple(server for server in settings.servers if server not in found))
    try:
        there, topics = _look_into(well)
    except Unusable as error:
        return Checked(problem=str(error), warnings=tuple(found.values()))
    problems = tuple(topic.problem for topic in topics if topic.problem)
    usable = tuple(topic for topic in topics if not topic.problem)
    if not usable:
        return Checked(problem=" ".join(problems), warnings=tuple(found.values()), is_new=not there)
    return Checked(warnings=(*found.values(), *problems), topics=usable)


def _look_into(settings: KafkaSettings) -> tuple[list[str], tuple[TopicFound, ...]]:
    """The names of all topics that are there, and what the wanted ones hold."""
    with closing(_connected(settings)) as consumer:
        try:
            there = of_people(consumer.topics())
            return there, tuple(_topic(consumer, name, there) for name in settings.topics)
        except KafkaError as error:
            raise Unusable(explain(error, settings, has_answered=True)) from None


def _connected(settings: KafkaSettings) -> KafkaConsumer:
    try:
        return KafkaConsumer(
            **client_options(settings),
            group_id=settings.group,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            bootstrap_timeout_ms=CALL_MILLISECONDS,
            request_timeout_ms=CALL_MILLISECONDS,
            session_timeout_ms=CALL_MILLISECONDS - 1000,
            heartbeat_interval_ms=1000,
        )
    except (KafkaError, ValueError, OSError) as error:
        raise Unusable(explain(error, settings, has_answered=True)) from None


def of_people(names: Iterable[str]) -> list[str]:
    """Without those that Kafka makes for itself: none while nobody has talked to a Rasa of a new cluster."""
    return sorted(name for name in names if not name.startswith("__"))


def _topic(consumer: KafkaConsumer, name: str, there: Sequence[str]) -> TopicFound:
    numbers = consumer.partitions_for_topic(name)
    if not numbers:
        return TopicFound(name, problem=missing(name, there))
    places = [TopicPartition(name, number) for number in sorted(numbers)]
    first = consumer.beginning_offsets(places, timeout_ms=CALL_MILLISECONDS)
    last = consumer.end_offsets(places, timeout_ms=CALL_MILLISECONDS)
    return TopicFound(name, len(places), sum(last[place] - first[place] for place in places))


def missing(name: str, there: Sequence[str]) -> str:
    """What is said of a topic that is not `there`."""
    if not there:
        return f"There is no topic {name} yet. Rasa’s first event makes it where Kafka allows that."
    more = f" and {len(there) - MOST_NAMES} more" if len(there) > MOST_NAMES else ""
    return f"There is no topic {name}. There are {', '.join(there[:MOST_NAMES])}{more}."
