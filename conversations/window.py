"""A stretch of a conversation's events: all of nearly every conversation, a part of the endless ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from conversations.models import Conversation, Event
from conversations.presentation.slots import KINDS as SLOT_KINDS

SHOWN = 1000
AROUND = SHOWN // 2

_NEWEST_FIRST = ("-timestamp", "-rank", "-digest")
_OLDEST_FIRST = ("timestamp", "rank", "digest")


@dataclass(frozen=True, slots=True)
class Window:
    """Events in their order, and whether there are more on either side."""

    events: Sequence[Event]
    has_earlier: bool
    has_later: bool


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


def slot_events(event: Event) -> QuerySet[Event]:
    """What `slots_after` needs to know what slots held once the turn that `event` belongs to was over."""
    events = Event.objects.filter(conversation_id=event.conversation_id)
    next_turn = events.filter(later_than(event), kind="user").order_by(*_OLDEST_FIRST).first()
    changes = events.filter(kind__in=SLOT_KINDS).order_by(*_OLDEST_FIRST)
    return changes.filter(earlier_than(next_turn)) if next_turn else changes


def number_of(event: Event) -> int:
    """Which of the person's messages it is, from 1."""
    said = Event.objects.filter(conversation_id=event.conversation_id, kind="user")
    return said.filter(earlier_than(event)).count() + 1


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
