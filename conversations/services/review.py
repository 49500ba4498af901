"""What the team made of a conversation, and what each person has read of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, ReadMark
from studio.access.models import User
from studio.errors import Conflict, Invalid

Review = Conversation.Review
_COLUMNS = ("review_state", "reviewed_by_id", "reviewed_at", "reviewed_events")
_SALT = "conversations.review"
_UNDONE_WITHIN = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`undo` brings back what was there before; it is empty where nothing changed."""

    state: str
    undo: str = ""


@transaction.atomic
def review(*, actor: User, conversation: Conversation, state: str) -> Reviewed:
    """Set the team's state: reviewed, saved, or empty. Who said the same of the same events before keeps the credit."""
    if state not in ("", *Review.values):
        raise Invalid("A conversation is reviewed, saved for later, or neither.")
    row = _locked(conversation)
    if row.review_state == state and (not state or row.reviewed_events == row.events_count):
        return Reviewed(state)
    before = _columns(row)
    row.review_state = state
    row.reviewed_by, row.reviewed_at = (actor, timezone.now()) if state else (None, None)
    row.reviewed_events = row.events_count if state else 0
    row.save(update_fields=["review_state", "reviewed_by", "reviewed_at", "reviewed_events"])
    return Reviewed(state, signing.dumps({"of": row.pk, "before": before, "after": _columns(row)}, salt=_SALT))


@transaction.atomic
def undo_review(*, actor: User, conversation: Conversation, undo: str) -> Reviewed:
    """Bring back what `review` replaced, the former reviewer included, unless somebody changed it since."""
    try:
        kept = signing.loads(undo, salt=_SALT, max_age=_UNDONE_WITHIN)
    except signing.BadSignature as error:
        raise Invalid("That can no longer be undone. Set the state you want instead.") from error
    row = _locked(conversation)
    if kept["of"] != row.pk:
        raise Invalid("That was another conversation.")
    if _columns(row) != kept["after"]:
        raise Conflict("Somebody else has changed the review meanwhile, so nothing was undone.")
    before = kept["before"]
    at = datetime.fromisoformat(before["reviewed_at"]) if before["reviewed_at"] else None
    by = User.objects.filter(pk=before["reviewed_by_id"]).first()
    Conversation.objects.filter(pk=row.pk).update(**{**before, "reviewed_at": at, "reviewed_by_id": by and by.pk})
    return Reviewed(before["review_state"])


def mark_read(*, actor: User, conversation: Conversation, until: float) -> None:
    """The person has seen it up to `until`, a time of Rasa's. Never back, because two tabs may differ."""
    until = min(until, conversation.last_event_at)
    mark, is_new = ReadMark.objects.get_or_create(
        person=actor, conversation=conversation, defaults={"read_until": until}
    )
    if not is_new:
        ReadMark.objects.filter(pk=mark.pk, read_until__lt=until).update(read_until=until, at=timezone.now())


def mark_unread(*, actor: User, conversation: Conversation) -> None:
    ReadMark.objects.filter(person=actor, conversation=conversation).delete()


def unread_among(person: User, conversations: Sequence[Conversation]) -> set[int]:
    """The keys of those that the person has not read to their end; one query for a page of a list."""
    marks = ReadMark.objects.filter(person=person, conversation__in=[one.pk for one in conversations])
    until = dict(marks.values_list("conversation_id", "read_until"))
    return {one.pk for one in conversations if until.get(one.pk, float("-inf")) < one.last_event_at}


def _locked(conversation: Conversation) -> Conversation:
    """Ingestion adds events meanwhile; what we compare with must be what we replace."""
    return Conversation.objects.select_for_update(no_key=True).get(pk=conversation.pk)


def _columns(row: Conversation) -> dict[str, Any]:
    """As JSON keeps them."""
    values = {name: getattr(row, name) for name in _COLUMNS}
    return values | {"reviewed_at": row.reviewed_at.isoformat() if row.reviewed_at else None}
