"""Keeping the counts of hours: as conversations move and go, of those stored before there were any, and their sums."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Max, Min

from conversations.ingest import statements, tally
from conversations.ingest.write import again_when_interrupted
from conversations.models import Conversation
from models_app.models import Assistant

CHUNK = 500  # conversations
ENTRIES = 20_000  # added to the sums at a time
SECONDS_EACH_TIME = 5.0  # of periodic work, so that other such work is not kept waiting
SETTLING = 7_270_553_921  # advisory lock: two that add to the same sums would wait for each other in a ring


@contextmanager
def moving(ids: Sequence[int]) -> Iterator[None]:
    """Around a change of conversations' environment or origin, in the transaction that has locked their rows."""
    with connection.cursor() as cursor:
        _note(cursor, ids)
        yield
        cursor.execute(tally.COUNT_MOVED)


def forget(ids: Sequence[int]) -> None:
    """Take conversations out of every count. Called in the transaction that deletes them, before it does."""
    with connection.cursor() as cursor:
        cursor.execute(statements.TABLES)
        cursor.execute(statements.LOCK_FOR_REBUILD, [list(ids)])
        cursor.execute(tally.PLACE_THESE, [-1, list(ids)])
        cursor.execute(tally.COUNT_THESE)


def count_waiting() -> int:
    """Periodic work: count conversations that were stored before there were counts. Returns how many it counted."""
    until, counted = time.monotonic() + SECONDS_EACH_TIME, 0
    while done := again_when_interrupted(_count_chunk):
        counted += done
        if time.monotonic() > until:
            break
    return counted


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the counting of conversations is that were stored before there were counts."""

    percent: int


def progress(assistant: Assistant) -> Progress | None:
    """None once all are counted. Two short walks over an index."""
    waiting = Conversation.objects.filter(assistant=assistant, is_counted=False)
    ends = waiting.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return None
    oldest = Conversation.objects.filter(assistant=assistant).aggregate(first=Min("pk"))["first"]
    return Progress(100 * (ends["first"] - oldest) // max(1, ends["last"] - oldest))


def settle() -> int:
    """Periodic work: add entries to the sums of their hours. Returns how many were added."""
    until, settled = time.monotonic() + SECONDS_EACH_TIME, 0
    while done := _settle_some():
        settled += done
        if time.monotonic() > until:
            break
    return settled


def _note(cursor: CursorWrapper, ids: Sequence[int]) -> None:
    cursor.execute(statements.TABLES)
    cursor.execute(tally.NOTE_THESE, [list(ids)])


@transaction.atomic
def _count_chunk() -> int:
    """Rows that ingestion holds are passed over, and taken the next time."""
    waiting = Conversation.objects.filter(is_counted=False).order_by("assistant", "pk")
    free = waiting.select_for_update(skip_locked=True, no_key=True)
    ids = list(free.values_list("pk", flat=True)[:CHUNK])
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(statements.TABLES)
            cursor.execute(tally.BEGIN_COUNTING, [ids])
            cursor.execute(tally.PLACE_THESE, [1, ids])
            cursor.execute(tally.COUNT_THESE)
    return len(ids)


@transaction.atomic
def _settle_some() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SETTLING])
        if not cursor.fetchone()[0]:
            return 0
        settled = 0
        for take, forget_empty in tally.SETTLE:
            cursor.execute(take, [ENTRIES])
            ((taken, empty),) = cursor.fetchall()
            cursor.execute(forget_empty, [empty])
            settled += taken
    return settled
