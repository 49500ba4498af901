"""Who uses which Rasa. The apps above say so, because nothing of them is known here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """What keeps a Rasa from being removed: `text` within a sentence ("the assistant Café"), `label` in a list."""

    text: str
    label: str
    url: str = ""


Uses = Mapping[str, list[Use]]  # by the name of the Rasa
Ask = Callable[[], Uses]
Counts = Callable[[], Mapping[str, int]]

_uses: dict[str, Ask] = {}
_models: list[Counts] = []


def register(kind: str, ask: Ask) -> None:
    """Add what uses a Rasa; apps call it from AppConfig.ready(). One or two queries for all of them together."""
    _uses[kind] = ask


def count_models(ask: Counts) -> None:
    """Name what counts the models by the version that they were trained with."""
    _models[:] = [ask]


def uses_of_all() -> Uses:
    found: dict[str, list[Use]] = {}
    for ask in _uses.values():
        for name, uses in ask().items():
            found.setdefault(name, []).extend(uses)
    return found


def uses_of(name: str) -> list[Use]:
    return uses_of_all().get(name, [])


def models_by_version() -> Mapping[str, int]:
    return _models[0]() if _models else {}


def spoken(uses: Iterable[Use], limit: int = 4) -> str:
    """`the assistant Café, the environment production of Café and 3 more`."""
    words = [use.text for use in uses]
    named, more = words[:limit], len(words) - limit
    if more > 0:
        return f"{', '.join(named)} and {more} more"
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]])) if named else ""
