"""What runs where, and whether all is well, in a word for each environment: the same few queries for any number."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from environments.models import Replica
from environments.querysets import EnvironmentQuerySet
from environments.services.arrivals import NOTHING, arrivals
from environments.services.checks import Check, check_facts
from environments.services.overview import Overview, overviews_of
from studio.jobs import heartbeat

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
    replicas = _replicas(rows)
    is_taken = heartbeat.live("ingest") > 0
    return [
        Whereabouts(
            row,
            replicas[row.environment.pk],
            _worst(
                check_facts(
                    row,
                    replicas[row.environment.pk],
                    arrived.get(row.environment.pk, NOTHING),
                    is_taken=is_taken,
                )
            ),
        )
        for row in found
    ]


def _replicas(rows: EnvironmentQuerySet) -> dict[int, list[Replica]]:
    found: dict[int, list[Replica]] = defaultdict(list)
    for replica in (
        Replica.objects.filter(environment__in=rows.order_by()).select_related("model").defer("model__domain")
    ):
        found[replica.environment_id].append(replica)
    return found


def _worst(checks: list[Check]) -> Check:
    return min(checks, key=lambda check: WORST_FIRST.index(check.status))
