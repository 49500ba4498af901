"""What `/readyz` and pages say about ingestion."""

from conversations.models import IngestState
from studio.health import Part
from studio.jobs import heartbeat


def ingest_part() -> Part:
    """Degraded while nobody ingests, or while an environment's events cannot be taken."""
    if heartbeat.live("ingest") == 0:
        return Part("degraded", "No ingest process is running: conversations appear once one does.")
    failing = (
        IngestState.objects.filter(environment__removed_at=None, environment__assistant__deleted_at=None)
        .exclude(last_error="")
        .select_related("environment__assistant")
        .order_by("pk")
    )
    if not failing:
        return Part("ok")
    first = failing[0]
    return Part("degraded", f"{first.environment.assistant.slug}/{first.environment.name}: {first.last_error}")
