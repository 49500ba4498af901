"""Making conversations' counters again from their events, and finding whose conversations they are."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from conversations.ingest import statements
from conversations.ingest.write import again_when_interrupted
from conversations.models import Conversation
from models_app.models import Assistant

CHUNK = 500
_LOOK_BACK = timedelta(minutes=10)


def rebuild_conversations(assistant: Assistant | None = None) -> Iterator[int]:
    """Rebuild every conversation, of one assistant or of all, while ingestion goes on; yields how many are done."""
    conversations = Conversation.objects.order_by("pk")
    if assistant is not None:
        conversations = conversations.filter(assistant=assistant)
    last, done = 0, 0
    while chunk := list(conversations.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        again_when_interrupted(lambda ids=chunk: _rebuild(ids))  # type: ignore[misc]
        last, done = chunk[-1], done + len(chunk)
        yield done


@transaction.atomic
def _rebuild(ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements.TABLES)
        cursor.execute(statements.LOCK_FOR_REBUILD, [ids])
        cursor.execute(statements.SUM_ALL_EVENTS, [ids])
        cursor.execute(statements.RESET)
        cursor.execute(statements.APPLY_CHANGES)
        cursor.execute(statements.MARK_AMONG, [ids])


def mark_own_conversations() -> int:
    """Mark conversations whose talk session became known only after their events; returns how many.

    Ingestion marks what it stores. This finds the rest, when a session's transaction ended after its first events'.
    """
    with connection.cursor() as cursor:
        cursor.execute(statements.MARK_SINCE, [timezone.now() - _LOOK_BACK])
        return int(cursor.rowcount)
