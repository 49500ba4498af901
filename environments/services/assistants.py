"""Ending an assistant, which concerns the servers of its environments. Making one: birth.py."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from environments.models import ManagedServer, Replica
from models_app.models import Assistant
from models_app.services.assistants import mark_deleted
from studio.access.models import User
from studio.errors import Conflict

STILL_POLLING = timedelta(minutes=2)


@transaction.atomic
def delete_assistant(*, actor: User, assistant: Assistant) -> None:
    """Hide the assistant for good, unless Rasa servers still take their models from it."""
    if polling := names_still_polled(assistant):
        raise Conflict(
            f"Rasa servers still poll for {' and '.join(polling)}. Stop them, or point them elsewhere, and try again "
            "two minutes later."
        )
    ManagedServer.objects.filter(environment__assistant=assistant).update(wanted=False)
    mark_deleted(actor=actor, assistant=assistant)


def names_still_polled(assistant: Assistant) -> list[str]:
    """Names of its environments for which a replica asked within the last two minutes."""
    seen = Replica.objects.filter(environment__assistant=assistant, last_seen_at__gte=timezone.now() - STILL_POLLING)
    return sorted(set(seen.values_list("environment__name", flat=True)))
