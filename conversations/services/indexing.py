"""The search index of conversations that were stored before there was one."""

import time
from collections import defaultdict
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Case, TextField, Value, When

from conversations.ingest import statements
from conversations.ingest.decode import read_payload
from conversations.ingest.write import again_when_interrupted
from conversations.models import Conversation, Event, SearchEntry, Term
from conversations.search.index import add_terms
from conversations.search.terms import KINDS_WITH_TERMS_INSIDE, NAMED, number, of_event

CHUNK = 200
SECONDS = 5.0  # at a time: other periodic work waits


def terms_of(ids: list[int]) -> dict[tuple[int, int], set[str]]:
    """What each (assistant, conversation) is found by, of all its events."""
    found: dict[tuple[int, int], set[str]] = defaultdict(set)
    payload = Case(
        When(kind__in=KINDS_WITH_TERMS_INSIDE, then="payload"), default=Value("{}"), output_field=TextField()
    )
    columns = "conversation__assistant", "conversation", "kind", "name", "policy", "channel", "model_id", "text"
    events = Event.objects.filter(conversation__in=ids).annotate(inside=payload)
    for assistant, key, kind, name, policy, channel, model_id, text, inside in events.values_list(*columns, "inside"):
        about = {"name": name, "policy": policy, "channel": channel, "model_id": model_id, "text": text}
        found[assistant, key] |= of_event(kind, **about, event=read_payload(inside))
    return found


@dataclass
class _Missing:
    """How far this process has looked. Ingestion indexes what it stores, so nobody has to look twice."""

    after: int = 0
    is_done: bool = False


_missing = _Missing()


def index_missing() -> int:
    """Index some of the conversations that are not yet; returns how many, 0 once there are none."""
    began, done = time.monotonic(), 0
    while not _missing.is_done and time.monotonic() - began < SECONDS:
        unindexed = Conversation.objects.filter(pk__gt=_missing.after, entry=None).order_by("pk")
        ids = list(unindexed.values_list("pk", flat=True)[:CHUNK])
        if ids:
            again_when_interrupted(lambda ids=ids: _index(ids))  # type: ignore[misc]
            _missing.after, done = ids[-1], done + len(ids)
        _missing.is_done = not ids
    return done


@transaction.atomic
def _index(ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements.LOCK_FOR_REBUILD, [ids])
        add_terms(cursor, terms_of(ids))


def forget_terms(ids: list[int]) -> None:
    """Words and names that no conversation has but these, which are about to be erased, leave the vocabulary."""
    found: dict[int, set[str]] = defaultdict(set)
    for (assistant, _), terms in terms_of(ids).items():
        found[assistant] |= {term for term in terms if term[0] in NAMED}
    for assistant, terms in found.items():
        known = {number(assistant, term): term for term in terms}
        others = SearchEntry.objects.exclude(conversation__in=ids)
        newest = others.filter(conversation__assistant=assistant).order_by("-conversation__last_event_at")
        for entry in newest.values_list("terms", flat=True)[:LOOKED_AT]:
            for one in entry:
                known.pop(one, None)
        with connection.cursor() as cursor:
            cursor.execute(_NOWHERE_ELSE, [list(known), ids])
            gone = [known[one] for (one,) in cursor.fetchall()]
        for kind in NAMED:
            values = [term[1:] for term in gone if term[0] == kind]
            Term.objects.filter(assistant=assistant, kind=kind, value__in=values).delete()


# What is common is in the newest conversations already: asking the index for it would gather all that have it.
LOOKED_AT = 1000
_NOWHERE_ELSE = """
SELECT term FROM unnest(%s::bigint[]) AS term
WHERE NOT EXISTS (
    SELECT FROM conversations_searchentry WHERE terms @> ARRAY[term] AND conversation_id <> ALL(%s))
"""
