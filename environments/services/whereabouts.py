"""What runs where, and whether all is well, in a word for each environment: the same few queries for any number."""

from collections.abc import Sequence
from dataclasses import dataclass

from environments.models import Replica
from environments.querysets import EnvironmentQuerySet
from environments.services.arrivals import NOTHING, arrivals
from environments.services.checks import Check, check_facts
from environments.services.overview import Overview, overviews_of, replicas_among

WORST_FIRST = ("failed", "warning", "busy", "silent", "running")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`health` is the worst line of the environment's checklist, as far as it is known without asking its server."""

    overview: Overview
    replicas: Sequence[Replica]
    health: Check


def whereabouts(rows: EnvironmentQuerySet) -> list[Whereabouts]:
    """In the order of `rows`."""
    found = overviews_of(rows.prefetch_related("aliases"))
    arrived = arrivals([row.environment for row in found])
    replicas = replicas_among([row.environment for row in found])
    return [
        Whereabouts(
            row,
            replicas[row.environment.pk],
            _worst(check_facts(row, replicas[row.environment.pk], arrived.get(row.environment.pk, NOTHING))),
        )
        for row in found
    ]


def _worst(checks: list[Check]) -> Check:
    return min(checks, key=lambda check: WORST_FIRST.index(check.status))
