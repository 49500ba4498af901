"""The message inbox: which messages nobody looked at yet, who has which in front of them, and how many are left."""

from collections.abc import Collection

from conversations.models import Event, MessageLease
from studio.access.models import User


def same_words(actor: User, event: Event) -> list[int]:
    """Other messages that nobody looked at and that say the same, word for word."""
    return []


def release(*, actor: User, event_ids: Collection[int]) -> None:
    MessageLease.objects.filter(event__in=event_ids, person=actor).delete()
