"""What an assistant's domain declares: its names by kind, and how two domains differ."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("intents", "entities", "slots", "responses", "actions", "forms")


@dataclass(frozen=True)
class DomainSummary:
    """By kind, each name with a short digest of its definition, so that a changed response is seen without its text."""

    items: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(sorted(self.items.get(kind, {})))

    def counts(self) -> dict[str, int]:
        return {kind: len(self.items.get(kind, {})) for kind in KINDS}

    def as_json(self) -> dict[str, dict[str, str]]:
        return {kind: dict(sorted(self.items.get(kind, {}).items())) for kind in KINDS}

    @classmethod
    def from_json(cls, stored: Mapping[str, Mapping[str, str]]) -> "DomainSummary":
        return cls({kind: dict(stored.get(kind, {})) for kind in KINDS})


@dataclass(frozen=True)
class KindDifference:
    kind: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def summarize(domain: object) -> DomainSummary:
    """The summary of a domain as Rasa writes it. What is missing or of an unexpected shape counts as declaring nothing:
    versions differ (forms were a list before 3.0), and a summary must not refuse a model that Rasa loads."""
    declared = domain if isinstance(domain, dict) else {}
    return DomainSummary({kind: _definitions(declared.get(kind)) for kind in KINDS})


def compare(old: DomainSummary, new: DomainSummary) -> list[KindDifference]:
    """One difference for each kind, in the order of `KINDS`; false where nothing differs."""
    return [_compare_kind(kind, old.items.get(kind, {}), new.items.get(kind, {})) for kind in KINDS]


def _compare_kind(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> KindDifference:
    return KindDifference(
        kind=kind,
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
    )


def storable(text: str) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates, and no honest value has them."""
    return text.encode("utf-8", "replace").decode().replace("\0", "�")


def _definitions(declared: Any) -> dict[str, str]:
    if isinstance(declared, dict):
        return {storable(str(name)): _digest(definition) for name, definition in declared.items()}
    if isinstance(declared, list):
        return {storable(str(name)): _digest(definition) for entry in declared for name, definition in _entry(entry)}
    return {}


def _entry(entry: Any) -> list[tuple[Any, Any]]:
    """An entry of a list: a bare name, or {name: options}."""
    if isinstance(entry, dict):
        return list(entry.items())
    return [(entry, None)] if isinstance(entry, str) else []


def _digest(definition: Any) -> str:
    canonical = json.dumps(definition, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
