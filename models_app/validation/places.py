"""Where something that Rasa names stands in a project's files.

By the positions that the YAML parser gives; a file is parsed only when it holds the name at all, and once. Parsing
stories takes two seconds for every 100 kB, so in a larger file than is worth that the first line with the name counts.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from models_app.data.check import YAML_SUFFIXES, is_beside_training
from models_app.data.examples import read
from models_app.data.yaml_text import YamlError, compose, decode, top_level

PARSED_BYTES = 400_000  # of domains and stories; NLU files have few nodes for their size
STORY_KEYS = ("story", "rule")
SWITCHES = re.compile(rb"use_lookup_tables|use_regexes")  # of RegexEntityExtractor; both are on unless one says so
STEP_KEYS = ("intent", "action", "active_loop", "checkpoint", "slot_was_set", "user", "bot")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    path: str
    line: int  # from 1


@dataclass(frozen=True, slots=True)
class Story:
    title: str
    place: Place
    steps: tuple[tuple[str, str, Place], ...]  # a step's key, what it names, where


@dataclass
class Places:
    """Asks for one thing each; the first place in the order of paths, None when it stands nowhere."""

    files: Mapping[str, bytes]
    _parsed: dict[str, dict[str, Node]] = field(default_factory=dict, init=False)
    _stories: dict[str, list[Story]] = field(default_factory=dict, init=False)

    # --- Domain ---

    def in_domain(self, section: str, name: str) -> Place | None:
        """An entry of a section: of a list, or of a mapping by its key."""
        return next(self.all_in_domain(section, name), None)

    def all_in_domain(self, section: str, name: str) -> Iterator[Place]:
        for path, node in self._sections(section, name):
            yield from (_place(path, key) for key in _entries(node) if key.value == name)

    def form_slot(self, form: str, slot: str) -> Place | None:
        for path, found in self._about("forms", form):
            for required in _values(found, "required_slots"):
                for key in _entries(required):
                    if key.value == slot:
                        return _place(path, key)
        return self.in_domain("forms", form)

    @cached_property
    def asked_by_forms(self) -> frozenset[str]:
        """The names of responses with which forms ask for their slots, whether they are there or not."""
        required = set(self._required_slots())
        by_slot = {f"utter_ask_{slot}" for _, slot in required}
        return frozenset(by_slot | {f"utter_ask_{form}_{slot}" for form, slot in required})

    def slot_condition(self, slot: str, form: str) -> Place | None:
        """Where a mapping of the slot asks for the form to be active."""
        for path, found in self._about("slots", slot):
            for node in _walk(found):
                for value in _values(node, "active_loop"):
                    if isinstance(value, ScalarNode) and value.value == form:
                        return _place(path, value)
        return self.in_domain("slots", slot)

    def slot_part(self, slot: str, key: str) -> Place | None:
        """A key of what is said of a slot, else the slot."""
        for path, found in self._about("slots", slot):
            for name, _ in _pairs(found):
                if name.value == key:
                    return _place(path, name)
        return self.in_domain("slots", slot)

    # --- NLU ---

    def in_nlu(self, kind: str, name: str) -> Place | None:
        """Where the examples of an intent (synonym, lookup, regex) begin."""
        for path, node in self._sections("nlu", name):
            for entry in _items(node):
                for value in _values(entry, kind):
                    if isinstance(value, ScalarNode) and value.value == name:
                        return _place(path, value)
        return None

    def examples(self, text: str) -> list[Place]:
        return self._examples.get(text, [])

    def entity_in_nlu(self, name: str) -> Place | None:
        return self._annotated.get(name)

    @property
    def entities_in_nlu(self) -> Set[str]:
        """That examples are annotated with."""
        return self._annotated.keys()

    @cached_property
    def patterns(self) -> frozenset[str]:
        """The names of lookup tables and regular expressions."""
        entries = [entry for _, node in self._sections("nlu", "") for entry in _items(node)]
        named = [value for entry in entries for kind in ("lookup", "regex") for value in _values(entry, kind)]
        return frozenset(value.value for value in named if isinstance(value, ScalarNode))

    # --- Stories and rules ---

    def story(self, title: str) -> Place | None:
        return next((story.place for story in self._all_stories(title) if story.title == title), None)

    def story_without_steps(self, path: str) -> Place | None:
        return next(
            (story.place for story in self._all_stories("") if story.place.path == path and not story.steps), None
        )

    def step(self, keys: tuple[str, ...], name: str, story: str | None = None) -> Place | None:
        """The first step that names it, in the story of that title if one is given."""
        for one in self._all_stories(name):
            if story in (None, one.title):
                for key, value, place in one.steps:
                    if key in keys and value == name:
                        return place
        return self.story(story) if story is not None else None

    # --- Files ---

    def line_with(self, path: str, text: str) -> Place | None:
        """The first line of a file that holds the text, as a word of its own; else its first line."""
        if path not in self.files:
            return None
        return _search(path, decode(self.files[path]), text) or Place(path, 1)

    def component(self, name: str) -> Place | None:
        """Where the configuration names a component or policy."""
        for section in ("pipeline", "policies"):
            for path, node in self._sections(section, name):
                for item in _items(node):
                    for value in [item, *_values(item, "name")]:
                        if isinstance(value, ScalarNode) and value.value == name:
                            return _place(path, value)
        return None

    @property
    def has_pattern_extractor(self) -> bool:
        """Whether the pipeline extracts entities by lookup tables and regular expressions alone, both of them."""
        place = self.component("RegexEntityExtractor")
        return place is not None and not SWITCHES.search(self.files[place.path])

    def file_key(self, section: str, key: str) -> Place | None:
        """A key at the top of the first file that has `section`, else that section's beginning."""
        for path, _ in self._sections(section, ""):
            return _search(path, decode(self.files[path]), key) or Place(path, 1)
        return None

    def at(self, path: str, keys: list[str]) -> Place | None:
        """Where the last of the keys stands that are there; in a list they are numbers from 0."""
        node = self._root(path).get(keys[0]) if path in self.files else None
        found: Node | None = None
        for key in keys[1:]:
            step = _step(node, key) if node is not None else None
            if step is None:
                break
            found, node = step
        return _place(path, found) if found is not None else None

    # --- How they are read ---

    @cached_property
    def _paths(self) -> list[str]:
        wanted = (path for path in self.files if PurePosixPath(path).suffix.lower() in YAML_SUFFIXES)
        return sorted(path for path in wanted if not is_beside_training(PurePosixPath(path)))

    def _sections(self, key: str, name: str) -> Iterator[tuple[str, Node]]:
        """The section of that name in every file that may hold `name`."""
        for path in self._paths:
            data = self.files[path]
            if key.encode() in data and name.encode() in data and (node := self._root(path).get(key)) is not None:
                yield path, node

    def _root(self, path: str) -> dict[str, Node]:
        if path not in self._parsed:
            data = self.files[path]
            is_too_large = len(data) > PARSED_BYTES and b"\nnlu:" not in data
            try:
                self._parsed[path] = {} if is_too_large else top_level(compose(decode(data)))
            except YamlError:
                self._parsed[path] = {}
        return self._parsed[path]

    def _about(self, section: str, name: str) -> Iterator[tuple[str, Node]]:
        """What a section of the domain says of one of its entries."""
        for path, node in self._sections(section, name):
            for mapping in [node, *_items(node)]:
                yield from ((path, value) for key, value in _pairs(mapping) if key.value == name)

    def _required_slots(self) -> Iterator[tuple[str, str]]:
        for _, node in self._sections("forms", ""):
            for mapping in [node, *_items(node)]:
                for form, about in _pairs(mapping):
                    for required in _values(about, "required_slots"):
                        yield from ((form.value, slot.value) for slot in _entries(required))

    def _all_stories(self, name: str) -> Iterator[Story]:
        for path in self._paths:
            data = self.files[path]
            if name.encode() in data and any(key in data for key in (b"stories", b"rules")):
                if path not in self._stories:
                    root = self._root(path)
                    self._stories[path] = [
                        story for key in ("stories", "rules") if key in root for story in _stories(path, root[key])
                    ]
                yield from self._stories[path]
                if len(data) > PARSED_BYTES and (place := _search(path, decode(data), name)):
                    yield Story(name, place, tuple((key, name, place) for key in STEP_KEYS))

    @cached_property
    def _lines_of_examples(self) -> list[tuple[str, Place]]:
        found = []
        for path, node in self._sections("nlu", ""):
            for entry in _items(node):
                if any(True for _ in _values(entry, "intent")):
                    found += [line for examples in _values(entry, "examples") for line in _examples(path, examples)]
        return found

    @cached_property
    def _examples(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = defaultdict(list)
        for line, place in self._lines_of_examples:
            found[read(line)[0]].append(place)
        return found

    @cached_property
    def _annotated(self) -> dict[str, Place]:
        found: dict[str, Place] = {}
        for line, place in self._lines_of_examples:
            if "[" in line:
                for one in read(line)[1]:
                    found.setdefault(one.entity, place)
        return found


def _place(path: str, node: Node) -> Place:
    return Place(path, node.start_mark.line + 1)


def _pairs(node: Node) -> Iterator[tuple[ScalarNode, Node]]:
    if isinstance(node, MappingNode):
        yield from ((key, value) for key, value in node.value if isinstance(key, ScalarNode))


def _values(node: Node, name: str) -> Iterator[Node]:
    return (value for key, value in _pairs(node) if key.value == name)


def _items(node: Node) -> list[Node]:
    return list(node.value) if isinstance(node, SequenceNode) else []


def _entries(node: Node) -> Iterator[ScalarNode]:
    """What a section names: the keys of a mapping; the scalars, and the keys of mappings, of a list."""
    yield from (key for key, _ in _pairs(node))
    for item in _items(node):
        if isinstance(item, ScalarNode):
            yield item
        else:
            yield from (key for key, _ in _pairs(item))


def _step(node: Node, key: str) -> tuple[Node, Node] | None:
    """The key and its value, or the item of that number."""
    items = _items(node)
    if key.isdigit() and int(key) < len(items):
        return items[int(key)], items[int(key)]
    return next(((name, value) for name, value in _pairs(node) if name.value == key), None)


def _walk(root: Node) -> Iterator[Node]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop(0)
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        yield node
        waiting += _items(node)
        waiting += [value for _, value in _pairs(node)]


def _stories(path: str, section: Node) -> Iterator[Story]:
    for item in _items(section):
        title = next((value for key in STORY_KEYS for value in _values(item, key)), None)
        if isinstance(title, ScalarNode):
            yield Story(title.value, _place(path, item), tuple(_steps(path, item)))


def _steps(path: str, story: Node) -> Iterator[tuple[str, str, Place]]:
    for steps in _values(story, "steps"):
        for node in _walk(steps):
            for key, value in _pairs(node):
                if isinstance(value, ScalarNode):
                    yield key.value, value.value, _place(path, value)
                elif key.value == "slot_was_set":
                    yield from ((key.value, slot.value, _place(path, slot)) for slot in _entries(value))


def _examples(path: str, node: Node) -> Iterator[tuple[str, Place]]:
    """The examples of one intent: the lines of a block of text, or a list of texts."""
    if isinstance(node, ScalarNode):
        first = node.start_mark.line + 1 + (node.style in ("|", ">"))
        for at, line in enumerate(node.value.split("\n")):
            if line.lstrip().startswith("-"):
                yield line.lstrip()[1:].strip(), Place(path, first + at)
    for item in _items(node):
        for value in _values(item, "text"):
            if isinstance(value, ScalarNode):
                line = value.start_mark.line + 1 + (value.style in ("|", ">"))
                yield value.value.strip().removeprefix("-").strip(), Place(path, line)


def _search(path: str, text: str, wanted: str) -> Place | None:
    if not wanted:
        return None
    match = re.search(rf"(?<![\w.-]){re.escape(wanted)}(?![\w-])", text)
    return Place(path, text.count("\n", 0, match.start()) + 1) if match else None
