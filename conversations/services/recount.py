"""Counting hours anew from all events, and comparing with what is kept, while ingestion goes on.

All of it sees one moment (REPEATABLE READ), in which events and counts belong together; what differed then is added as
entries, which is right whatever others added since.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from conversations.ingest import statements, tally
from conversations.models import Conversation
from conversations.services.tallies import CHUNK, SETTLING
from models_app.models import Assistant


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A count of an hour, or of a name in it, that is not what the events say."""

    key: tuple[object, ...]
    name: str
    by: int  # what is missing, or below zero: too much


@dataclass(frozen=True)
class Recounted:
    """How many conversations were counted so far; the differences come with the last."""

    done: int
    differences: list[CountDifference] = field(default_factory=list)


def recount(assistant: Assistant, *, check: bool = False) -> Iterator[Recounted]:
    """Count an assistant's conversations anew and mend what differs; `check` leaves all as it was."""
    done = 0
    with _one_moment(), connection.cursor() as cursor:
        cursor.execute(statements.TABLES)
        cursor.execute(tally.RECOUNT_TABLES)
        for ids in _chunks(assistant):
            cursor.execute(tally.PLACE_THESE, [1, ids])
            cursor.execute(tally.RECOUNT_THESE)
            done += len(ids)
            yield Recounted(done)
        differences = _differences(cursor, assistant, check)
    yield Recounted(done, [*differences, *_days(assistant, check)])


@contextmanager
def _one_moment() -> Iterator[None]:
    """A transaction that sees what was there when it began. Inside another one it is as that is."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _chunks(assistant: Assistant) -> Iterator[list[int]]:
    last = 0
    conversations = Conversation.objects.filter(assistant=assistant, is_counted=True).order_by("pk")
    while ids := list(conversations.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        yield ids
        last = ids[-1]


def _differences(cursor: CursorWrapper, assistant: Assistant, check: bool) -> list[CountDifference]:
    cursor.execute(tally.DIFFERING if check else tally.MEND, [assistant.pk] * 2)
    of = len(tally.KEY)
    found = [
        CountDifference(row[:of], name, by)
        for row in cursor.fetchall()
        for name, by in zip(tally.COUNTS, row[of:], strict=True)
        if by
    ]
    cursor.execute(tally.DIFFERING_NAMES if check else tally.MEND_NAMES, [assistant.pk] * 2)
    return found + _named(cursor)


@transaction.atomic
def _days(assistant: Assistant, check: bool) -> list[CountDifference]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SETTLING])
        cursor.execute(tally.DIFFERING_DAYS, [assistant.pk])
        found = _named(cursor)
        if found and not check:
            cursor.execute(tally.MEND_DAYS, [assistant.pk])
    return found


def _named(cursor: CursorWrapper) -> list[CountDifference]:
    of = len(tally.KEY)
    return [CountDifference(row[:of], f"{row[of]} {row[of + 1]}", int(row[-1])) for row in cursor.fetchall()]
