"""What `/metrics` tells of the intake of events and of work on conversations, never of what anybody said."""

from collections import Counter
from collections.abc import Iterator

from django.db import connection, models
from django.db.models import Count, Min
from psycopg import sql

from conversations.ingest.faults import FAULTS
from conversations.ingest.write import Stored
from conversations.models import CompletenessRun, DeadLetterRun, ErasureRun, ExportRun, IntakeSource
from conversations.services.freshness import Freshness, judged, of_all_assistants
from environments.services.database import events_role
from models_app.models import Assistant
from studio.metrics import counting, jobs, readings
from studio.metrics.jobs import Waiting
from studio.metrics.readings import Reading

COUNTED = 10_000  # dead letters of a fault, and records of a table; beyond, more is all that matters
OTHER = "other"
BUCKETS = (0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
SOURCE = ("assistant", "source", "source_id")
RUNS: tuple[tuple[str, type[models.Model], tuple[str, ...]], ...] = (
    ("dead-letters", DeadLetterRun, DeadLetterRun.OPEN),
    ("completeness", CompletenessRun, (CompletenessRun.State.WAITING, CompletenessRun.State.RUNNING)),
    ("erasure", ErasureRun, ErasureRun.UNDER_WAY),
    ("export", ExportRun, ExportRun.OPEN),
)

RECORDS = readings.family(
    "parley_ingest_records_total",
    "Records taken, by what became of them: stored as new events, known already, or of somebody erased.",
    *SOURCE,
    "outcome",
)
LAG = readings.family(
    "parley_ingest_lag_records", f"Records that wait to be taken; of a table {COUNTED} at most.", *SOURCE
)
NEWEST = readings.family(
    "parley_ingest_newest_event_timestamp_seconds", "Rasa's time of the newest event stored.", *SOURCE
)
STORED = readings.family("parley_ingest_last_stored_timestamp_seconds", "When a new event was last stored.", *SOURCE)
HEALTHY = readings.family(
    "parley_ingest_source_up", "1 when events of the source are taken, 0 when they cannot be or wait for long.", *SOURCE
)
INCIDENTS = readings.family("parley_ingest_incidents", "Gaps in the source that nobody has closed yet.", *SOURCE)
DEAD = readings.family(
    "parley_dead_letters", f"Records that wait as dead letters, {COUNTED} of each fault at most.", "assistant", "fault"
)

_batches = counting.histogram(
    "parley_ingest_batch_duration_seconds", "How long a batch took to be stored.", ("kind",), BUCKETS
)
_batch_records = counting.counter(
    "parley_ingest_process_records_total", "Records that ingest processes took.", ("kind", "outcome")
)

_WAITING_LETTERS = """
WITH RECURSIVE kind AS (
    (SELECT assistant_id, fault FROM conversations_deadletter WHERE state = 'waiting'
     ORDER BY assistant_id, fault LIMIT 1)
    UNION ALL
    SELECT following.* FROM kind, LATERAL (
        SELECT assistant_id, fault FROM conversations_deadletter
        WHERE state = 'waiting' AND (assistant_id, fault) > (kind.assistant_id, kind.fault)
        ORDER BY assistant_id, fault LIMIT 1) AS following
)
SELECT assistant_id, fault, (SELECT count(*) FROM (
    SELECT FROM conversations_deadletter AS letter
    WHERE state = 'waiting' AND letter.assistant_id = kind.assistant_id AND letter.fault = kind.fault
    LIMIT %s) AS counted)
FROM kind
"""


def register() -> None:
    readings.register("intake", intake)
    readings.register("dead letters", dead_letters)
    jobs.register(open_runs)


def note_batch(kind: str, stored: Stored, seconds: float) -> None:
    """An ingest process has stored a batch of a source of this kind."""
    counting.took(_batches, seconds, kind)
    for outcome in ("added", "known", "dead", "erased"):
        if number := getattr(stored, outcome):
            counting.count(_batch_records, kind, outcome, by=number)


def intake() -> Iterator[Reading]:
    sources = of_all_assistants()
    waiting = _waiting_in_tables(sources)
    for one in judged(sources):
        yield from _of_source(one, waiting)


def _of_source(one: Freshness, waiting: dict[int, int]) -> Iterator[Reading]:
    source = one.source
    labels = source.assistant.slug, source.name, str(source.pk)
    yield RECORDS(source.events_total, *labels, "new")
    yield RECORDS(source.known_total, *labels, "known")
    yield RECORDS(source.erased_total, *labels, "erased")
    if source.newest_event_at is not None:
        yield NEWEST(source.newest_event_at, *labels)
    if source.last_event_at is not None:
        yield STORED(source.last_event_at.timestamp(), *labels)
    if source.kind != IntakeSource.Kind.HISTORY:
        yield LAG(waiting.get(source.pk, one.lag), *labels)
        yield HEALTHY(one.status not in ("failed", "warning"), *labels)
        yield INCIDENTS(one.incidents, *labels)


def _waiting_in_tables(sources: list[IntakeSource]) -> dict[int, int]:
    """How much stands in the table of each SQL source, in two queries. Ingestion takes it out, so that it is little."""
    tables = {
        events_role(one.environment): one.pk
        for one in sources
        if one.kind == IntakeSource.Kind.SQL and one.environment is not None and one.environment.database_key
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname FROM pg_tables WHERE tablename = 'events' AND schemaname = ANY(%s)"
            " AND has_table_privilege(quote_ident(schemaname) || '.events', 'SELECT')",
            [list(tables)],
        )
        made = [schema for (schema,) in cursor.fetchall()]
        if not made:
            return {}
        cursor.execute(sql.SQL(" UNION ALL ").join(map(_count_of, made)))
        return {tables[schema]: number for schema, number in cursor.fetchall()}


def _count_of(schema: str) -> sql.Composed:
    return sql.SQL("SELECT {name}, count(*) FROM (SELECT FROM {table} LIMIT {most}) AS waiting").format(
        name=schema, table=sql.Identifier(schema, "events"), most=COUNTED
    )


def dead_letters() -> Iterator[Reading]:
    slugs = dict(Assistant.objects.current().values_list("pk", "slug"))
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_LETTERS, [COUNTED])
        rows = cursor.fetchall()
    counts = Counter[tuple[str, str]]()
    for assistant_id, fault, number in rows:
        if assistant_id in slugs:
            counts[slugs[assistant_id], fault if fault in FAULTS else OTHER] += number
    for slug in slugs.values():
        for fault in (*FAULTS, OTHER):
            yield DEAD(counts[slug, fault], slug, fault)


def open_runs() -> Iterator[Waiting]:
    """Work on conversations that waits or is under way."""
    for kind, model, states in RUNS:
        rows = model._default_manager.filter(state__in=states).values_list("state").order_by()
        found = {state: (number, since) for state, number, since in rows.annotate(Count("pk"), Min("requested_at"))}
        for state in states:
            yield Waiting(kind, state, *found.get(state, (0, None)))
