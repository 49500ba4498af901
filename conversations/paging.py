"""Pages of conversations by the last one seen, not by number: right and quick however long the list grows."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Self

from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, OrderBy, Q, QuerySet, Value

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
    is_whole: bool = False  # the column holds whole numbers

    def beyond(self, cursor: "Cursor | None", *, onwards: bool, here_too: bool = False) -> Q:
        """Conversations after the cursor, or before it; `here_too`: and the one whose place it is. The redundant
        condition lets PostgreSQL begin in the index."""
        placed = Q(**{f"{self.column}__isnull": False})
        if cursor is None or (self.is_whole and math.isinf(cursor.value)):
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
        Order("longest", "Longest", "user_count", is_whole=True),
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
            found = cls(float(value), int(pk)) if dash else None
        except ValueError:
            return None
        return None if found is None or math.isnan(found.value) else found

    def __str__(self) -> str:
        return f"{self.value!r}-{self.pk}"


class FoundBy(Enum):
    """What answers best which conversations a list holds."""

    ORDER = auto()  # nothing but to walk along them: no index knows
    COLUMNS = auto()
    TERMS = auto()  # the search index


_Place = tuple[int, bool, float, int]  # which way, whether it ends what is looked at, value, key


@dataclass(frozen=True, slots=True)
class _Way:
    """So many of those beyond a place, onwards or back."""

    beyond: Q
    onwards: bool
    count: int


@dataclass(slots=True)
class _Look:
    """What was found among the nearest, and where these end; None when there are no others beyond."""

    keys: list[int]
    last: Cursor | None


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
        (keys,) = self._keys(self._way(cursor, count, onwards=True))
        return self.rows(keys)

    def before(self, cursor: Cursor, count: int = 1) -> list[Conversation]:
        """The nearest that come before, the nearest first."""
        (keys,) = self._keys(self._way(cursor, count, onwards=False))
        return self.rows(keys, onwards=False)

    def rows(self, keys: Sequence[int], *, onwards: bool = True) -> list[Conversation]:
        """The conversations with these keys, in the order of the list or, not `onwards`, against it."""
        return list(self.everything.filter(pk__in=keys).order_by(*self.order.steps(onwards=onwards))) if keys else []

    def keys_around(self, place: Cursor, before: int, following: int) -> tuple[list[int], list[int]]:
        """The keys of so many that come before a place, and of so many from it on; the nearest first."""
        ways = self._way(place, before, onwards=False), self._way(place, following, onwards=True, here_too=True)
        earlier, later = self._keys(*ways)
        return earlier, later

    def keys_beside(self, conversation: Conversation) -> tuple[int | None, int | None]:
        """The keys of those before and after a conversation, which itself needs not be in the list."""
        cursor = self.order.cursor(conversation)
        keys = self._keys(*(self._way(cursor, 1, onwards=onwards) for onwards in (False, True)))
        before, after = (next(iter(one), None) for one in keys)
        return before, after

    def count(self) -> int:
        """How many match, up to one more than is counted."""
        return len(self.matching.order_by(*self.order.steps(onwards=True)).values_list("pk")[: COUNTED + 1])

    def _way(self, cursor: Cursor | None, count: int, *, onwards: bool, here_too: bool = False) -> _Way:
        return _Way(self.order.beyond(cursor, onwards=onwards, here_too=here_too), onwards, count)

    def _keys(self, *ways: _Way) -> list[list[int]]:
        """Of the nearest each way. All ways are asked for what is near together."""
        if self.found_by is not FoundBy.ORDER:
            return [self._completed(way, look) for way, look in zip(ways, self._looks(NEAREST, *ways), strict=True)]
        parts = [self._part(self._ahead(way, self.matching)[: way.count], at) for at, way in enumerate(ways)]
        return [look.keys for look in self._read(parts, ways)]

    def _completed(self, way: _Way, look: _Look) -> list[int]:
        """With what is farther away than the nearest."""
        missing = way.count - len(look.keys)
        if not missing or look.last is None:
            return look.keys
        beyond = way.beyond & self.order.beyond(look.last, onwards=way.onwards)
        (farther,) = self._looks(NEAR - NEAREST, replace(way, beyond=beyond, count=missing))
        if len(farther.keys) == missing or farther.last is None:
            return look.keys + farther.keys
        return self._from_indexes(way)

    def _from_indexes(self, way: _Way) -> list[int]:
        matching = self.matching.filter(way.beyond).order_by(*self.order.unindexed_steps(onwards=way.onwards))
        if self.order is NEWEST and self.found_by is FoundBy.TERMS:
            stretch = _Stretch.of(self._ahead(way, self.everything))
            with _terms_first():
                found = _keys(matching.filter(stretch.condition), way.count)
            if len(found) == way.count or stretch.is_all:
                return found
        return _keys(matching, way.count)

    def _looks(self, reach: int, *ways: _Way) -> list[_Look]:
        """At each of the first `reach` either way, whether it matches."""
        parts = []
        for at, way in enumerate(ways):
            ahead = self._ahead(way, self.everything)
            near = self.looked_at.filter(pk__in=ahead.values("pk")[:reach])
            matching = near.order_by(*self.order.unindexed_steps(onwards=way.onwards))
            parts += [self._part(matching[: way.count], at), self._part(ahead[reach - 1 : reach], at, is_last=True)]
        return self._read(parts, ways)

    def _ahead(self, way: _Way, conversations: ConversationQuerySet) -> ConversationQuerySet:
        return conversations.filter(way.beyond).order_by(*self.order.steps(onwards=way.onwards))

    def _part(self, rows: ConversationQuerySet, at: int, *, is_last: bool = False) -> QuerySet[Conversation, _Place]:
        return rows.values_list(Value(at), Value(is_last), self.order.column, "pk")

    def _read(self, parts: Sequence[QuerySet[Conversation, _Place]], ways: Sequence[_Way]) -> list[_Look]:
        """All parts in one query. Sorted here, because nothing says in which order those of a union come."""
        looks = [_Look([], None) for _ in ways]
        for at, is_last, value, pk in sorted(parts[0].union(*parts[1:], all=True)):
            if is_last:
                looks[at].last = Cursor(value, pk)
            else:
                looks[at].keys.append(pk)
        for way, look in zip(ways, looks, strict=True):
            if self.order.descending == way.onwards:
                look.keys.reverse()
        return looks


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
    before, following = listing.keys_around(place, half + 1, PAGE + 1)
    room = PAGE - len(before[:half])
    rows = listing.rows([*before[:half], *following[:room]])
    page = _page(listing.order, rows, has_newer=len(before) > half, has_older=len(following) > room)
    return replace(page, here=min(len(before), half, len(rows) - 1) if rows else None)


def _page(order: Order, rows: Sequence[Conversation], *, has_newer: bool, has_older: bool) -> Page:
    return Page(
        rows,
        newer=order.cursor(rows[0]) if rows and has_newer else None,
        older=order.cursor(rows[-1]) if rows and has_older else None,
    )
