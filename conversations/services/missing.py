"""Answers that Talk and share links got and whose events did not come: proof that something on the way is broken."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from conversations.ingest.whose import sender_key
from conversations.models import Conversation, TalkSession

OVERDUE_AFTER = timedelta(seconds=10)  # as Talk has it
FORGOTTEN_AFTER = timedelta(hours=1)  # a broker that was mended since need not be talked to at once
CLOCKS_DIFFER = timedelta(seconds=30)  # Rasa's from ours, at most


def missing_answers(environments: Iterable[int], *, ever: Iterable[int] = ()) -> dict[int, datetime]:
    """By environment, when the newest talk of it got an answer, if that one's events are overdue.

    `ever` are those of the environments in which it may also be long ago, for what has never brought anything.
    """
    now = timezone.now()
    then = now - FORGOTTEN_AFTER
    lately = Q(last_at__gt=then, answered_at__gt=then) | Q(environment__in=list(ever))  # the index has `last_at`
    talks = TalkSession.objects.filter(lately, environment__in=list(environments), answered_at__lt=now - OVERDUE_AFTER)
    newest = talks.order_by("environment_id", "-answered_at").distinct("environment_id")
    rows = list(newest.select_related("environment"))
    arrived = Conversation.objects.filter(
        assistant__in={one.environment.assistant_id for one in rows},
        sender_key__in=[sender_key(one.sender_id) for one in rows],
    )
    came = dict(arrived.values_list("sender_id", "last_event_at"))
    return {
        one.environment_id: one.answered_at
        for one in rows
        if one.answered_at and (came.get(one.sender_id) or 0.0) < (one.answered_at - CLOCKS_DIFFER).timestamp()
    }


def is_remembered(at: datetime) -> bool:
    """Whether an answer that was missing then still tells something of a source that has brought others."""
    return at > timezone.now() - FORGOTTEN_AFTER
