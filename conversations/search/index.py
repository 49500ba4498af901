"""Keeping what conversations are found by. Terms only ever come, so that no order in which events do shows."""

import time
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.backends.utils import CursorWrapper

from conversations.ingest.decode import storable
from conversations.search.terms import NAMED, number

MOST_TERMS = 20_000  # of one conversation: those with the smallest numbers, which no order of arrival changes

DAY = 86_400


def day_of(moment: str) -> str:
    """SQL for the day of a moment in seconds, both counted from 1970."""
    return f"floor({moment} / {DAY})::integer"


# The caller holds the conversations' rows, so that nobody changes their entries meanwhile.
_ADD_ENTRIES = f"""
WITH incoming AS (
    SELECT conversation_id, given.terms::bigint[] AS terms, {day_of("last_event_at")} AS day
    FROM unnest(%s::bigint[], %s::text[]) AS given (conversation_id, terms)
    JOIN conversations_conversation ON id = conversation_id
)
INSERT INTO conversations_searchentry AS entry (conversation_id, terms, day)
SELECT conversation_id, terms, day FROM incoming
WHERE NOT EXISTS (
    SELECT FROM conversations_searchentry AS known
    WHERE known.conversation_id = incoming.conversation_id
        AND known.terms @> incoming.terms AND known.day = incoming.day)
ON CONFLICT (conversation_id) DO UPDATE SET day = excluded.day, terms = ARRAY(
    SELECT unnest(entry.terms) UNION SELECT unnest(excluded.terms) ORDER BY 1 LIMIT {MOST_TERMS})
"""  # noqa: S608 - constants only
_ADD_TERMS = """
INSERT INTO conversations_term (assistant_id, kind, value)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
"""

Key = tuple[int, str]  # assistant and term


def add_terms(cursor: CursorWrapper, found: Mapping[tuple[int, int], set[str]]) -> None:
    """Add what was found of each (assistant, conversation) to the index; in the transaction that holds these rows."""
    _vocabulary.add(cursor, {(assistant, term) for (assistant, _), terms in found.items() for term in terms})
    conversations = [conversation for _, conversation in found]
    numbers = [sorted(number(assistant, term) for term in terms) for (assistant, _), terms in found.items()]
    # As parameters, not by COPY: whoever stands still within one would hold the rows for ever.
    cursor.execute(_ADD_ENTRIES, [conversations, [f"{{{','.join(map(str, one[:MOST_TERMS]))}}}" for one in numbers]])


class _Vocabulary:
    """The words and names of all assistants, of which this process remembers for a while which are stored."""

    SECONDS = 600.0  # a word leaves the table when the last conversation that had it is erased
    MOST = 50_000

    def __init__(self) -> None:
        self._stored: set[Key] = set()
        self._since = 0.0

    def add(self, cursor: CursorWrapper, terms: Iterable[Key]) -> None:
        if time.monotonic() - self._since > self.SECONDS or len(self._stored) > self.MOST:
            self._stored, self._since = set(), time.monotonic()
        # In their order: two processes with new words in common wait for each other, but never in a ring.
        new = sorted({one for one in terms if one[1][0] in NAMED and _is_storable(one[1])} - self._stored)
        if new:
            rows = [(assistant, term[0], term[1:]) for assistant, term in new]
            cursor.execute(_ADD_TERMS, [list(column) for column in zip(*rows, strict=True)])
            transaction.on_commit(lambda: self._stored.update(new))


_vocabulary = _Vocabulary()


def _is_storable(term: str) -> bool:
    """Names that entities were given can hold what PostgreSQL's text refuses; they are found whole all the same."""
    return storable(term, len(term)) == term
