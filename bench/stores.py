"""Other ways to store the same events, to compare with: a bare COPY, Django's bulk_create, and row by row."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conversations.models import Event

BATCH = 5000
_BARE = """
CREATE TABLE IF NOT EXISTS bare (conversation_id int8, environment_id int8, environment_name varchar, digest bytea,
    at float8, rank int2, kind varchar, payload text, text text, name varchar, policy varchar, confidence float8,
    model_id varchar, channel varchar, entities varchar[]);
TRUNCATE bare
"""


def copy_rate(data: Sequence[bytes]) -> float:
    """Events a second of a COPY of the decoded columns into a table without an index: what nobody can beat."""
    from django.db import connection, transaction

    from conversations.ingest.decode import decode
    from conversations.ingest.statements import COPY_TYPES

    rows = [(1, 1, "production", *decode(one)[1:-2]) for one in data]
    with connection.cursor() as cursor:
        cursor.execute(_BARE)
        began = time.perf_counter()
        for batch in _batches(rows):
            with transaction.atomic(), cursor.copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(COPY_TYPES)
                for row in batch:
                    copy.write_row(row)
        return len(rows) / (time.perf_counter() - began)


def bulk_create_rate(data: Sequence[bytes]) -> float:
    """Events a second of Django's bulk_create into our table: without Kafka, doubles refused, nothing counted."""
    from django.db import transaction

    from conversations.models import Event

    began = time.perf_counter()
    for batch in _batches(data):
        with transaction.atomic():
            Event.objects.bulk_create(_events(batch), ignore_conflicts=True)
    return len(data) / (time.perf_counter() - began)


def row_by_row_rate(data: Sequence[bytes]) -> float:
    """The same with one statement, and one transaction, for each."""
    from conversations.models import Event

    began = time.perf_counter()
    for event in _events(data):
        Event.objects.bulk_create([event], ignore_conflicts=True)
    return len(data) / (time.perf_counter() - began)


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _events(data: Sequence[bytes]) -> "Iterator[Event]":
    """Of no conversation that is there, so that they are in nobody's way."""
    from conversations.ingest.decode import decode
    from conversations.models import Event

    for one in map(decode, data):
        yield Event(conversation_id=-1, environment_name="", **{name: getattr(one, name) for name in _COLUMNS})


_COLUMNS = (
    "digest", "timestamp", "rank", "kind", "payload", "text", "name", "policy", "confidence", "model_id", "channel",
    "entities",
)  # fmt: skip

# As many conversations of 25 events as it takes, in a few statements, with the text of one real event.
_FILL_CONVERSATIONS = """
INSERT INTO conversations_conversation (assistant_id, sender_key, sender_id, origin, environment_name, first_event_at,
    last_event_at, events_count, user_count, bot_count, action_count, session_count, fallback_count, restart_count,
    rejected_count, reply_count, reply_ms, channel, last_model_id, model_ids, first_text, intents, entities, actions,
    policies, slots, channels, environment_names)
SELECT %s, sha256(number::text::bytea), md5(number::text), 'real', 'production', 1.7e9 + number, 1.7e9 + number + 60,
    25, 5, 5, 13, 1, 0, 0, 0, 5, 900, 'rasa', 'm', '{m}', 'hello', '{greet}', '{}', '{utter_greet}', '{RulePolicy}',
    '{}', '{rasa}', '{production}'
FROM generate_series(1, %s) AS number RETURNING id
"""
_FILL_EVENTS = """
INSERT INTO conversations_event (conversation_id, environment_name, digest, "timestamp", rank, kind, payload, text,
    name, policy, confidence, model_id, channel, received_at)
SELECT conversation, 'production', sha256((conversation::text || ' ' || number)::bytea), 1.7e9 + conversation + number,
    20, 'action', %s, '', 'utter_greet', 'RulePolicy', 1, 'm', '', now()
FROM generate_series(%s::bigint, %s::bigint) AS conversation, generate_series(1, 25) AS number
"""


def fill(assistant_id: int, events: int, payload: str) -> None:
    """Store that many events that were there before."""
    from django.db import connection

    step = 20_000
    with connection.cursor() as cursor:
        cursor.execute(_FILL_CONVERSATIONS, [assistant_id, max(1, events // 25)])
        first, *_, last = sorted(row[0] for row in cursor.fetchall())
        for start in range(first, last + 1, step):
            cursor.execute(_FILL_EVENTS, [payload, start, min(last, start + step - 1)])
        cursor.execute("VACUUM ANALYZE conversations_conversation, conversations_event")
