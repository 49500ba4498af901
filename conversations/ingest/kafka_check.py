"""Trying a Kafka cluster's settings before anything depends on them: what is wrong, each in its own sentence.

Takes seconds while something does not answer, so never within a transaction. Nothing joins the group and nothing is
taken.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from conversations.ingest.kafka_greeting import failures, said
from conversations.ingest.kafka_settings import KafkaSettings, client_options

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
        topics = tuple(_topics(well))
    except Unusable as error:
        return Checked(problem=str(error), warnings=tuple(found.values()))
    problems = tuple(topic.problem for topic in topics if topic.problem)
    usable = tuple(topic for topic in topics if not topic.problem)
    if not usable:
        return Checked(problem=" ".join(problems), warnings=tuple(found.values()))
    return Checked(warnings=(*found.values(), *problems), topics=usable)


def _topics(settings: KafkaSettings) -> Iterator[TopicFound]:
    with closing(_connected(settings)) as consumer:
        try:
            there = consumer.topics()
            for name in settings.topics:
                yield _look_into(consumer, settings, name, there)
            _ask_for_group(consumer, settings)
        except KafkaError as error:
            raise Unusable(_why(error, settings)) from None


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
        raise Unusable(_why(error, settings)) from None


def _look_into(consumer: KafkaConsumer, settings: KafkaSettings, name: str, there: set[str]) -> TopicFound:
    numbers = consumer.partitions_for_topic(name)
    if not numbers:
        return TopicFound(name, problem=_no_topic(name, there, settings))
    places = [TopicPartition(name, number) for number in sorted(numbers)]
    try:
        first = consumer.beginning_offsets(places, timeout_ms=CALL_MILLISECONDS)
        last = consumer.end_offsets(places, timeout_ms=CALL_MILLISECONDS)
    except AuthorizationError:
        return TopicFound(name, problem=f"{_whom(settings)} may not read the topic {name}: it needs READ on it.")
    return TopicFound(name, len(places), sum(last[place] - first[place] for place in places))


def _no_topic(name: str, there: set[str], settings: KafkaSettings) -> str:
    others = sorted(one for one in there if not one.startswith("__"))
    if not others:
        told = f"{_whom(settings)} sees no topic at all: it may need DESCRIBE and READ." if settings.uses_sasl else ""
        return f"There is no topic {name} yet. {told or 'Rasa’s first event makes it where Kafka allows that.'}"
    more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
    return f"There is no topic {name}. There are {', '.join(others[:MOST_NAMES])}{more}."


def _ask_for_group(consumer: KafkaConsumer, settings: KafkaSettings) -> None:
    """Where the group stands is of no interest; whether we are told is."""
    try:
        consumer.committed(TopicPartition(settings.topics[0], 0), timeout_ms=CALL_MILLISECONDS)
    except AuthorizationError:
        raise Unusable(f"{_whom(settings)} may not use the group {settings.group}: it needs READ on it.") from None
    except KafkaError:
        return  # a cluster that was just started looks for its coordinator; the ingest process waits for that


def _why(error: Exception, settings: KafkaSettings) -> str:
    where = ", ".join(settings.servers)
    if isinstance(error, AuthorizationError):
        return f"{_whom(settings)} is not authorised: {said(error)}."
    if isinstance(error, ValueError):
        return f"These settings cannot be used: {said(error)}."
    return (
        f"{where} answers, and no broker of its cluster does. They must be reachable at the addresses that the cluster "
        "names (advertised.listeners); PARLEY_RASA_HOSTS must list those that are private."
    )


def _whom(settings: KafkaSettings) -> str:
    return f"The user {settings.sasl_username}" if settings.uses_sasl else "Whoever connects without a name"
