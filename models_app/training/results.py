"""Reads the files that `rasa test` leaves. Bounded: a result fits a page and a row, whatever the assistant."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, SequenceNode

from models_app.data.yaml_text import YamlError, compose, top_level

LABELS = 2000  # of one kind
PAIRS = 1000
EXAMPLES = 20  # of one pair
STORIES = 200
TEXT = 20_000  # characters of one story
NAME = 250
AVERAGES = frozenset({"accuracy", "micro avg", "macro avg", "weighted avg", "conversation_accuracy"})
_SOURCE = re.compile(r"^(?P<name>.*) \((?P<path>[^()]+)\)$", re.DOTALL)
_REPORT = "_report.json"


class Unreadable(Exception):
    """Rasa left no result, or one that we cannot read."""


@dataclass(frozen=True, slots=True)
class Score:
    """Shares from 0 to 1. `kind` is one of LabelScore.Kind."""

    kind: str
    name: str
    precision: float
    recall: float
    f1: float
    support: int
    extractor: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """`examples` are texts with the confidence of the wrong intent."""

    expected: str
    predicted: str
    count: int
    examples: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    path: str
    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Stories:
    total: int
    correct: int
    warned: int
    steps_accuracy: float | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Nlu:
    """`accuracy` and the two below it are of intents."""

    accuracy: float
    macro_f1: float
    weighted_f1: float
    scores: tuple[Score, ...]
    pairs: tuple[Pair, ...]


# --- Stories ------------------------------------------------------------------------------------------------------


def read_stories(folder: Path) -> Stories:
    """What `rasa test core` left. Raises Unreadable."""
    report = _json(folder / "story_report.json")
    conversations = report.get("conversation_accuracy")
    if not isinstance(conversations, dict):
        raise Unreadable("Rasa found no story in the test files.")
    failed = _faults(folder / "failed_test_stories.yml", is_warning=False)
    warned = _faults(folder / "stories_with_warnings.yml", is_warning=True)
    return Stories(
        total=int(conversations["total"]),
        correct=int(conversations["correct"]),
        warned=int(conversations.get("with_warnings", 0)),
        steps_accuracy=_steps_accuracy(report),
        faults=(*failed, *warned),
    )


def _steps_accuracy(report: Mapping[str, Any]) -> float | None:
    """Rasa writes the accuracy, or, when something was predicted that no story asked for, the averages alone."""
    if isinstance(report.get("accuracy"), float | int):
        return float(report["accuracy"])
    average = report.get("micro avg")
    return float(average["f1-score"]) if isinstance(average, dict) else None


def _faults(path: Path, *, is_warning: bool) -> tuple[Fault, ...]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return ()
    lines = text.splitlines(keepends=True)
    found = []
    entries = _stories(text)[:STORIES]
    for at, (name, first) in enumerate(entries):
        last = entries[at + 1][1] if at + 1 < len(entries) else len(lines)
        found.append(_fault(name, "".join(lines[first:last]), is_warning))
    return tuple(found)


def _stories(text: str) -> list[tuple[str, int]]:
    """The name of each story with the line it begins in."""
    try:
        entries = top_level(compose(text)).get("stories")
    except YamlError as error:
        raise Unreadable(f"Rasa's own file of stories is no YAML: {error}") from error
    if not isinstance(entries, SequenceNode):
        return []
    return [(_value(one, "story"), one.start_mark.line) for one in entries.value if isinstance(one, MappingNode)]


def _value(mapping: MappingNode, key: str) -> str:
    return next((str(value.value) for name, value in mapping.value if name.value == key), "")


def _fault(name: str, text: str, is_warning: bool) -> Fault:
    """Rasa writes the file behind the name: `A visitor asks around (tests/test_stories.yml)`."""
    match = _SOURCE.match(name)
    words, path = (match["name"], match["path"]) if match else (name, "")
    text = text.replace(f" ({path})", "", 1)
    if len(text) > TEXT:
        text = f"{text[:TEXT]}\n# … the rest of this story is left out"
    return Fault(words[:500], path[-500:], text.rstrip() + "\n", is_warning)


# --- NLU ----------------------------------------------------------------------------------------------------------


def read_nlu(folder: Path) -> Nlu:
    """What `rasa test nlu` left. Raises Unreadable."""
    report = _json(folder / "intent_report.json")
    macro, weighted = report.get("macro avg"), report.get("weighted avg")
    if not isinstance(macro, dict) or not isinstance(weighted, dict):
        raise Unreadable("Rasa measured no intent.")
    scores = [*_scores("intent", report)]
    for path in sorted(folder.glob(f"*{_REPORT}")):
        extractor = path.name.removesuffix(_REPORT)
        if extractor == "response_selection":
            scores += _scores("response", _json(path))
        elif extractor not in ("intent", "story"):
            scores += _scores("entity", _json(path), extractor)
    return Nlu(
        accuracy=_accuracy(report),
        macro_f1=float(macro["f1-score"]),
        weighted_f1=float(weighted["f1-score"]),
        scores=tuple(scores),
        pairs=tuple(_pairs(folder / "intent_errors.json")),
    )


def _accuracy(report: Mapping[str, Any]) -> float:
    value = _steps_accuracy(report)
    if value is None:
        raise Unreadable("Rasa wrote no accuracy.")
    return value


def _scores(kind: str, report: Mapping[str, Any], extractor: str = "") -> Iterator[Score]:
    entries = [(name, one) for name, one in report.items() if name not in AVERAGES and isinstance(one, dict)]
    for name, one in sorted(entries)[:LABELS]:
        yield Score(
            kind,
            name[:NAME],
            float(one["precision"]),
            float(one["recall"]),
            float(one["f1-score"]),
            int(one["support"]),
            extractor[:NAME],
        )


def _pairs(path: Path) -> Iterator[Pair]:
    """What was taken for what, the most frequent first."""
    try:
        errors = json.loads(path.read_text())
    except FileNotFoundError:
        return  # Rasa writes it only when there are errors
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for error in errors:
        predicted = error.get("intent_prediction") or {}
        key = (str(error.get("intent") or "")[:NAME], str(predicted.get("name") or "")[:NAME])
        counts[key] += 1
        if len(examples.setdefault(key, [])) < EXAMPLES:
            examples[key].append((str(error.get("text") or "")[:500], float(predicted.get("confidence") or 0.0)))
    for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]:
        yield Pair(*key, count, tuple(examples[key]))


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise Unreadable(f"Rasa wrote no {path.name}.") from error
    except ValueError as error:
        raise Unreadable(f"Rasa's {path.name} is damaged.") from error
    if not isinstance(value, dict):
        raise Unreadable(f"Rasa's {path.name} is damaged.")
    return value
