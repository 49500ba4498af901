"""Where a role can be given. Assistants and environments live in apps above, which register them in AppConfig.ready().

scopes.register("environments", provider), where the provider lists every place there is now.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from studio.access.permissions import EVERYWHERE, Scope


@dataclass(frozen=True, slots=True)
class Place:
    """`group` is the assistant's title: places of one assistant stand together. `name` is the place within it.

    `slug` is the assistant's name in addresses.
    """

    scope: Scope
    group: str
    name: str
    slug: str

    @property
    def label(self) -> str:
        return f"{self.group} · {self.name}" if self.name else self.group


Provider = Callable[[], Iterable[Place]]
_providers: dict[str, Provider] = {}


def register(key: str, provider: Provider) -> None:
    """Add a provider; a second one of the same key replaces the first."""
    _providers[key] = provider


def places() -> list[Place]:
    """Every place below everywhere, an assistant before its environments."""
    found = [place for provider in _providers.values() for place in provider()]
    return sorted(found, key=lambda place: (place.group.lower(), place.scope.assistant_id or 0, place.name))


def encode(scope: Scope) -> str:
    """A scope as a form's value: nothing, `3`, or `3.7`."""
    if scope.assistant_id is None:
        return ""
    return str(scope.assistant_id) if scope.environment_id is None else f"{scope.assistant_id}.{scope.environment_id}"


def choices(found: Iterable[Place]) -> list[tuple[str, object]]:
    """For a select: everywhere, then a group for each assistant."""
    groups: dict[int | None, tuple[str, list[tuple[str, str]]]] = {}
    for place in found:
        _, options = groups.setdefault(place.scope.assistant_id, (place.group, []))
        options.append((encode(place.scope), place.name or f"All of {place.group}"))
    return [("", "Everywhere"), *groups.values()]


def chosen(found: Iterable[Place], value: str) -> tuple[Scope, str]:
    """The scope and label that a form's value stands for; KeyError when there is no such place."""
    if not value:
        return EVERYWHERE, ""
    place = {encode(one.scope): one for one in found}[value]
    return place.scope, place.label
