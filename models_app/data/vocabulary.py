"""The words of an assistant: its intents, its entities, and what is an example of what already.

Read line by line like an outline, because parsing YAML takes a second for every 100 kB, and remembered by content.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from models_app.data.check import YAML_SUFFIXES, is_beside_training
from models_app.data.examples import Example
from models_app.data.outline import top_sections
from models_app.data.yaml_text import decode

_ENTRY = re.compile(
    r"""^\s*-\s+(?P<key>intent|synonym|regex|lookup)\s*:\s*(?P<quote>["']?)(?P<name>.*?)(?P=quote)\s*$"""
)
_ITEM = re.compile(r"^\s*-\s+(?!text:|metadata:)(?P<line>\S.*)$")
REMEMBERED = 500  # files


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """Of one file. Examples as they stand there, with their annotations."""

    intents: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(slots=True)
class Vocabulary:
    """Of a whole project."""

    domain_intents: set[str] = field(default_factory=set)
    entities: dict[str, Entity] = field(default_factory=dict)
    places: dict[str, dict[str, int]] = field(default_factory=dict)  # of an intent: how many examples in which file
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))  # by their text

    @property
    def intents(self) -> list[str]:
        """Those of the domain and those that have examples, in order."""
        return sorted(self.domain_intents | self.places.keys())

    def knows_intent(self, name: str) -> bool:
        """A domain names a retrieval intent by its first part."""
        return name.partition("/")[0] in self.domain_intents

    def home_of(self, intent: str) -> str | None:
        """The file with most of its examples."""
        places = self.places.get(intent, {})
        return max(sorted(places), key=lambda path: places[path], default=None)


def vocabulary(files: Mapping[str, bytes]) -> Vocabulary:
    found = Vocabulary()
    for path in sorted(files):
        pure = PurePosixPath(path)
        if pure.suffix.lower() not in YAML_SUFFIXES or is_beside_training(pure):
            continue
        words = _words(files[path])
        found.domain_intents.update(words.intents)
        for entity in words.entities:
            found.entities.setdefault(entity.name, entity)
        for example in words.examples:
            places = found.places.setdefault(example.intent, {})
            places[path] = places.get(path, 0) + 1
            found.examples[example.text].append(example)
    return found


@lru_cache(maxsize=REMEMBERED)
def _words(data: bytes) -> Words:
    sections = dict(top_sections(decode(data)))
    return Words(
        tuple(name for name, _ in _named(sections.get("intents"))),
        tuple(
            Entity(name, _texts(about, "roles"), _texts(about, "groups"))
            for name, about in _named(sections.get("entities"))
        ),
        tuple(_examples(sections.get("nlu", ()))),
    )


def _named(lines: list[str] | None) -> list[tuple[str, Any]]:
    """The entries of a domain's list: names, and names with what is said of them."""
    if lines is None:
        return []
    try:
        entries = YAML(typ="safe", pure=True).load("\n".join(["section: " + lines[0], *lines[1:]]))["section"]
    except (YAMLError, ValueError, RecursionError, KeyError, TypeError):
        return []
    found: list[tuple[str, Any]] = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, str):
            found.append((entry, None))
        elif isinstance(entry, dict):
            found += [(name, about) for name, about in entry.items() if isinstance(name, str)]
    return found


def _entity(name: str, about: Any) -> Entity:
    return Entity(name, _texts(about, "roles"), _texts(about, "groups"))


def _texts(about: Any, key: str) -> tuple[str, ...]:
    values = about.get(key) if isinstance(about, dict) else None
    return tuple(one for one in values if isinstance(one, str)) if isinstance(values, list) else ()


def _examples(lines: Iterable[str]) -> Iterable[Example]:
    intent = ""
    for line in lines:
        if entry := _ENTRY.match(line):
            intent = entry["name"].partition(" #")[0].strip().strip("\"'") if entry["key"] == "intent" else ""
        elif intent and (item := _ITEM.match(line)):
            yield Example(intent, item["line"].strip())
