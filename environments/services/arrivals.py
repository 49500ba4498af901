"""What is known of the events that come back from an environment, told by the app above that stores them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from environments.models import Environment


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`strangers` are names other than those of its environments that events of the assistant claimed lately;
    `missing_since` is when Talk last got an answer whose events should have come by now, and have not.
    """

    last_at: datetime | None = None
    error: str = ""
    strangers: tuple[str, ...] = ()
    missing_since: datetime | None = None


Source = Callable[[Iterable[Environment]], Mapping[int, Arrivals]]
NOTHING = Arrivals()
_sources: list[Source] = []


def provide(source: Source) -> None:
    """Register who knows; apps above call it in AppConfig.ready(). The last one counts."""
    _sources[:] = [source]


def arrivals(environments: Iterable[Environment]) -> Mapping[int, Arrivals]:
    """By the environment's primary key; one that never sent an event may be missing."""
    return _sources[0](environments) if _sources else {}


def arrivals_of(environment: Environment) -> Arrivals:
    return arrivals([environment]).get(environment.pk, NOTHING)
