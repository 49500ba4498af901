"""Where in a conversation something was said that a search asked for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import JSONObject

from conversations.models import Conversation, Event
from conversations.search.terms import SAID
from conversations.search.text import parse

AROUND = 60  # characters on each side of what was found


@dataclass(frozen=True, slots=True)
class Snippet:
    """A message, cut to what stands around the words that were found."""

    event_id: int
    before: str
    found: str
    after: str

    @classmethod
    def of(cls, pk: int, text: str, place: re.Match[str]) -> Self:
        first, last = max(0, place.start() - AROUND), place.end() + AROUND
        before = ("…" if first else "") + text[first : place.start()]
        after = text[place.end() : last] + ("…" if last < len(text) else "")
        return cls(pk, before, place[0], after)


def snippets(conversations: Sequence[Conversation], text: str) -> dict[int, Snippet]:
    """Of the first message of each in which a phrase or word of `text` stands letter by letter. One query."""
    looked_for = _looked_for(text)
    if not looked_for or not conversations:
        return {}
    stands = Q()
    for one in looked_for:
        stands |= Q(text__icontains=one)
    said = Event.objects.filter(conversation=OuterRef("pk"), kind__in=SAID).filter(stands)
    first = said.order_by("timestamp", "digest").values(found=JSONObject(pk="pk", text="text"))[:1]
    rows = Conversation.objects.filter(pk__in=[one.pk for one in conversations])
    messages = {pk: message for pk, message in rows.order_by().values_list("pk", Subquery(first)) if message}
    pattern = _pattern(looked_for)
    places = {pk: pattern.search(message["text"]) for pk, message in messages.items()}
    return {pk: Snippet.of(**messages[pk], place=place) for pk, place in places.items() if place}


def first_said(events: Iterable[Event], text: str) -> Event | None:
    """Of the events of a conversation, in their order, the first in which `snippets` would find it."""
    looked_for = _looked_for(text)
    if not looked_for:
        return None
    pattern = _pattern(looked_for)
    return next((one for one in events if one.kind in SAID and pattern.search(one.text)), None)


def _looked_for(text: str) -> Sequence[str]:
    """A phrase is rarer than the words beside it."""
    wanted = parse(text)
    return wanted.phrases or wanted.parts


def _pattern(looked_for: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, looked_for)), re.IGNORECASE)
