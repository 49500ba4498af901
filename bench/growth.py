"""An installation with as many conversations as wanted: some stored as ingestion stores them, then the same again and
again at earlier times, under other senders."""

import math
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from bench import traffic

if TYPE_CHECKING:
    from models_app.models import Assistant

SEED = 20_000  # conversations that are stored by ingestion
EVERY = 30.0  # seconds between the beginnings of two
BATCH = 5000

_SEED = """
SELECT min(id), max(id), max(last_event_at) - min(first_event_at) FROM conversations_conversation
WHERE assistant_id = %s
"""
_COPY_CONVERSATIONS = """
INSERT INTO conversations_conversation
    ({columns}, sender_key, sender_id, first_event_at, last_event_at, handover_at)
SELECT {columns}, sha256(sender_key || %(copy)s::text::bytea), md5(sender_id || %(copy)s),
    first_event_at - %(earlier)s, last_event_at - %(earlier)s, handover_at - %(earlier)s
FROM conversations_conversation WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id
"""
_PAIRS = """
SELECT former.id AS former, added.id AS added FROM conversations_conversation AS former
JOIN conversations_conversation AS added ON added.assistant_id = former.assistant_id
    AND added.sender_key = sha256(former.sender_key || %(copy)s::text::bytea)
WHERE former.id BETWEEN %(first)s AND %(last)s
"""
_COPY_EVENTS = f"""
WITH pair AS MATERIALIZED ({_PAIRS})
INSERT INTO conversations_event (conversation_id, digest, "timestamp", {{columns}})
SELECT pair.added, sha256(digest || %(copy)s::text::bytea), "timestamp" - %(earlier)s, {{columns}}
FROM conversations_event AS event JOIN pair ON pair.former = event.conversation_id ORDER BY event.id
"""
_COPY_ENTRIES = f"""
INSERT INTO conversations_searchentry (conversation_id, terms, day)
SELECT pair.added, terms, floor((last_event_at - %(earlier)s) / 86400) FROM conversations_searchentry AS entry
JOIN ({_PAIRS}) AS pair ON pair.former = entry.conversation_id
JOIN conversations_conversation ON id = pair.former
"""
# Entries, which are added up afterwards as those of ingestion are. Of names the sums by day are made of these too.
_COPY_TALLIES = """
INSERT INTO conversations_tallyentry ({columns}, hour)
SELECT {columns}, hour - %(earlier)s / 3600 FROM conversations_tally WHERE assistant_id = %(assistant)s
"""
_COPY_NAMES = """
INSERT INTO conversations_nameentry ({columns}, hour)
SELECT {columns}, hour - %(earlier)s / 3600 FROM conversations_nametally WHERE assistant_id = %(assistant)s AND span = 1
"""


def house(slug: str, conversations: int, *, every: float = EVERY) -> "Assistant":
    """A new assistant with about so many, `every` seconds between the beginnings of two. A million takes 12 minutes."""
    from conversations.models import IntakeSource
    from environments.services.birth import create_assistant

    assistant = create_assistant(actor=None, slug=slug, title=f"{conversations:,}")
    source = IntakeSource.objects.create(kind=IntakeSource.Kind.KAFKA, name="bench", assistant=assistant)
    production = assistant.environments.get(name="production")
    _grow(assistant.pk, production.pk, source.pk, conversations, every)
    return assistant


def _grow(assistant_id: int, environment_id: int, source_id: int, conversations: int, every: float) -> None:
    from django.db import connection

    seed = min(conversations, SEED)
    _store_seed(assistant_id, environment_id, source_id, seed, every)
    _settle()
    with connection.cursor() as cursor:
        cursor.execute(_SEED, [assistant_id])
        first, last, span = cursor.fetchone()
        whole_hours = math.ceil(span / 3600) * 3600  # because counts are kept by hours
        seeded = {"assistant": assistant_id, "first": first, "last": last}
        # Sums first: those of a copy would be copied with the seed's.
        for statement, table, apart in _STATEMENTS:
            for copy in range(1, conversations // seed):
                values = seeded | {"copy": str(copy), "earlier": copy * whole_hours}
                cursor.execute(statement.format(columns=_columns(table, apart)), values)
    _settle()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


_STATEMENTS = (
    (_COPY_TALLIES, "tallyentry", ("hour",)),
    (_COPY_NAMES, "nameentry", ("hour",)),
    (
        _COPY_CONVERSATIONS,
        "conversation",
        ("sender_key", "sender_id", "first_event_at", "last_event_at", "handover_at"),
    ),
    (_COPY_EVENTS, "event", ("conversation_id", "digest", "timestamp")),
    (_COPY_ENTRIES, "searchentry", ()),
)


def _settle() -> None:
    from conversations.services import tallies

    while tallies.settle():
        pass


def _columns(table: str, apart: tuple[str, ...]) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, f"conversations_{table}")
    return ", ".join(f'"{one.name}"' for one in described if one.name not in ("id", *apart))


def _store_seed(assistant_id: int, environment_id: int, source_id: int, conversations: int, every: float) -> None:
    from conversations.ingest.records import Binding, OnePlace, Record, read
    from conversations.ingest.write import store
    from conversations.models import Conversation

    place = OnePlace(source_id, Binding(assistant_id, environment_id, "production"))
    start = time.time() - conversations * every
    records = (Record(data) for data in traffic.events(10**9, start=start, every=every, tail=traffic.SHORT))
    for batch in _batches(records):
        store(read(batch), place)
        if Conversation.objects.filter(assistant=assistant_id).count() >= conversations:
            return


def _batches(records: Iterator[object]) -> Iterator[list]:  # type: ignore[type-arg]
    while batch := list(islice(records, BATCH)):
        yield batch
