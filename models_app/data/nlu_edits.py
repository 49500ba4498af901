"""Changes of NLU files and domains that leave every other byte as it was: comments, order, quotes, line ends.

The parser says where something stands, and lines are put in or taken out there.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from models_app.data.check import NEWEST_FORMAT
from models_app.data.yaml_text import compose, is_utf8, top_level

BOM = b"\xef\xbb\xbf"
# What YAML takes for something else than a text.
_NOT_TEXTS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


@dataclass(slots=True)
class Text:
    """A file's lines without their ends, and what is needed to write it back."""

    lines: list[str]
    newline: str
    bom: bool

    @classmethod
    def of(cls, data: bytes) -> "Text | None":
        """None for what is no UTF-8: it is nobody's to rewrite in passing."""
        if not is_utf8(data):
            return None
        text = data.removeprefix(BOM).decode()
        return cls(text.replace("\r\n", "\n").split("\n"), "\r\n" if "\r\n" in text else "\n", data.startswith(BOM))

    def bytes(self) -> bytes:
        return (BOM if self.bom else b"") + self.newline.join(self.lines).encode()

    def root(self) -> Node | None:
        return compose("\n".join(self.lines))


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of a literal text (`|`): from `first` to before `last`, each indented by `indent`."""

    intent: str
    first: int
    last: int
    indent: int


def add_examples(data: bytes, examples: Mapping[str, Sequence[str]]) -> bytes | None:
    """The file with the lines of each intent after those it has; None when this file's shape has no place for them.

    Raises YamlError.
    """
    text = Text.of(data)
    entries = text and top_level(text.root()).get("nlu")
    if text is None or not isinstance(entries, SequenceNode) or entries.flow_style or not entries.value:
        return None
    blocks: dict[str, Block] = {}
    for block in _blocks(text, entries):
        blocks[block.intent] = block  # the last one of an intent
    others = {intent: lines for intent, lines in examples.items() if intent not in blocks}
    column = entries.start_mark.column
    places = [(end_of(text, entries), [line for one in others.items() for line in _entry(*one, column)])]
    for intent in examples.keys() & blocks.keys():
        places.append((blocks[intent].last, _items(examples[intent], blocks[intent].indent)))
    # From the end on, so that the places before stay where they are.
    for at, lines in sorted(places, key=lambda place: -place[0]):
        if lines:
            insert(text, at, lines)
    return text.bytes()


def take_out_examples(data: bytes, lines: Mapping[str, Collection[str]]) -> bytes:
    """The file without these lines of these intents, written as they stand there. Raises YamlError."""
    text = Text.of(data)
    entries = text and top_level(text.root()).get("nlu")
    if text is None or not isinstance(entries, SequenceNode):
        return data
    gone = {
        at
        for block in _blocks(text, entries)
        for at in range(block.first, block.last)
        if _example(text.lines[at]) in lines.get(block.intent, ())
    }
    text.lines = [line for at, line in enumerate(text.lines) if at not in gone]
    return text.bytes()


def new_file(examples: Mapping[str, Sequence[str]]) -> bytes:
    lines = [f'version: "{NEWEST_FORMAT}"', "", "nlu:"]
    for intent, items in examples.items():
        lines += _entry(intent, items, 2)
    return "\n".join([*lines, ""]).encode()


def add_names(data: bytes, section: str, names: Sequence[str]) -> bytes | None:
    """A domain with `names` at the end of the list at `section`; None when it cannot be changed line by line.

    Raises YamlError.
    """
    text = Text.of(data)
    if text is None:
        return None
    root = text.root()
    node = top_level(root).get(section)
    words = [quoted(name) for name in names]
    if node is None:
        if root is not None and (not isinstance(root, MappingNode) or root.flow_style):
            return None
        insert(text, len(text.lines), ["", f"{section}:", *(f"  - {word}" for word in words)])
    elif isinstance(node, SequenceNode) and not node.flow_style:
        column = " " * node.start_mark.column
        insert(text, end_of(text, node), [f"{column}- {word}" for word in words])
    elif isinstance(node, SequenceNode):
        _insert_in_flow(text, node, words)
    else:
        return None
    return text.bytes()


def quoted(name: str) -> str:
    return f'"{name}"' if name.lower() in _NOT_TEXTS else name


def _blocks(text: Text, entries: SequenceNode) -> Iterator[Block]:
    """The literal texts of the examples of intents."""
    for entry in entries.value:
        if not isinstance(entry, MappingNode):
            continue
        parts = {key.value: value for key, value in entry.value if isinstance(key, ScalarNode)}
        intent, examples = parts.get("intent"), parts.get("examples")
        if isinstance(intent, ScalarNode) and isinstance(examples, ScalarNode) and examples.style == "|":
            yield _block(text, intent.value, entry, examples)


def _block(text: Text, intent: str, entry: MappingNode, examples: ScalarNode) -> Block:
    header = examples.start_mark.line
    first = last = header + 1
    indent = 0
    for at in range(first, len(text.lines)):
        line = text.lines[at]
        if not line.strip(" "):
            continue
        depth = len(line) - len(line.lstrip(" "))
        indent = indent or depth
        if depth <= entry.start_mark.column or depth < indent:
            break
        last = at + 1
    if last == first:  # no example yet
        indent = entry.start_mark.column + 2
    return Block(intent, first, last, indent)


def _example(line: str) -> str:
    return line.strip().removeprefix("-").strip("\r ")


def _items(lines: Iterable[str], indent: int) -> list[str]:
    return [f"{' ' * indent}- {line}" for line in lines]


def _entry(intent: str, lines: Iterable[str], column: int) -> list[str]:
    space = " " * column
    return [f"{space}- intent: {quoted(intent)}", f"{space}  examples: |", *_items(lines, column + 4)]


def end_of(text: Text, sequence: SequenceNode) -> int:
    """The line before which the next entry of a sequence stands: what follows may be introduced by comments."""
    mark = sequence.end_mark
    at: int = mark.line + 1 if mark.column else mark.line  # the file may end without a line end
    while at > sequence.start_mark.line + 1 and _is_between(text.lines[at - 1], sequence.start_mark.column):
        at -= 1
    return at


def _is_between(line: str, column: int) -> bool:
    bare = line.lstrip(" ")
    return not bare or (bare.startswith("#") and len(line) - len(bare) <= column)


def insert(text: Text, at: int, lines: Sequence[str]) -> None:
    """After the last line the file gets a line end, also where it had none."""
    if at >= len(text.lines):
        while text.lines and not text.lines[-1]:
            text.lines.pop()
        at = len(text.lines)
        lines = [*lines, ""]
    text.lines[at:at] = lines


def _insert_in_flow(text: Text, node: SequenceNode, words: Sequence[str]) -> None:
    at = node.end_mark.line
    line, column = text.lines[at], node.end_mark.column - 1  # of the closing bracket
    added = ", ".join(words)
    text.lines[at] = f"{line[:column].rstrip()}{', ' if node.value else ''}{added}{line[column:]}"
