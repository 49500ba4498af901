"""How work in the background leaves ingestion alone."""

from datetime import timedelta

from django.db.models import F, Sum
from django.utils import timezone

from conversations.models import IntakePosition

BEHIND = 20_000  # records; less is caught up with in a second or two


def is_ingestion_behind() -> bool:
    """Whether more waits in Kafka than ingestion takes in a moment, and it is at it."""
    lately = timezone.now() - timedelta(minutes=2)
    taken = IntakePosition.objects.filter(source__is_on=True, source__removed_at=None, moved_at__gt=lately)
    waiting = taken.filter(source__kind="kafka", end_offset__gt=F("next_offset"))
    lag = waiting.aggregate(lag=Sum(F("end_offset") - F("next_offset")))["lag"]
    return (lag or 0) > BEHIND
