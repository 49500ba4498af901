"""What the ingest process says of intake sources; what people say of them is in intake.py.

What was stored of them is counted in the transaction that stores it (ingest/write.py).
"""

from collections.abc import Iterable

from django.utils import timezone

from conversations.models import IntakeSource


def beat(source_ids: Iterable[int]) -> None:
    """These are taken from."""
    IntakeSource.objects.filter(pk__in=source_ids).update(heartbeat_at=timezone.now())


def say(source_id: int, message: str) -> None:
    """What is wrong with it now; empty when nothing is."""
    IntakeSource.objects.filter(pk=source_id).update(last_error=message)


def raise_alarm(source_id: int, why: str) -> None:
    """Nothing more is taken until a person says how to go on."""
    IntakeSource.objects.filter(pk=source_id).update(alarm=why)


def accept_no_longer(source_id: int) -> None:
    """Its records can be read again, so that the next trouble is an alarm again."""
    IntakeSource.objects.filter(pk=source_id).update(accepts_invalid=False)
