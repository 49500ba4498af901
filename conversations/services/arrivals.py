"""What environments' pages say of the events that come back."""

import time
from collections import defaultdict
from collections.abc import Iterable

from conversations.models import Conversation, IngestState
from environments.models import Environment
from environments.services.arrivals import Arrivals

LATELY_SECONDS = 24 * 3600
MOST_STRANGERS = 5


def arrivals(environments: Iterable[Environment]) -> dict[int, Arrivals]:
    """Two queries, however many environments."""
    rows = list(environments)
    states = {state.environment_id: state for state in IngestState.objects.filter(environment__in=rows)}
    strangers = _strangers({row.assistant_id for row in rows})
    found = {}
    for row in rows:
        state = states.get(row.pk)
        found[row.pk] = Arrivals(
            last_at=state.last_event_at if state else None,
            error=state.last_error if state else "",
            strangers=tuple(strangers[row.assistant_id][:MOST_STRANGERS]),
        )
    return found


def _strangers(assistants: set[int]) -> dict[int, list[str]]:
    """Names that lately arriving conversations claimed and that no environment has, by assistant."""
    names: dict[int, list[str]] = defaultdict(list)
    unknown = (
        Conversation.objects.filter(
            assistant__in=assistants, environment=None, last_event_at__gt=time.time() - LATELY_SECONDS
        )
        .exclude(environment_name="")
        .values_list("assistant_id", "environment_name")
        .distinct()
        .order_by("environment_name")
    )
    for assistant_id, name in unknown:
        names[assistant_id].append(name)
    return names
