"""Pages of conversations by the last one seen, not by number: right and quick however long the list grows."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Self

from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, OrderBy, Q, Value

from conversations.models import Conversation
from conversations.querysets import ConversationQuerySet
from conversations.search.index import DAY

PAGE = 50
# Among the nearest conversations each is looked at by itself: whatever is common is found there at once. What is not
# is asked of the indexes: first within a stretch, so that nobody has to sort all there ever was, then everywhere, for
# who is not found in the stretch is rare.
NEAR = 2000
NEAREST = 250  # that are looked at first: enough for what every fifth has
STRETCH = 32_000
COUNTED = 10_000  # exactly; beyond, more is all that matters


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort: by a column that an index begins with, then by key."""

    name: str
    label: str
    column: str
    descending: bool = True

    def beyond(self, cursor: "Cursor | None", *, onwards: bool, here_too: bool = False) -> Q:
        """Conversations after the cursor, or before it; `here_too`: and the one whose place it is. The redundant
        condition lets PostgreSQL begin in the index."""
        placed = Q(**{f"{self.column}__isnull": False})
        if cursor is None:
            return placed
        way = "lt" if self.descending == onwards else "gt"
        or_here = f"{way}e" if here_too else way
        farther = Q(**{f"{self.column}__{way}": cursor.value}) | Q(**{f"pk__{or_here}": cursor.pk})
        return placed & farther & Q(**{f"{self.column}__{way}e": cursor.value})

    def steps(self, *, onwards: bool) -> tuple[str, str]:
        sign = "-" if self.descending == onwards else ""
        return f"{sign}{self.column}", f"{sign}pk"

    def unindexed_steps(self, *, onwards: bool) -> tuple[OrderBy, str]:
        """The same order, by what no index is sorted by: so the planner begins with what is rare, or near."""
        column = F(self.column) + 0
        return (column.desc(), "-pk") if self.descending == onwards else (column.asc(), "pk")

    def cursor(self, conversation: Conversation) -> "Cursor":
        """Whoever has no value stands after all that have one."""
        value = getattr(conversation, self.column)
        return Cursor(math.inf if value is None else float(value), conversation.pk)


NEWEST = Order("newest", "Newest", "last_event_at")
ORDERS = {
    one.name: one
    for one in (
        NEWEST,
        Order("longest", "Longest", "user_count"),
        Order("unsure", "Least certain", "min_confidence", descending=False),
    )
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a conversation in a list. As text: `1790000001.25-42`."""

    value: float
    pk: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what is no cursor: people shorten and mistype addresses."""
        value, dash, pk = text.rpartition("-")
        try:
            return cls(float(value), int(pk)) if dash else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.value!r}-{self.pk}"


class FoundBy(Enum):
    """What answers best which conversations a list holds."""

    ORDER = auto()  # nothing but to walk along them: no index knows
    COLUMNS = auto()
    TERMS = auto()  # the search index


@dataclass(frozen=True)
class Listing:
    """Some conversations in an order: `matching`, which is `everything` that the viewer may see or a part of it.

    `looked_at` asks the same of each conversation as `matching` does, in the way that is quickest for a few.
    """

    everything: ConversationQuerySet
    matching: ConversationQuerySet
    looked_at: ConversationQuerySet
    order: Order = NEWEST
    found_by: FoundBy = FoundBy.ORDER

    def after(self, cursor: Cursor | None, count: int = 1) -> list[Conversation]:
        """The nearest that follow, the nearest first; those that the list begins with when there is no cursor."""
        return self.rows(self.keys(cursor, count, onwards=True))

    def before(self, cursor: Cursor, count: int = 1) -> list[Conversation]:
        """The nearest that come before, the nearest first."""
        return self.rows(self.keys(cursor, count, onwards=False), onwards=False)

    def keys(self, cursor: Cursor | None, count: int, *, onwards: bool, here_too: bool = False) -> list[int]:
        """Those of the nearest that follow or come before, the nearest first; `here_too`: from the cursor's own on."""
        return self._nearest_keys(self.order.beyond(cursor, onwards=onwards, here_too=here_too), count, onwards=onwards)

    def rows(self, keys: Sequence[int], *, onwards: bool = True) -> list[Conversation]:
        """The conversations with these keys, in the order of the list or, not `onwards`, against it."""
        return list(self.everything.filter(pk__in=keys).order_by(*self.order.steps(onwards=onwards))) if keys else []

    def keys_beside(self, conversation: Conversation) -> tuple[int | None, int | None]:
        """The keys of those before and after a conversation, which itself needs not be in the list."""
        cursor = self.order.cursor(conversation)
        before, after = (self.order.beyond(cursor, onwards=onwards) for onwards in (False, True))
        if self.found_by is FoundBy.ORDER:
            return self._walked_to(before, after)
        keys = self._nearest_keys(before, 1, onwards=False), self._nearest_keys(after, 1, onwards=True)
        return next(iter(keys[0]), None), next(iter(keys[1]), None)

    def _walked_to(self, before: Q, after: Q) -> tuple[int | None, int | None]:
        """The first either way, in one query."""
        rows = (
            self.matching.filter(beyond).order_by(*self.order.steps(onwards=onwards)).values_list(Value(onwards), "pk")
            for beyond, onwards in ((before, False), (after, True))
        )
        backwards, onwards = (one[:1] for one in rows)
        found = dict(backwards.union(onwards, all=True))
        return found.get(False), found.get(True)

    def count(self) -> int:
        """How many match, up to one more than is counted."""
        return len(self.matching.order_by(*self.order.steps(onwards=True)).values_list("pk")[: COUNTED + 1])

    def _nearest_keys(self, beyond: Q, count: int, *, onwards: bool) -> list[int]:
        steps, matching = self.order.steps(onwards=onwards), self.matching.filter(beyond)
        if self.found_by is FoundBy.ORDER:
            return _keys(matching.order_by(*steps), count)
        ahead, unindexed = self.everything.filter(beyond).order_by(*steps), self.order.unindexed_steps(onwards=onwards)
        found, is_all = self._near_keys(ahead, count, onwards=onwards)
        if len(found) == count or is_all:
            return found
        from_indexes = matching.order_by(*unindexed)
        if self.order is NEWEST and self.found_by is FoundBy.TERMS:
            stretch = _Stretch.of(ahead)
            with _terms_first():
                found = _keys(from_indexes.filter(stretch.condition), count)
            if len(found) == count or stretch.is_all:
                return found
        return _keys(from_indexes, count)

    def _near_keys(self, ahead: ConversationQuerySet, count: int, *, onwards: bool) -> tuple[list[int], bool]:
        """Of those that are near, by a look at each; and whether there are no others ahead."""
        found, last = self._keys_within(ahead, NEAREST, count, onwards=onwards)
        if len(found) == count or last is None:
            return found, last is None
        farther = ahead.filter(self.order.beyond(last, onwards=onwards))
        more, last = self._keys_within(farther, NEAR - NEAREST, count - len(found), onwards=onwards)
        return found + more, last is None

    def _keys_within(
        self, ahead: ConversationQuerySet, reach: int, count: int, *, onwards: bool
    ) -> tuple[list[int], Cursor | None]:
        """Of the first `reach` ahead, by a look at each; and where these end, None when there are not so many.

        One query: the place of the last is read beside what matches.
        """
        looked_at = self.looked_at.filter(pk__in=ahead.values("pk")[:reach])
        matching = looked_at.order_by(*self.order.unindexed_steps(onwards=onwards))[:count]
        last = ahead[reach - 1 : reach]
        places = (
            rows.values_list(Value(is_last), self.order.column, "pk")
            for rows, is_last in ((matching, False), (last, True))
        )
        found = sorted(next(places).union(*places, all=True), reverse=self.order.descending == onwards)
        ends = [Cursor(value, pk) for is_last, value, pk in found if is_last]
        return [pk for is_last, _, pk in found if not is_last], next(iter(ends), None)


def _keys(conversations: ConversationQuerySet, count: int) -> list[int]:
    return list(conversations.values_list("pk", flat=True)[:count])


@contextlib.contextmanager
def _terms_first() -> Iterator[None]:
    """PostgreSQL takes the comparison of two arrays for as cheap as that of two numbers. Left to itself, it reads all
    of a stretch by its days and compares each, which takes four times as long as asking both indexes together.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL max_parallel_workers_per_gather = 0")
        yield
        cursor.execute("RESET enable_indexscan; RESET max_parallel_workers_per_gather")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The first of those ahead, newest first or last; or all of them when there are no more."""

    condition: Q
    is_all: bool

    @classmethod
    def of(cls, ahead: ConversationQuerySet) -> Self:
        """Days tell the search index where to look, moments what is in the stretch."""
        first = ahead.values("last_event_at")[:STRETCH]
        found = first.aggregate(count=Count("*"), oldest=Min("last_event_at"), newest=Max("last_event_at"))
        if not found["count"]:
            return cls(Q(), is_all=True)
        ends = found["oldest"], found["newest"]
        days = [math.floor(one / DAY) for one in ends]
        condition = Q(last_event_at__range=ends, entry__day__range=days)
        return cls(condition, is_all=found["count"] < STRETCH)


@dataclass(frozen=True, slots=True)
class Page:
    """A page's conversations in their order, and the cursors of its neighbours."""

    rows: Sequence[Conversation]
    newer: Cursor | None
    older: Cursor | None
    here: int | None = None  # which of the rows stands at the place that was asked for


def page_of(listing: Listing, *, before: Cursor | None = None, after: Cursor | None = None) -> Page:
    """The page that ends before, or begins after, a cursor; the first page without either."""
    if before is not None:
        found = listing.before(before, PAGE + 1)
        return _page(listing.order, found[:PAGE][::-1], has_newer=len(found) > PAGE, has_older=True)
    found = listing.after(after, PAGE + 1)
    return _page(listing.order, found[:PAGE], has_newer=after is not None, has_older=len(found) > PAGE)


def page_around(listing: Listing, place: Cursor) -> Page:
    """The page in whose middle a place is: that of a conversation, or of the one that follows where it is gone."""
    half = PAGE // 2
    before = listing.keys(place, half + 1, onwards=False)
    room = PAGE - len(before[:half])
    following = listing.keys(place, room + 1, onwards=True, here_too=True)
    rows = listing.rows([*before[:half], *following[:room]])
    page = _page(listing.order, rows, has_newer=len(before) > half, has_older=len(following) > room)
    return replace(page, here=min(len(before), half, len(rows) - 1) if rows else None)


def _page(order: Order, rows: Sequence[Conversation], *, has_newer: bool, has_older: bool) -> Page:
    return Page(
        rows,
        newer=order.cursor(rows[0]) if rows and has_newer else None,
        older=order.cursor(rows[-1]) if rows and has_older else None,
    )
