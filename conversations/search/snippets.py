"""Where in a conversation something was said that a search asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import OuterRef, Q, Subquery

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
    def of(cls, event_id: int, text: str, place: re.Match[str]) -> Self:
        first, last = max(0, place.start() - AROUND), place.end() + AROUND
        before = ("…" if first else "") + text[first : place.start()]
        after = text[place.end() : last] + ("…" if last < len(text) else "")
        return cls(event_id, before, place[0], after)


def snippets(conversations: Sequence[Conversation], text: str) -> dict[int, Snippet]:
    """Of the first message of each in which a phrase or word of `text` stands letter by letter. Two queries."""
    wanted = parse(text)
    looked_for = wanted.phrases or wanted.parts  # a phrase is rarer than the words beside it
    if not looked_for or not conversations:
        return {}
    stands = Q()
    for one in looked_for:
        stands |= Q(text__icontains=one)
    said = Event.objects.filter(conversation=OuterRef("pk"), kind__in=SAID).filter(stands)
    first = Subquery(said.order_by("timestamp", "digest").values("pk")[:1])
    rows = Conversation.objects.filter(pk__in=[one.pk for one in conversations])
    places = dict(rows.order_by().values_list("pk", first))
    texts = dict(Event.objects.filter(pk__in=[pk for pk in places.values() if pk]).values_list("pk", "text"))
    pattern = re.compile("|".join(map(re.escape, looked_for)), re.IGNORECASE)
    found = {pk: (event, texts[event], pattern.search(texts[event])) for pk, event in places.items() if event in texts}
    return {pk: Snippet.of(event, said_text, place) for pk, (event, said_text, place) in found.items() if place}
