"""A project's files as the parts that Rasa Studio knows: domain, nlu, flows, config. Read out of them, and put back.

A part may lie in several files, and a file may hold several parts. Whatever is no part (stories, rules, code) stays as
it is. Read by its top keys, line by line like an outline: parsing YAML takes a second for every 100 kB.
"""

import io
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from models_app.data.check import ROLES_BY_KEY, YAML_SUFFIXES, Role, is_beside_training
from models_app.data.outline import TOP_KEY
from models_app.data.yaml_text import decode

VERSION = 'version: "3.1"\n'
_ANYWHERE = frozenset({"version"})  # says nothing of its file
_CONFIG = frozenset({"recipe", "language", "pipeline", "policies", "assistant_id", "importers", "llm_config"})


@dataclass(frozen=True, slots=True)
class Part:
    """`keys` at the top of a file make it this part; `path` is where it is put when it lies nowhere yet."""

    name: str
    keys: frozenset[str]
    path: str


_DOMAIN = frozenset(key for key, role in ROLES_BY_KEY.items() if role in (Role.DOMAIN, Role.RESPONSES))

DOMAIN = Part("domain", _DOMAIN, "domain.yml")
NLU = Part("nlu", frozenset({"nlu"}), "data/nlu.yml")
FLOWS = Part("flows", frozenset({"flows"}), "data/flows.yml")
CONFIG = Part("config", _CONFIG, "config.yml")


class NotMergeable(Exception):
    """A part lies in several files, and one of them is no YAML that could be joined."""


def part_of(files: Mapping[str, bytes], part: Part) -> str:
    """The part as one YAML text; empty when there is none. Raises NotMergeable."""
    found = {path: text for path, text in _texts(files) if _keys(text) & part.keys}
    if len(found) == 1:
        text = next(iter(found.values()))
        return text if _is_whole(text, part) else _head(part) + "".join(_sections(text, lambda key: key in part.keys))
    if not found:
        return ""
    if part in (NLU, FLOWS) and (bodies := _bodies(found.values(), part)) is not None:
        return f"{_head(part)}{part.name}:\n" + textwrap.indent("\n".join(bodies), "  ") + "\n"
    return _head(part) + _dump(_merged(found.values(), part))


def edits_for(files: Mapping[str, bytes], part: Part, content: bytes) -> dict[str, bytes | None]:
    """The edits after which `content` is this part and nothing else is."""
    found = {path: text for path, text in _texts(files) if _keys(text) & part.keys}
    target = _target(files, found, part)
    edits: dict[str, bytes | None] = {path: _without(text, part) for path, text in found.items()}
    return {**edits, target: content}


def _target(files: Mapping[str, bytes], found: Mapping[str, str], part: Part) -> str:
    """A file that is this part alone, the usual one first; else one that is not there yet."""
    whole = sorted(path for path, text in found.items() if _is_whole(text, part))
    if whole:
        return part.path if part.path in whole else whole[0]
    if part.path not in files:
        return part.path
    pure = PurePosixPath(part.path)
    return str(pure.with_name(f"studio-{pure.name}"))


def _texts(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for path in sorted(files):
        pure = PurePosixPath(path)
        if pure.suffix.lower() in YAML_SUFFIXES and not is_beside_training(pure) and pure.parts[0] != "studio":
            yield path, decode(files[path])


def _keys(text: str) -> set[str]:
    return {match["key"] for line in text.split("\n") if (match := TOP_KEY.match(line))}


def _is_whole(text: str, part: Part) -> bool:
    return _keys(text) <= part.keys | _ANYWHERE


def _sections(text: str, is_wanted: Callable[[str], bool]) -> Iterator[str]:
    """Pieces of the text, each a top key with what is below it; what precedes the first is a comment, and nobody's."""
    piece: list[str] = []
    key = ""
    for line in [*text.split("\n"), ""]:
        match = TOP_KEY.match(line)
        if match:
            if key and is_wanted(key):
                yield "\n".join(piece).rstrip() + "\n"
            key, piece = match["key"], []
        piece.append(line)
    if key and is_wanted(key):
        yield "\n".join(piece).rstrip() + "\n"


def _without(text: str, part: Part) -> bytes | None:
    kept = "".join(_sections(text, lambda key: key not in part.keys))
    return kept.encode() if _keys(kept) - _ANYWHERE else None


def _head(part: Part) -> str:
    return VERSION if part in (DOMAIN, NLU) else ""


def _bodies(texts: Any, part: Part) -> list[str] | None:
    """What lies below the part's key in each text, without its indentation; None where it stands behind the colon."""
    bodies = []
    for text in texts:
        for section in _sections(text, lambda key: key in part.keys):
            first, _, body = section.partition("\n")
            if first.partition(":")[2].partition(" #")[0].strip():
                return None
            bodies.append(textwrap.dedent(body).strip("\n"))
    return [body for body in bodies if body]


def _merged(texts: Any, part: Part) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for text in texts:
        for key, value in load(text).items():
            if key in part.keys:
                merged[key] = _joined(merged[key], value) if key in merged else value
    return merged


def _joined(old: Any, new: Any) -> Any:
    if isinstance(old, list) and isinstance(new, list):
        return old + [one for one in new if one not in old]
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def load(text: str) -> dict[str, Any]:
    """A mapping of plain objects. Raises NotMergeable."""
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise NotMergeable("A file of this assistant is no valid YAML. Mend it on the Data page.") from error
    return found if isinstance(found, dict) else {}


def _dump(value: object) -> str:
    out = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.dump(value, out)
    return out.getvalue()


# --- Some intents and entities alone ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names of intents and entities; a project is narrowed to them."""

    intents: frozenset[str]
    entities: frozenset[str]


def narrowed_nlu(text: str, wanted: Wanted) -> str:
    """The entries of these intents, and those whose examples hold one of these entities."""
    bodies = _bodies([text], NLU) or []
    entries = [entry for body in bodies for entry in _entries(body) if _is_wanted(entry, wanted)]
    return f"{VERSION}nlu:\n" + textwrap.indent("".join(entries), "  ") if entries else ""


def _entries(body: str) -> Iterator[str]:
    piece: list[str] = []
    for line in body.split("\n"):
        if line.startswith("-") and piece:
            yield "\n".join(piece).rstrip() + "\n"
            piece = []
        piece.append(line)
    if piece:
        yield "\n".join(piece).rstrip() + "\n"


def _is_wanted(entry: str, wanted: Wanted) -> bool:
    name = entry.partition("\n")[0].partition(":")[2].strip().strip("\"'")
    if entry.startswith("- intent") and name in wanted.intents:
        return True
    return any(_annotates(entry, entity) for entity in wanted.entities)


def _annotates(entry: str, entity: str) -> bool:
    """`[Rome](city)`, `[Rome](city:value)` or `[Rome]{"entity": "city"}`."""
    name = re.escape(entity)
    return bool(re.search(rf"\]\({name}[):]|\]\{{[^}}]*\"entity\"\s*:\s*\"{name}\"", entry))


def narrowed_domain(text: str, wanted: Wanted) -> str:
    """These intents and entities, and nothing else of the domain."""
    domain = load(text)
    kept = {
        "intents": [one for one in domain.get("intents") or [] if _name(one) in wanted.intents],
        "entities": [one for one in domain.get("entities") or [] if _name(one) in wanted.entities],
    }
    return VERSION + _dump(kept)


def _name(declared: object) -> object:
    return next(iter(declared), None) if isinstance(declared, dict) else declared
