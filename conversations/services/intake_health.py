"""What `/readyz` says about ingestion."""

from django.db.models import Count, Q

from conversations.models import IntakeSource
from studio.health import Part
from studio.jobs import heartbeat


def ingest_part() -> Part:
    """Degraded while nobody ingests, or while a source's events cannot be taken. Nobody signs in here, so that it
    names no source: the page of the intake says which, and why."""
    if heartbeat.live("ingest") == 0:
        message = "No ingest process is running: conversations appear once one does."
        return Part("degraded", message, "Start `manage.py ingest`.")
    used = IntakeSource.objects.filter(removed_at=None, is_on=True, assistant__deleted_at=None)
    of_removed = Q(environment__removed_at__isnull=False)
    failing = ~Q(last_error="", alarm="") & ~of_removed
    found = used.aggregate(all=Count("pk"), failing=Count("pk", filter=failing))
    if found["failing"]:
        message = f"{found['failing']} of {found['all']} sources of events cannot be taken from."
        return Part("degraded", message, "The page of the intake says which, and why.")
    return Part("ok")
