"""Making conversations' facts again from their events, and finding whose conversations they are."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from conversations.ingest import statements
from conversations.ingest.decode import KINDS_WITH_ENTITIES, entity_names, read_payload
from conversations.ingest.write import again_when_interrupted, apply_added
from conversations.models import Conversation, Event, SearchEntry
from conversations.search.index import add_terms
from conversations.services.indexing import terms_of
from conversations.services.tallies import moving
from models_app.models import Assistant

CHUNK = 500
_LOOK_BACK = timedelta(minutes=10)
Rows = dict[int, dict[str, Any]]


@dataclass(frozen=True)
class Difference:
    """A column of a conversation that is not what its events make of it."""

    conversation: int
    sender_id: str
    column: str
    live: object
    rebuilt: object


@dataclass(frozen=True)
class Rebuilt:
    """What was done so far, and what the last conversations differed in."""

    done: int
    differences: list[Difference] = field(default_factory=list)


def rebuild_conversations(assistant: Assistant | None = None, *, check: bool = False) -> Iterator[Rebuilt]:
    """Rebuild every conversation, of one assistant or of all, while ingestion goes on; `check` leaves all as it was."""
    conversations = Conversation.objects.order_by("pk")
    if assistant is not None:
        conversations = conversations.filter(assistant=assistant)
    last, done = 0, 0
    while chunk := list(conversations.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        differences = again_when_interrupted(lambda ids=chunk: _rebuild(ids, check))  # type: ignore[misc]
        last, done = chunk[-1], done + len(chunk)
        yield Rebuilt(done, differences)


@transaction.atomic
def _rebuild(ids: list[int], check: bool) -> list[Difference]:
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(statements.LOCK_FOR_REBUILD, [ids])
        before, found_by = _rows(ids), _entries(ids)
        with moving(ids):
            cursor.execute(statements.PLACE_EVENTS, [ids])
            _fill_entities(ids)
            cursor.execute(statements.ADD_ALL_EVENTS, [ids])
            cursor.execute(statements.RESET)
            apply_added(cursor)
        terms = terms_of(ids)
        SearchEntry.objects.filter(conversation__in=[key for _, key in terms]).delete()
        add_terms(cursor, terms)
        after = _rows(ids)
        differences = [*_differences(before, after), *_without_events(before)]
        differences += _terms_that_differ(after, found_by, _entries(ids))
        if check:
            transaction.set_rollback(True)
    return differences


def _rows(ids: list[int]) -> Rows:
    return {row["id"]: dict(row) for row in Conversation.objects.filter(pk__in=ids).values()}


def _differences(before: Rows, after: Rows) -> list[Difference]:
    return [
        Difference(key, row["sender_id"], column, value, after[key][column])
        for key, row in before.items()
        for column, value in row.items()
        if value != after[key][column]
    ]


def _without_events(before: Rows) -> list[Difference]:
    """These are only told of: nothing is left that they could be made from."""
    with_events = set(
        Event.objects.filter(conversation__in=before).values_list("conversation_id", flat=True).distinct()
    )
    empty = [row for key, row in before.items() if key not in with_events]
    return [Difference(row["id"], row["sender_id"], "events_count", row["events_count"], 0) for row in empty]


def _fill_entities(ids: list[int]) -> None:
    """Of events that were stored before they kept the names of their entities."""
    missing = Event.objects.filter(entities=None, conversation__in=ids, kind__in=KINDS_WITH_ENTITIES)
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)  # few different ones: one UPDATE for each
    for key, kind, payload in missing.values_list("pk", "kind", "payload"):
        found[tuple(entity_names(kind, read_payload(payload)) or ())].append(key)
    for names, keys in found.items():
        Event.objects.filter(pk__in=keys).update(entities=list(names))


def _entries(ids: list[int]) -> dict[int, list[int]]:
    return dict(SearchEntry.objects.filter(conversation__in=ids).values_list("conversation_id", "terms"))


def _terms_that_differ(rows: Rows, before: dict[int, list[int]], after: dict[int, list[int]]) -> Iterator[Difference]:
    for key, row in rows.items():
        live, rebuilt = set(before.get(key, ())), set(after.get(key, ()))
        if live != rebuilt:
            yield Difference(key, row["sender_id"], "terms", len(live - rebuilt), len(rebuilt - live))


def mark_own_conversations() -> int:
    """Mark conversations whose talk session became known only after their events; returns how many.

    Ingestion marks what it stores. This finds the rest, when a session's transaction ended after its first events'.
    """
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(statements.LOCK_UNMARKED, [timezone.now() - _LOOK_BACK])
        ids = [pk for (pk,) in cursor.fetchall()]
        if ids:
            with moving(ids):
                cursor.execute(statements.MARK_THESE, [ids])
    return len(ids)
