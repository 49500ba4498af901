"""Pages of conversations by the last one seen, not by number: right and quick however long the list grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import Q

from conversations.models import Conversation
from conversations.querysets import ConversationQuerySet

PAGE = 50


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a conversation in the list. As text: `1790000001.25-42`."""

    last_event_at: float
    pk: int

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        return cls(conversation.last_event_at, conversation.pk)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what is no cursor: people shorten and mistype addresses."""
        at, dash, pk = text.rpartition("-")
        try:
            return cls(float(at), int(pk)) if dash else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.last_event_at!r}-{self.pk}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page's conversations, newest first, and the cursors of its neighbours."""

    rows: Sequence[Conversation]
    newer: Cursor | None
    older: Cursor | None


def newer_than(conversations: ConversationQuerySet, cursor: Cursor) -> ConversationQuerySet:
    """Nearest first. The redundant condition lets PostgreSQL begin in the index at the cursor."""
    beyond = Q(last_event_at__gt=cursor.last_event_at) | Q(pk__gt=cursor.pk)
    return conversations.filter(beyond, last_event_at__gte=cursor.last_event_at).order_by("last_event_at", "pk")


def older_than(conversations: ConversationQuerySet, cursor: Cursor) -> ConversationQuerySet:
    """Nearest first."""
    beyond = Q(last_event_at__lt=cursor.last_event_at) | Q(pk__lt=cursor.pk)
    return conversations.filter(beyond, last_event_at__lte=cursor.last_event_at).order_by("-last_event_at", "-pk")


def page_of(conversations: ConversationQuerySet, *, before: Cursor | None = None, after: Cursor | None = None) -> Page:
    """The page that ends before, or begins after, a cursor; the newest page without either."""
    if before is not None:
        found = list(newer_than(conversations, before)[: PAGE + 1])
        rows = found[:PAGE][::-1]
        return _page(rows, has_newer=len(found) > PAGE, has_older=True)
    wanted = older_than(conversations, after) if after else conversations.order_by("-last_event_at", "-pk")
    found = list(wanted[: PAGE + 1])
    return _page(found[:PAGE], has_newer=after is not None, has_older=len(found) > PAGE)


def _page(rows: Sequence[Conversation], *, has_newer: bool, has_older: bool) -> Page:
    return Page(
        rows,
        newer=Cursor.of(rows[0]) if rows and has_newer else None,
        older=Cursor.of(rows[-1]) if rows and has_older else None,
    )
