"""What is known of the events that come back from an environment, told by the app above that stores them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from environments.models import Environment
from models_app.models import Assistant
from studio.rasa.files import Kafka


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`strangers` are names other than those of its environments that events of the assistant claimed lately;
    `missing_since` is when Talk last got an answer whose events should have come by now, and have not. `names` are
    those under which its events come by Kafka, `lag` is how many records wait to be stored. `came_by` is what brought
    the newest ones: the key of a Broker, empty for our own table, and None when nothing came yet. `dead` says how many
    of its records wait as dead letters, in words. `is_taken` says whether an ingest process lives.
    """

    last_at: datetime | None = None
    error: str = ""
    strangers: tuple[str, ...] = ()
    missing_since: datetime | None = None
    names: tuple[str, ...] = ()
    lag: int = 0
    came_by: str | None = None
    dead: str = ""
    is_taken: bool = True


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka that events of an assistant are taken from, as its Rasa servers have to be told."""

    key: str
    name: str
    block: Kafka


Source = Callable[[Iterable[Environment]], Mapping[int, Arrivals]]
Brokers = Callable[[Assistant], Sequence[Broker]]
NOTHING = Arrivals()
_sources: list[Source] = []
_brokers: list[Brokers] = []


def provide(source: Source) -> None:
    """Register who knows; apps above call it in AppConfig.ready(). The last one counts."""
    _sources[:] = [source]


def provide_brokers(brokers: Brokers) -> None:
    """The same for the Kafka clusters that events are taken from."""
    _brokers[:] = [brokers]


def arrivals(environments: Iterable[Environment]) -> Mapping[int, Arrivals]:
    """By the environment's primary key; one that never sent an event may be missing."""
    return _sources[0](environments) if _sources else {}


def arrivals_of(environment: Environment) -> Arrivals:
    return arrivals([environment]).get(environment.pk, NOTHING)


def brokers_of(assistant: Assistant) -> Sequence[Broker]:
    return _brokers[0](assistant) if _brokers else ()
