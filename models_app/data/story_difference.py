"""A test story that went otherwise, as `rasa test` writes it: a difference people can read. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from models_app.data.yaml_text import YamlError, compose

_PREDICTED = re.compile(r"^\s*#\s*predicted:\s?(?P<said>.*)$")


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is same, removed (what the story says) or added (what the model did)."""

    kind: str
    text: str


def difference(text: str) -> list[Line]:
    """Lines of a story, whose comments say what was predicted instead."""
    lines = text.splitlines()
    try:
        pairs = {value.end_mark.line: (key, value) for key, value in _pairs(compose(text))}
    except YamlError:  # one that was cut: its lines without colours are better than nothing
        pairs = {}
    return [part for at, line in enumerate(lines) for part in _line(line, pairs.get(at))]


def _pairs(node: Node | None) -> Iterator[tuple[ScalarNode, ScalarNode]]:
    """Every key with a plain value, wherever in the document."""
    if isinstance(node, SequenceNode):
        for one in node.value:
            yield from _pairs(one)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and isinstance(value, ScalarNode):
                yield key, value
            else:
                yield from _pairs(value)


def _line(line: str, pair: tuple[ScalarNode, ScalarNode] | None) -> list[Line]:
    if pair is None:
        return [Line("same", line)]
    key, value = pair
    end = value.end_mark.column
    match = _PREDICTED.match(line[end:])
    if match is None:
        return [Line("same", line)]
    lead, said = line[: key.start_mark.column], match["said"]
    if key.value == "intent":
        return _understood(line[:end], lead, value.value, said)
    # Rasa says of an action its name alone, of an entity its name and value.
    went = f"{lead}{key.value}: {said}" if key.value in ("action", "bot") else f"{lead}{said}"
    return [Line("removed", line[:end]), Line("added", went)]


def _understood(written: str, lead: str, intent: str, said: str) -> list[Line]:
    """`said` is `greet: good [morning](time)`: the intent, and the message with the entities that were found."""
    other, _, message = said.partition(": ")
    indent = " " * len(lead)
    found = Line("added", f"{indent}user: {message}")
    if other == intent:  # then its entities differ
        return [Line("same", written), found]
    return [Line("removed", written), Line("added", f"{lead}intent: {other}"), found]
