"""YAML as people write it: decoded kindly, parsed without building objects, errors with line and column."""

from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

TAB = "found character '\\t' that cannot start any token"


class YamlError(Exception):
    """Where and why a text is not YAML; line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message, self.line, self.column = message, line, column


def decode(data: bytes) -> str:
    """UTF-8 with or without byte order mark, UTF-16 with one, and what is neither as Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def compose(text: str) -> Node | None:
    """The tree of nodes of one document; None when it is empty. Raises `YamlError`, also for a key written twice.

    Nodes and not objects: an alias stays one node, so that a few lines cannot unfold into gigabytes.
    """
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        raise _at_position(text, error) from error
    except MarkedYAMLError as error:
        raise _at_mark(error) from error
    except RecursionError as error:
        raise YamlError("The nesting is too deep.", 1, 1) from error
    except (YAMLError, ValueError) as error:
        raise YamlError(str(error).splitlines()[0], 1, 1) from error
    for key in _repeated_keys(root):
        raise YamlError(f"The key “{key.value}” is in this place twice.", *_position(key))
    return root


def top_level(root: Node | None) -> dict[str, Node]:
    """The nodes under the document's keys; empty when the document is no mapping."""
    if not isinstance(root, MappingNode):
        return {}
    return {key.value: value for key, value in root.value if isinstance(key, ScalarNode)}


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _repeated_keys(root: Node | None) -> Iterator[ScalarNode]:
    waiting, seen = [root] if root is not None else [], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, MappingNode):
            yield from _repeated_in(node)
            waiting.extend(part for pair in node.value for part in pair)


def _repeated_in(mapping: MappingNode) -> Iterator[ScalarNode]:
    known: set[tuple[str, str]] = set()
    for key, _ in mapping.value:
        if not isinstance(key, ScalarNode):
            continue
        identity = (str(key.tag), key.value)
        if identity in known:
            yield key
        known.add(identity)


def _at_mark(error: MarkedYAMLError) -> YamlError:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "This is not valid YAML"
    if TAB in problem:
        problem = "A tab stands where YAML wants spaces"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return YamlError(f"{problem[:1].upper()}{problem[1:]}.", line, column)


def _at_position(text: str, error: ReaderError) -> YamlError:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return YamlError(f"A character (number {_code(error)}) that YAML does not allow.", line, column)


def _code(error: ReaderError) -> str:
    character = error.character
    return f"{ord(character):#04x}" if isinstance(character, str) else f"{character:#04x}"
