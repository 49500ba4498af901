"""What a file holds, for lists: its kinds and how much of what ("14 intents, 212 examples").

Read line by line, because parsing YAML takes a second for every 100 kB and a list looks at every file. Rights are
never decided by this alone: a change asks models_app/data/check.py, which parses.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from models_app.data.check import YAML_SUFFIXES, Role, check_file, roles_of
from models_app.data.yaml_text import decode

TOP_KEY = re.compile(r"""^(?P<quote>["']?)(?P<key>[A-Za-z_][\w-]*)(?P=quote)\s*:(?P<rest>\s.*|)$""")
ENTRY = re.compile(r"^-\s+(?P<key>\w+)\s*:")
LIST_ITEM = re.compile(r"^\s*-\s+\S")
FLOW_ITEM = re.compile(r"[^\[\],\s][^\[\],]*")


@dataclass(frozen=True, slots=True)
class Outline:
    roles: frozenset[Role]
    counts: tuple[tuple[int, str], ...] = ()  # (14, "intents"), in the order of the file

    @property
    def kinds(self) -> list[str]:
        """The roles in the order of the enumeration, for people."""
        return [role.value for role in Role if role in self.roles]

    @property
    def words(self) -> str:
        return ", ".join(f"{number} {_singular(what) if number == 1 else what}" for number, what in self.counts)


NOUNS = {
    "intents": "intents",
    "entities": "entities",
    "slots": "slots",
    "forms": "forms",
    "actions": "actions",
    "responses": "responses",
    "pipeline": "components",
    "policies": "policies",
    "stories": "stories",
    "rules": "rules",
}
NLU_NOUNS = {"intent": "intents", "lookup": "lookups", "regex": "patterns", "synonym": "synonyms"}


def _singular(noun: str) -> str:
    return {"entities": "entity", "stories": "story", "policies": "policy"}.get(noun, noun.removesuffix("s"))


def outline(path: str, data: bytes) -> Outline:
    if PurePosixPath(path).suffix.lower() not in YAML_SUFFIXES:
        return Outline(check_file(path, data).roles[path], ((data.count(b"\n") or 1, "lines"),) if data else ())
    sections = dict(top_sections(decode(data)))
    if not sections:  # one mapping in braces, or no mapping at all
        return Outline(check_file(path, data).roles[path])
    roles = roles_of(PurePosixPath(path), sections)
    if only_responses(sections):
        roles -= {Role.DOMAIN}
    return Outline(roles, tuple(_counts(sections)))


def roles_at_a_glance(path: str, data: bytes) -> frozenset[Role]:
    """What the file is to Rasa, also where a parser would stumble further down."""
    is_yaml = PurePosixPath(path).suffix.lower() in YAML_SUFFIXES
    keys = [key for key, _ in top_sections(decode(data))] if is_yaml else []
    return roles_of(PurePosixPath(path), keys) if keys else check_file(path, data).roles[path]


def only_responses(keys: Collection[str]) -> bool:
    """A part of the domain that holds nothing but responses: one edits it as responses."""
    return "responses" in keys and set(keys) <= {"version", "responses"}


def top_sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every key at the left margin with its lines; the first of them is what stands behind the colon."""
    key = ""
    lines: list[str] = []
    for line in text.split("\n"):
        match = TOP_KEY.match(line)
        if match:
            if key:
                yield key, lines
            key, lines = match["key"], [match["rest"].strip()]
        elif line.strip() and not line.lstrip().startswith("#"):
            lines.append(line.rstrip())
    if key:
        yield key, lines


def _counts(sections: dict[str, list[str]]) -> Iterator[tuple[int, str]]:
    for key, lines in sections.items():
        if key == "nlu":
            yield from _nlu_counts(lines)
        elif key in NOUNS and (number := len(children(lines))):
            yield number, NOUNS[key]


def children(lines: list[str]) -> list[str]:
    """The entries of a section, without their indentation."""
    inline, below = f" {lines[0]}".partition(" #")[0].strip(), lines[1:]
    if inline.startswith(("[", "{")):
        flow = " ".join([inline, *below]) if not inline.endswith(("]", "}")) else inline
        return FLOW_ITEM.findall(flow.strip("{}"))
    if not below:
        return []
    indent = min(len(line) - len(line.lstrip()) for line in below)
    children = [line[indent:] for line in below if len(line) - len(line.lstrip()) == indent]
    # Under a key a list may stand as deep as the key itself; then the keys are the entries.
    is_list = children[0].startswith("-")
    return [child for child in children if child.startswith("-") == is_list]


def _nlu_counts(lines: list[str]) -> Iterator[tuple[int, str]]:
    found: dict[str, int] = {}
    names: set[str] = set()
    for child in children(lines):
        if match := ENTRY.match(child):
            found[match["key"]] = found.get(match["key"], 0) + 1
            names.add(child)
    if found.get("intent"):
        found["intent"] = sum(name.partition(":")[0].endswith("intent") for name in names)
    for key, noun in NLU_NOUNS.items():
        if key in found:
            yield found[key], noun
    if examples := sum(bool(LIST_ITEM.match(line)) for line in lines[1:]) - len(children(lines)):
        yield examples, "examples"
