"""Text that somebody said. Words may stand anywhere in a conversation, each also inside of a longer word; what is in
quotation marks was said in one message, letter by letter."""

import re
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from conversations.models import Event, Term
from conversations.querysets import ConversationQuerySet
from conversations.search.terms import WORD, numbers, words

# The index answers for few words at once. For many it has to be asked alone, and of more there is one in nearly every
# conversation, so that looking is quicker.
FEW_WORDS = 16
MANY_WORDS = 3000
_QUOTED = re.compile(r'"([^"]*)"?')
_SAID = ("user", "bot", "agent")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search asks for: parts of words, each anywhere in the conversation, and phrases, each in one message."""

    parts: tuple[str, ...]
    phrases: tuple[str, ...]


def parse(text: str) -> Wanted:
    phrases = tuple(phrase.strip() for phrase in _QUOTED.findall(text) if phrase.strip())
    rest = _QUOTED.sub(" ", text)
    parts = words(rest)
    if not parts and rest.strip():  # nothing but signs: those are looked for as they stand
        phrases += (rest.strip(),)
    return Wanted(tuple(dict.fromkeys(parts)), phrases)


def saying(
    conversations: ConversationQuerySet, assistant_id: int, text: str, *, by_looking: bool = False
) -> ConversationQuerySet:
    """Those of the assistant in which everything that `text` asks for was said.

    `by_looking` reads what was said in each, where asking the index takes longer than that of a few conversations.
    """
    wanted = parse(text)
    parts = [*wanted.parts, *(part for phrase in wanted.phrases for part in words(phrase))]
    for part in dict.fromkeys(parts):
        conversations = conversations.filter(_with(assistant_id, part, by_looking=by_looking))
    for phrase in wanted.phrases:
        conversations = conversations.filter(_literally(phrase))
    return conversations


def _with(assistant_id: int, part: str, *, by_looking: bool) -> Q:
    """Condition on conversations: somebody said a word that contains `part`."""
    known = Term.objects.filter(assistant=assistant_id, kind=WORD, value__contains=part)
    found = list(known.values_list("value", flat=True)[: MANY_WORDS + 1])
    keys = numbers(assistant_id, (WORD + word for word in {part, *found}))
    if len(found) <= FEW_WORDS:
        return Q(entry__terms__overlap=keys)
    if by_looking or len(found) > MANY_WORDS:
        return Q(_literally(part))
    return Q(pk__in=RawSQL("SELECT conversations_with_any_term(%s)", [keys]))


def _literally(text: str) -> Exists:
    said = Event.objects.filter(conversation=OuterRef("pk"), kind__in=_SAID, text__icontains=text)
    return Exists(said)
