"""Flags and tags on conversations and on their messages."""

import re
from collections import defaultdict
from dataclasses import dataclass

from django.db import connection, transaction

from conversations.models import Conversation, Event, Mark
from conversations.models.review import LONGEST_TAG
from studio.access.models import User
from studio.errors import Invalid

MOST_MARKS = 200  # of one conversation with its messages
LONGEST_NOTE = 2000
OFFERED = 200
_NAME = re.compile(r"[a-z0-9 -]+")
# A loose scan: each step finds the next name in the index, so that a million marks cost what their names do.
_NAMES = """
WITH RECURSIVE found (name) AS (
    (SELECT name FROM conversations_mark WHERE assistant_id = %(assistant)s AND name > '' ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT name FROM conversations_mark WHERE assistant_id = %(assistant)s AND name > found.name
            ORDER BY name LIMIT 1)
    FROM found WHERE found.name IS NOT NULL
)
SELECT name FROM found WHERE name IS NOT NULL LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A conversation, or one of its events."""

    conversation: Conversation
    event: Event | None = None


def tag_name(typed: str) -> str:
    """As tags are kept: small letters, one space between words. Raises Invalid."""
    name = " ".join(typed.lower().split())
    if not _NAME.fullmatch(name):
        raise Invalid("A tag is made of letters a to z, digits, spaces and dashes.")
    if len(name) > LONGEST_TAG:
        raise Invalid(f"A tag has at most {LONGEST_TAG} characters.")
    return name


def tag_names(assistant_id: int) -> list[str]:
    """Tags that are in use, by the alphabet."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"assistant": assistant_id, "most": OFFERED})
        return [name for (name,) in cursor.fetchall()]


def marks_of(conversation: Conversation) -> dict[int | None, list[Mark]]:
    """By the event that they stand on; None for the conversation itself. Flags come before tags."""
    found: dict[int | None, list[Mark]] = defaultdict(list)
    for mark in Mark.objects.filter(conversation=conversation).select_related("by"):
        found[mark.event_id].append(mark)
    return found


def set_flag(*, actor: User, target: Target, note: str = "") -> Mark:
    return _mark(actor, target, Mark.Kind.FLAG, "", note)


def set_tag(*, actor: User, target: Target, name: str, note: str = "") -> Mark:
    return _mark(actor, target, Mark.Kind.TAG, tag_name(name), note)


@transaction.atomic
def remove_mark(*, actor: User, mark: Mark) -> None:
    """Whoever set it. Removed already is as good."""
    conversation = _locked(mark.conversation_id)
    Mark.objects.filter(pk=mark.pk).delete()
    _sum_up(conversation)


@transaction.atomic
def set_note(*, actor: User, mark: Mark, note: str) -> None:
    _check(note)
    Mark.objects.filter(pk=mark.pk).update(note=note)


@transaction.atomic
def _mark(actor: User, target: Target, kind: Mark.Kind, name: str, note: str) -> Mark:
    """Of what is there already, the first keeps its person and time."""
    _check(note)
    conversation = _locked(target.conversation.pk)
    marks = Mark.objects.filter(conversation=conversation)
    found = marks.filter(event=target.event, kind=kind, name=name).first()
    if found is not None:
        return found
    if marks.count() >= MOST_MARKS:
        raise Invalid(f"A conversation holds at most {MOST_MARKS} flags and tags. Remove one first.")
    mark = Mark.objects.create(
        assistant_id=conversation.assistant_id,
        conversation=conversation,
        event=target.event,
        kind=kind,
        name=name,
        note=note,
        by=actor,
    )
    _sum_up(conversation)
    return mark


def _check(note: str) -> None:
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"A note has at most {LONGEST_NOTE:,} characters.")


def _locked(pk: int) -> Conversation:
    """So that two people who mark at once do not each count without the other."""
    return Conversation.objects.select_for_update(no_key=True).get(pk=pk)


def _sum_up(conversation: Conversation) -> None:
    """What lists are filtered by stands on the conversation itself."""
    marks = list(Mark.objects.filter(conversation=conversation).values_list("kind", "name"))
    conversation.is_flagged = any(kind == Mark.Kind.FLAG for kind, _ in marks)
    conversation.tags = sorted({name for kind, name in marks if kind == Mark.Kind.TAG})
    conversation.save(update_fields=["is_flagged", "tags"])
