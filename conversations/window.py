"""A stretch of a conversation's events: all of nearly every conversation, a part of the endless ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from conversations.models import Conversation, Event
from conversations.presentation.explained import turn_around
from conversations.presentation.slots import KINDS as SLOT_KINDS

SHOWN = 400
AROUND = SHOWN // 2

_NEWEST_FIRST = ("-timestamp", "-rank", "-digest")
_OLDEST_FIRST = ("timestamp", "rank", "digest")


@dataclass(frozen=True, slots=True)
class Window:
    """Events in their order, and whether there are more on either side."""

    events: Sequence[Event]
    has_earlier: bool
    has_later: bool

    @property
    def is_whole(self) -> bool:
        return not (self.has_earlier or self.has_later)

    def turn(self, event: Event) -> "Turn":
        """The turn that one of the events belongs to; what the window does not hold is looked up."""
        if not self.is_whole:
            return Turn(_number_of(event), *_turn_events(event))
        at = next(number for number, one in enumerate(self.events) if one.pk == event.pk)
        begins, ends = turn_around(self.events, at)
        number = sum(one.kind == "user" for one in self.events[: at + 1])
        return Turn(number, self.events[:begins], self.events[begins:ends])


@dataclass(frozen=True, slots=True)
class Turn:
    """Which of the person's messages began it, from 1, and what `explained` needs: of the events before it at least
    those of slots and forms."""

    number: int
    before: Sequence[Event]
    within: Sequence[Event]


def latest(conversation: Conversation) -> Window:
    found = list(_events(conversation).order_by(*_NEWEST_FIRST)[: SHOWN + 1])
    return Window(found[:SHOWN][::-1], has_earlier=len(found) > SHOWN, has_later=False)


def around(event: Event, each_side: int) -> Window:
    """`event` with its neighbours."""
    events = Event.objects.filter(conversation_id=event.conversation_id)
    before = list(events.filter(earlier_than(event)).order_by(*_NEWEST_FIRST)[: each_side + 1])
    after = list(events.filter(later_than(event)).order_by(*_OLDEST_FIRST)[: each_side + 1])
    return Window(
        [*before[:each_side][::-1], event, *after[:each_side]],
        has_earlier=len(before) > each_side,
        has_later=len(after) > each_side,
    )


def until(event: Event, count: int) -> Sequence[Event]:
    """`event` behind the last `count` before it."""
    events = Event.objects.filter(earlier_than(event), conversation_id=event.conversation_id)
    return [*events.order_by(*_NEWEST_FIRST)[:count][::-1], event]


def at(conversation: Conversation, asked: str, last: Window | None = None) -> Window:
    """The part around the event whose key is `asked`; without one, with one that is in no part, or that is in the last
    part: the last, which the caller may have."""
    last = last or latest(conversation)
    if not asked.isdecimal() or not last.has_earlier or any(event.pk == int(asked) for event in last.events):
        return last
    event = _events(conversation).filter(pk=int(asked)).first()
    return around(event, AROUND) if event else last


def all_of(conversation: Conversation) -> QuerySet[Event]:
    return _events(conversation).order_by(*_OLDEST_FIRST)


def _turn_events(event: Event) -> tuple[list[Event], list[Event]]:
    events = Event.objects.filter(conversation_id=event.conversation_id).order_by(*_OLDEST_FIRST)
    begins = event if event.kind == "user" else _latest_said(event)
    ends = events.filter(later_than(event), kind="user").first()
    within = events.filter(earlier_than(ends)) if ends else events
    if begins is None:
        return [], list(within[:SHOWN])
    since = Q(pk=begins.pk) | later_than(begins)
    before = events.filter(earlier_than(begins), kind__in=SLOT_KINDS)
    found = list(within.filter(since, timestamp__gte=begins.timestamp)[:SHOWN])
    return list(before), found[: turn_around(found, 0)[1]]


def _latest_said(event: Event) -> Event | None:
    """The user's message that `event` follows."""
    said = Event.objects.filter(earlier_than(event), conversation_id=event.conversation_id, kind="user")
    return said.order_by(*_NEWEST_FIRST).first()


def _number_of(event: Event) -> int:
    said = Event.objects.filter(conversation_id=event.conversation_id, kind="user")
    return said.filter(earlier_than(event)).count() + (event.kind == "user")


def earlier_than(event: Event) -> Q:
    at, rank = Q(timestamp=event.timestamp), Q(rank=event.rank)
    before = Q(timestamp__lt=event.timestamp) | at & Q(rank__lt=event.rank) | at & rank & Q(digest__lt=event.digest)
    return Q(timestamp__lte=event.timestamp) & before  # the first condition is what the index begins with


def later_than(event: Event) -> Q:
    at, rank = Q(timestamp=event.timestamp), Q(rank=event.rank)
    after = Q(timestamp__gt=event.timestamp) | at & Q(rank__gt=event.rank) | at & rank & Q(digest__gt=event.digest)
    return Q(timestamp__gte=event.timestamp) & after


def _events(conversation: Conversation) -> QuerySet[Event]:
    return Event.objects.filter(conversation=conversation)
