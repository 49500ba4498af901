"""Examples of intents as Rasa writes them: `a table for [two](people)`. Pure.

Rasa has no way to escape: what looks like an annotation is one. So every example that is written is read again by
Rasa's own rules, and one that would come back as something else is refused in words.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# As rasa/shared/nlu/training_data/entities_parser.py has them.
_ENTITY = re.compile(
    r"\[(?P<text>[^\]]+?)\](\((?P<entity>[^:)]+?)(?:\:(?P<value>[^)]+))?\)|\{(?P<dict>[^}]+?)\}|\[(?P<dicts>.*?)\])"
)
_ONE_OF_DICTS = re.compile(r"{(?P<dict>[^}]+?)\}")
# What ends a line for Rasa, or is no part of a YAML file.
_NO_PART_OF_A_LINE = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_STRIPPED = "\n\r "  # by Rasa, of every example

NAME = re.compile(r"[^\W\d][\w.+-]*(/[\w.+-]+)?")  # of an intent; that of a retrieval intent has two parts
ENTITY_NAME = re.compile(r"[^\W\d][\w.+-]*")  # of an entity, a role or a group


class Unwritable(Exception):
    """Why a message cannot be an example, in one sentence."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What stands at `start` to `end` of a text. An empty value is the text itself."""

    start: int
    end: int
    entity: str
    value: str = ""
    role: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    intent: str
    line: str  # annotated

    @property
    def text(self) -> str:
        return read(self.line)[0]


def write(text: str, annotations: Iterable[Annotation] = ()) -> str:
    """One line with its annotations. What no line can hold, such as a line break, becomes a space.

    Raises Unwritable.
    """
    line = _NO_PART_OF_A_LINE.sub(" ", text)
    parts, at = [], 0
    for one in sorted(annotations, key=lambda one: one.start):
        if not at <= one.start < one.end <= len(line):
            raise Unwritable("Its entities overlap, or lie outside of the text.")
        parts += [line[at : one.start], _annotated(line[one.start : one.end], one)]
        at = one.end
    written = "".join([*parts, line[at:]]).strip(_STRIPPED)
    if not read(written)[0].strip():
        raise Unwritable("It has no words.")
    if read(written) != _as_read(line, annotations):
        raise Unwritable("It has brackets that Rasa would take for an annotation, and Rasa has no way to write them.")
    return written


def read(line: str) -> tuple[str, list[Annotation]]:
    """The text of an example and its annotations, as Rasa finds them."""
    found: list[Annotation] = []
    parts, at, start = [], 0, 0
    for match in _ENTITY.finditer(line):
        start += match.start() - at
        parts += [line[at : match.start()], match["text"]]
        found += _annotations(match, start)
        at = match.end()
        start += len(match["text"])
    return "".join([*parts, line[at:]]), found


def _annotated(text: str, one: Annotation) -> str:
    value = "" if one.value == text else one.value
    if not (value or one.role or one.group):
        return f"[{text}]({one.entity})"
    facts = {"entity": one.entity, "role": one.role, "group": one.group, "value": value}
    written = json.dumps({key: fact for key, fact in facts.items() if fact}, ensure_ascii=False)
    # Rasa takes the first closing brace for the end; JSON can write it otherwise.
    inner = _NO_PART_OF_A_LINE.sub(lambda bad: json.dumps(bad[0])[1:-1], written[1:-1]).replace("}", r"\u007d")
    return f"[{text}]{{{inner}}}"


def _annotations(match: re.Match[str], start: int) -> list[Annotation]:
    end = start + len(match["text"])
    if match["entity"]:
        return [Annotation(start, end, match["entity"], match["value"] or "")]
    dicts = [match["dict"]] if match["dict"] else [one["dict"] for one in _ONE_OF_DICTS.finditer(match["dicts"] or "")]
    return [_from_facts(facts, start, end) for facts in dicts]


def _from_facts(facts: str, start: int, end: int) -> Annotation:
    try:
        known = json.loads(f"{{{facts}}}")
    except ValueError:  # Rasa refuses the file
        known = {}
    return Annotation(start, end, *(str(known.get(key) or "") for key in ("entity", "value", "role", "group")))


def _as_read(line: str, annotations: Iterable[Annotation]) -> tuple[str, list[Annotation]]:
    """What reading `line` with these annotations has to give."""
    shift = len(line) - len(line.lstrip(_STRIPPED))
    wanted = [
        Annotation(
            one.start - shift,
            one.end - shift,
            one.entity,
            "" if one.value == line[one.start : one.end] else one.value,
            one.role,
            one.group,
        )
        for one in sorted(annotations, key=lambda one: one.start)
    ]
    return line.strip(_STRIPPED), wanted


def first_of_each_place(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Without those that overlap an earlier one: Rasa writes only one beside the other."""
    kept: list[Annotation] = []
    for one in sorted(annotations, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept
