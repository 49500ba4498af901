"""Text that somebody said. Words may stand anywhere in a conversation, each also inside of a longer word; what is in
quotation marks was said in one message, letter by letter."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.expressions import RawSQL

from conversations.models import Event, Term
from conversations.querysets import ConversationQuerySet
from conversations.search.terms import SAID, WORD, numbers, words

# The index answers for few words at once. For many it has to be asked alone, and of more there is one in nearly every
# conversation, so that looking is quicker.
FEW_WORDS = 64
MANY_WORDS = 3000
_QUOTED = re.compile(r'"([^"]*)"?')


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


class Search:
    """What `text` asks for among the conversations of an assistant. The vocabulary is asked once, when it is made."""

    def __init__(self, assistant_id: int, text: str) -> None:
        wanted = parse(text)
        self._assistant_id, self._phrases = assistant_id, wanted.phrases
        parts = [(part, "contains") for part in wanted.parts]
        of_phrases = [one for phrase in wanted.phrases for one in _words_of_phrase(phrase)]
        known = _words_with(assistant_id, [*parts, *of_phrases])
        self._words = dict(zip(wanted.parts, known, strict=False))
        # Those in whose words the index can look before the phrase itself is looked for.
        ahead = zip(of_phrases, known[len(parts) :], strict=True)
        self._ahead = {part: found for (part, _), found in ahead if len(found) <= FEW_WORDS}

    def narrow(self, conversations: ConversationQuerySet, *, by_looking: bool = False) -> ConversationQuerySet:
        """Those in which everything was said.

        `by_looking` reads what was said in each, where asking the index takes longer than that of a few conversations.
        """
        for part, found in (self._ahead | self._words).items():
            conversations = conversations.filter(self._with(part, found, by_looking=by_looking))
        for phrase in self._phrases:
            conversations = conversations.filter(_literally(phrase))
        return conversations

    def _with(self, part: str, found: list[str], *, by_looking: bool) -> Q:
        """Condition on conversations: somebody said a word that contains `part`."""
        keys = numbers(self._assistant_id, (WORD + word for word in {part, *found}))
        if len(found) <= FEW_WORDS:
            return Q(entry__terms__overlap=keys)
        if by_looking or len(found) > MANY_WORDS:
            return Q(_literally(part))
        return Q(pk__in=RawSQL("SELECT conversations_with_any_term(%s)", [keys]))


def _words_of_phrase(phrase: str) -> Iterator[tuple[str, str]]:
    """Each word of it, and how it was said: the first may end a longer one, the last may begin one."""
    parts = words(phrase)
    lookups = ["endswith", *["exact"] * (len(parts) - 2), "startswith"] if len(parts) > 1 else ["contains"]
    return zip(parts, lookups, strict=False)


def _words_with(assistant_id: int, wanted: Sequence[tuple[str, str]]) -> list[list[str]]:
    """For each part and lookup the words that anybody said, at most one more than are many. One query."""
    found: list[list[str]] = [[] for _ in wanted]
    known = Term.objects.filter(assistant=assistant_id, kind=WORD)
    rows = [
        known.filter(**{f"value__{lookup}": part}).values_list(Value(at), "value")[: MANY_WORDS + 1]
        for at, (part, lookup) in enumerate(wanted)
    ]
    for at, word in rows[0].union(*rows[1:], all=True) if rows else ():
        found[at].append(word)
    return found


def _literally(text: str) -> Exists:
    said = Event.objects.filter(conversation=OuterRef("pk"), kind__in=SAID, text__icontains=text)
    return Exists(said)
