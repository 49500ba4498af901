"""The message inbox: which messages nobody looked at yet, who has which in front of them, and how many are left.

A window of days is read day by day and environment by environment, each from an index that has its least certain
messages first. So what a page costs follows from the length of its window, not from how many messages there are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import TYPE_CHECKING, Any, Self, TypedDict

from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from conversations.models import Event, MessageLease
from conversations.naming import models_of
from conversations.services import open_pages
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import Permission

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Named(TypedDict):
        model_name: str | None  # that people know; None for a model that was never here

    Asked = WithAnnotations[Event, _Named]  # one of `messages`
else:
    Asked = Event

LEASE = timedelta(seconds=open_pages.SECONDS)  # renewed while the message is open
COUNTED = 1000  # of messages that are left, or say the same; beyond, more is all that matters
AHEAD = 8  # messages looked at to find one that is free
_DAY_SECONDS = 86_400

# As the indexes of models/conversations.py have them.
_UNCERTAINTY = "CASE WHEN event.name = 'nlu_fallback' THEN 0.0 ELSE event.confidence END"
_DAY = 'floor(event."timestamp" / 86400.0)'
_ASKED = """event.kind = 'user' AND event.text <> '' AND event.text NOT LIKE '/%%'
    AND (event.confidence < 0.8 OR event.name = 'nlu_fallback')"""
_IN_INBOX = f"{_ASKED} AND NOT event.is_looked_at"
_NARROWED = f"""{_UNCERTAINTY} < %(below)s AND event."timestamp" >= %(since)s AND event."timestamp" < %(until)s
        AND conversation.environment_id = ANY(%(environments)s::bigint[]) {{narrowed}}"""
_FOUND = f"""
SELECT found.* FROM unnest({{places}}) AS place (id)
CROSS JOIN unnest(%(models)s::varchar[]) AS model (id)
CROSS JOIN generate_series(%(first_day)s::integer, %(last_day)s::integer) AS day (number)
CROSS JOIN LATERAL (
    SELECT event.id, {_UNCERTAINTY} AS uncertainty
    FROM conversations_event AS event
    JOIN conversations_conversation AS conversation ON conversation.id = event.conversation_id
    WHERE event.environment_id {{is_place}} AND {_DAY} = day.number::double precision AND {_IN_INBOX}
        AND {_NARROWED}
    {{ordered}}
) AS found
"""  # noqa: S608 - constants only, here and below
# Events of a name that an environment adopted afterwards are of none themselves; their conversation is. Where none did,
# there is no place to look for them.
_PLACES = {"places": "%(environments)s::bigint[]", "is_place": "= place.id"}
_ADOPTED = {
    "places": """ARRAY(SELECT 0 WHERE EXISTS (
        SELECT FROM conversations_intakestream WHERE adopted_by_id = ANY(%(environments)s::bigint[])))""",
    "is_place": "IS NULL",
}
# What others have in front of them: the same words said elsewhere are as good as taken.
_NOT_TAKEN = """ AND event.text <> ALL(ARRAY(
    SELECT held.text FROM conversations_messagelease AS lease
    JOIN conversations_event AS held ON held.id = lease.event_id
    WHERE lease.until > %(now)s AND lease.person_id <> %(person)s AND lease.assistant_id IN (
        SELECT assistant_id FROM environments_environment WHERE id = ANY(%(environments)s::bigint[]))))"""
_ORDER = "ORDER BY {0}, {1} DESC LIMIT %(limit)s"

# What was said since a moment was answered since then: the index of corrections begins with that. A message that was
# settled as the same words, and then answered itself, is counted once.
_DONE = f"""
SELECT count(*) FROM (
    SELECT 1 FROM conversations_correction AS correction
    CROSS JOIN LATERAL unnest(correction.event_id || correction.also) AS settled (id)
    JOIN conversations_event AS event ON event.id = settled.id
    JOIN conversations_conversation AS conversation ON conversation.id = event.conversation_id
    CROSS JOIN unnest(%(models)s::varchar[]) AS model (id)
    WHERE correction.assistant_id = %(assistant)s AND correction.at >= %(answered_since)s AND {_ASKED}
        AND (settled.id = correction.event_id
            OR NOT EXISTS (SELECT 1 FROM conversations_correction AS own WHERE own.event_id = settled.id))
        AND {_NARROWED}
    LIMIT %(limit)s
) AS done
"""  # noqa: S608
_SAME_WORDS = f"""
SELECT event.id FROM conversations_event AS event
JOIN conversations_conversation AS conversation ON conversation.id = event.conversation_id
WHERE (event.environment_id = ANY(%(environments)s::bigint[]) OR event.environment_id IS NULL)
    AND hashtext(event.text) = hashtext(%(text)s) AND event.text = %(text)s AND {_IN_INBOX} AND event.id <> %(event)s
    AND conversation.environment_id = ANY(%(environments)s::bigint[])
LIMIT {COUNTED}
"""  # noqa: S608
_TAKE = """
INSERT INTO conversations_messagelease AS lease (event_id, conversation_id, assistant_id, person_id, until)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (event_id) DO UPDATE SET person_id = excluded.person_id, until = excluded.until
    WHERE lease.until < %s OR lease.person_id = excluded.person_id
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: of these environments, said between two moments, less certain than `below`."""

    environments: Sequence[int]
    since: datetime
    until: datetime
    below: float
    intent: str | None = None  # "" for those of which NLU named none
    models: Sequence[str] | None = None  # Rasa's ids
    own_too: bool = False  # what the team said itself, in Talk and by share links


@dataclass(frozen=True, slots=True)
class Spot:
    """The place of a message in the inbox. As text: `0.41-1234`."""

    uncertainty: float
    pk: int

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(0.0 if event.name == "nlu_fallback" else event.confidence or 0.0, event.pk)


def places_of(user: User, assistant: Assistant) -> list[Environment]:
    """Environments of the assistant where the person may both read what people said and say what it was."""
    seen = Environment.objects.heard_by(user, Permission.CONVERSATIONS_VIEW)
    return list(seen & Environment.objects.heard_by(user, Permission.CONVERSATIONS_FLAG).filter(assistant=assistant))


def find(
    wanted: Wanted,
    *,
    after: Spot | None = None,
    without: Collection[str] = (),
    free_for: User | None = None,
    limit: int = AHEAD,
) -> list[Asked]:
    """Messages that nobody looked at, least certain first, from behind `after` on, without those texts, and without
    what others than `free_for` have in front of them."""
    narrowed, values = _narrowed(wanted)
    if after is not None:
        narrowed += f""" AND {_UNCERTAINTY} >= %(after)s
            AND ({_UNCERTAINTY} > %(after)s OR event.id < %(after_pk)s)"""
        values |= {"after": after.uncertainty, "after_pk": after.pk}
    if without:
        narrowed += " AND event.text <> ALL(%(without)s)"
        values["without"] = list(without)
    if free_for is not None:
        narrowed += _NOT_TAKEN
        values |= {"now": timezone.now(), "person": free_for.pk}
    found = _found(narrowed, _ORDER.format(_UNCERTAINTY, "event.id"))
    query = f"SELECT id FROM ({found}) AS waiting {_ORDER.format('uncertainty', 'id')}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, values | {"limit": limit})
        keys = [key for (key,) in cursor.fetchall()]
    events = messages().in_bulk(keys)
    return [events[key] for key in keys if key in events]


def messages() -> QuerySet[Asked]:
    """Messages with what the inbox shows beside them."""
    named = models_of(OuterRef("conversation__assistant"), OuterRef("model_id")).values("name")[:1]
    rows = Event.objects.select_related("conversation__environment", "conversation__assistant")
    return rows.annotate(model_name=Subquery(named))


def left(wanted: Wanted) -> int:
    """How many wait; COUNTED + 1 for more than COUNTED."""
    narrowed, values = _narrowed(wanted)
    with connection.cursor() as cursor:
        cursor.execute(_left(narrowed), values | {"limit": COUNTED + 1})
        return int(cursor.fetchone()[0])


def progress(wanted: Wanted, assistant: Assistant) -> tuple[int, int]:
    """How many wait, and how many of such messages people settled, also as the same words. COUNTED + 1 for more than
    COUNTED."""
    narrowed, values = _narrowed(wanted)
    values |= {"assistant": assistant.pk, "answered_since": wanted.since, "limit": COUNTED + 1}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ({_left(narrowed)}), ({_DONE.format(narrowed=narrowed)})", values)
        waiting, settled = cursor.fetchone()
        return waiting, settled


def _left(narrowed: str) -> str:
    found = _found(narrowed, "LIMIT %(limit)s")
    return f"SELECT count(*) FROM ({found} LIMIT %(limit)s) AS waiting"  # noqa: S608


def _found(narrowed: str, ordered: str) -> str:
    parts = (_FOUND.format(**part, narrowed=narrowed, ordered=ordered) for part in (_PLACES, _ADOPTED))
    return " UNION ALL ".join(parts)


def _narrowed(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Conditions beside those that every list has, and all values."""
    narrowed = ""
    if not wanted.own_too:
        narrowed += " AND conversation.origin = 'real'"
    if wanted.intent is not None:
        narrowed += " AND event.name = %(intent)s"
    if wanted.models is not None:
        narrowed += " AND event.model_id = model.id"  # one after the other, so that each comes in its order
    since, until = wanted.since.timestamp(), wanted.until.timestamp()
    values = {
        "environments": list(wanted.environments),
        "first_day": floor(since / _DAY_SECONDS),
        "last_day": floor(until / _DAY_SECONDS),
        "since": since,
        "until": until,
        "below": wanted.below,
        "intent": wanted.intent,
        "models": [""] if wanted.models is None else list(wanted.models),
    }
    return narrowed, values


def next_free(
    *, actor: User, wanted: Wanted, after: Event | None = None, skipped: Collection[int] = (), page: str = ""
) -> Asked | None:
    """The first message that nobody else has in front of them, now held for the person. None when there is none, or
    when the page of that name was left.

    It says something else than `after`, and than the messages of the keys `skipped`.
    """
    spot, passed = (Spot.of(after), {after.text}) if after else (None, set[str]())
    passed |= _texts_of(wanted, skipped)
    while found := find(wanted, after=spot, without=passed, free_for=actor):
        for event in found:
            if hold(actor=actor, event=event, page=page):
                return event
        if open_pages.is_gone(actor.pk, page):
            return None
        spot = Spot.of(found[-1])
    return None


def _texts_of(wanted: Wanted, events: Collection[int]) -> set[str]:
    """What they say, as far as they are of the wanted environments."""
    if not events:
        return set()
    rows = Event.objects.filter(pk__in=events, conversation__environment__in=wanted.environments)
    return set(rows.values_list("text", flat=True))


def hold(*, actor: User, event: Event, page: str = "") -> bool:
    """Take the message, or keep it, for some minutes. False when somebody else has it, or when the page was left."""
    if not open_pages.enter(actor.pk, event.pk, page):
        return False
    if not _take(actor, event):
        open_pages.forget(actor.pk, [event.pk], page)
        return False
    if open_pages.enter(actor.pk, event.pk, page):
        return True
    release(actor=actor, event_ids=[event.pk], page=page)  # it was left meanwhile, when there was no lease yet
    return False


def _take(actor: User, event: Event) -> bool:
    now = timezone.now()
    values = (event.pk, event.conversation_id, event.conversation.assistant_id, actor.pk, now + LEASE, now)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        return cursor.fetchone() is not None


def holder(event: Event, *, other_than: User) -> str:
    """The name of who has the message in front of them; empty when nobody else has."""
    leases = MessageLease.objects.filter(event=event, until__gt=timezone.now()).exclude(person=other_than)
    lease = leases.select_related("person").first()
    return (lease.person.name or lease.person.username) if lease else ""


@transaction.atomic
def release(*, actor: User, event_ids: Collection[int], page: str = "", is_gone: bool = False) -> None:
    """Let others have them. A page lets go of what no other page of the person has open; `is_gone`: it was left."""
    if page:
        open_pages.leave(actor.pk, event_ids, page, is_gone=is_gone)
    else:
        open_pages.forget(actor.pk, event_ids, page)
    if is_gone:
        event_ids = {*event_ids, *open_pages.entered(actor.pk, page)}
    # Locked before it is asked who has them open: whoever takes one from here on does so when this is done.
    leases = list(MessageLease.objects.select_for_update().filter(event__in=event_ids, person=actor))
    free = [lease.pk for lease in leases if not (page and open_pages.is_open(actor.pk, lease.event_id))]
    MessageLease.objects.filter(pk__in=free).delete()


def sweep() -> int:
    """Periodic work: leases that ended."""
    return MessageLease.objects.filter(until__lt=timezone.now() - LEASE).delete()[0]


def same_words(actor: User, event: Event, places: Sequence[Environment] | None = None) -> list[int]:
    """Other messages that nobody looked at, where the person may, and that say the same; at most COUNTED.

    `places` are where the person may, if the caller has them.
    """
    places = places_of(actor, event.conversation.assistant) if places is None else places
    with connection.cursor() as cursor:
        cursor.execute(_SAME_WORDS, {"environments": [one.pk for one in places], "text": event.text, "event": event.pk})
        return [key for (key,) in cursor.fetchall()]
