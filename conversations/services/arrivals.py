"""What environments' pages say of the events that come back, and of the Kafka that they can be sent to."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Exists, F, Func, JSONField, Q, Sum
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from conversations.ingest.kafka_settings import KafkaSettings, settings_of
from conversations.ingest.places import NOT_SET
from conversations.models import IntakeSource
from conversations.services.dead_letters import waiting_by, words_for
from conversations.services.freshness import environments_of, is_behind
from conversations.services.missing import missing_answers
from conversations.services.streams import Streams
from environments.models import Environment
from environments.services.arrivals import Arrivals, Broker
from models_app.models import Assistant
from studio.jobs import heartbeat
from studio.rasa.files import Env, Kafka

LATELY_SECONDS = 24 * 3600
MOST_STRANGERS = 5
# Of a source, how many records of the topics that it takes from now wait: those of former topics do not count.
_WAITING = Coalesce(
    Sum(
        Greatest(F("positions__end_offset") - F("positions__next_offset"), 0),
        filter=Q(settings__topics__contains=Func(F("positions__topic"), function="to_jsonb", output_field=JSONField())),
    ),
    0,
)
_FOLDER = "/etc/parley"  # where the block says that certificates are; teams put them where they like


def arrivals(environments: Iterable[Environment]) -> dict[int, Arrivals]:
    """Half a dozen queries, however many environments."""
    rows = list(environments)
    assistants = {row.assistant_id for row in rows}
    streams = Streams.of(assistants)
    seen, is_taken = _seen(assistants, streams)
    strangers = _strangers(streams)
    missing = missing_answers(row.pk for row in rows)
    dead = waiting_by("environment", [row.pk for row in rows])
    return {
        row.pk: Arrivals(
            last_at=max(seen[row.pk].came, default=(None, None))[0],
            came_by=max(seen[row.pk].came, default=(None, None))[1],
            error=next(iter(seen[row.pk].errors), ""),
            strangers=tuple(strangers[row.assistant_id][:MOST_STRANGERS]),
            missing_since=missing.get(row.pk),
            names=tuple(sorted(seen[row.pk].names)),
            lag=seen[row.pk].lag,
            dead=words_for(dead[row.pk]) if row.pk in dead else "",
            is_taken=is_taken,
        )
        for row in rows
    }


def brokers(assistant: Assistant) -> list[Broker]:
    """The Kafka sources whose events are this assistant's, as blocks of a Rasa server's endpoints.yml."""
    sources = IntakeSource.objects.filter(kind=IntakeSource.Kind.KAFKA, removed_at=None, assistant=assistant)
    return [Broker(str(one.pk), one.name, _block(settings_of(one))) for one in sources.order_by("name", "pk")]


def _block(settings: KafkaSettings) -> Kafka:
    """Rasa's user is another than ours, who only reads; so are its certificate and key."""
    tls = settings.uses_tls
    return Kafka(
        servers=",".join(settings.servers),
        topic=settings.topics[0],
        security_protocol=settings.security_protocol,
        mechanism=settings.sasl_mechanism,
        username=Env("KAFKA_USERNAME") if settings.uses_sasl else None,
        password=Env("KAFKA_PASSWORD") if settings.uses_sasl else None,
        ca_file=f"{_FOLDER}/kafka-ca.pem" if tls and settings.ssl_ca else None,
        certificate_file=f"{_FOLDER}/kafka-certificate.pem" if tls and settings.ssl_certificate else None,
        key_file=f"{_FOLDER}/kafka-key.pem" if tls and settings.ssl_certificate else None,
        check_hostname=settings.ssl_check_hostname if tls else None,
        partition_by_sender=True,
    )


@dataclass(slots=True)
class _Seen:
    """Of one environment: when events came and by which broker, what is wrong with the sources that bring them, under
    which names."""

    came: list[tuple[datetime, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    lag: int = 0


def _seen(assistants: set[int], streams: Streams) -> tuple[dict[int, _Seen], bool]:
    """By environment, and whether an ingest process lives."""
    used = IntakeSource.objects.filter(removed_at=None).exclude(kind=IntakeSource.Kind.HISTORY)
    asked = used.annotate(waiting=_WAITING, lives=Exists(heartbeat.living("ingest")))  # each row has the same answer
    sources = list(asked.filter(assistant__in=assistants).order_by("pk"))
    fed, now = environments_of(sources, streams), timezone.now()
    found: dict[int, _Seen] = defaultdict(_Seen)
    for source in sources:
        for environment_id in fed[source.pk]:
            one = found[environment_id]
            if source.is_on and (source.alarm or source.last_error):
                one.errors.append(source.alarm or source.last_error)
            if source.kind == IntakeSource.Kind.SQL and source.last_event_at:
                one.came.append((source.last_event_at, ""))
            one.lag += source.waiting if is_behind(source, source.waiting, now) else 0
    _add_streams(found, streams)
    return found, sources[0].lives if sources else heartbeat.live("ingest") > 0


def _add_streams(found: dict[int, _Seen], streams: Streams) -> None:
    for stream in streams.in_use:
        place = streams.place_of(stream)
        environment_id = place.pk if place else None if stream.environment_name else stream.source.environment_id
        if environment_id is not None and stream.source.kind != IntakeSource.Kind.SQL:
            found[environment_id].came.append((stream.last_at, str(stream.source_id)))
            found[environment_id].names.add(stream.environment_name)


def _strangers(streams: Streams) -> dict[int, list[str]]:
    """Names that lately arriving events claimed and that no environment has or had, by assistant."""
    lately = time.time() - LATELY_SECONDS
    claimed = {
        (one.assistant_id, one.environment_name)
        for one in streams.rows
        if one.newest_event_at > lately
        and one.source.kind != IntakeSource.Kind.SQL
        and one.environment_name
        and not (one.environment_name == NOT_SET and one.source.environment_id)
    }
    names: dict[int, list[str]] = defaultdict(list)
    for assistant_id, name in sorted(claimed - streams.names.keys()):
        names[assistant_id].append(name)
    return names
