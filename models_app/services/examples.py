"""Putting examples of intents into an assistant's training data: one revision, however many there are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from models_app.data.check import Role
from models_app.data.examples import Example
from models_app.data.nlu_edits import add_examples, add_names, new_file, take_out_examples
from models_app.data.outline import outline
from models_app.data.vocabulary import vocabulary
from models_app.data.yaml_text import YamlError
from models_app.models import Assistant, Revision
from models_app.services.editing import Collision, Saved, save_edits
from models_app.services.revisions import files_of, newest_revision
from studio.access.models import User
from studio.errors import Conflict, Invalid

NEW_FILE = "data/nlu/from_conversations.yml"
TRIES = 3

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Additions:
    """What comes in, and which examples go out because their text comes in as something else.

    Names are those that the domain gets besides.
    """

    examples: Sequence[Example]
    taken_out: Collection[Example] = ()
    intents: Sequence[str] = ()
    entities: Sequence[str] = field(default=())


def save_examples(*, actor: User, assistant: Assistant, additions: Additions, message: str) -> Saved:
    """Keep the newest data with the additions as the next revision; each stands in the file that has its intent.

    What somebody else saves meanwhile stays: then it is done again upon theirs. Raises Conflict, Invalid, and what
    `save_edits` does; then nothing is written.
    """
    for _ in range(TRIES):
        newest = newest_revision(assistant)
        if newest is None:
            raise Conflict("There is no training data yet. Upload the assistant’s project first.")
        edits = _edits(newest, additions)
        try:
            return save_edits(actor=actor, assistant=assistant, edits=edits, message=message, base_number=newest.number)
        except Collision:  # in one of our files, between our look and the lock
            continue
    raise Conflict("Others keep saving the same files just now. Nothing was changed; try again in a moment.")


def _edits(newest: Revision, additions: Additions) -> Mapping[str, bytes | None]:
    before = files_of(newest)
    after = dict(before)
    try:
        _take_out(after, additions.taken_out)
        _add(after, additions.examples)
        _name(after, "intents", additions.intents)
        _name(after, "entities", additions.entities)
    except YamlError as error:
        raise Invalid(f"The training data has a mistake that has to be mended first. {error}") from error
    return {path: content for path, content in after.items() if before.get(path) != content}


def _take_out(files: Files, examples: Collection[Example]) -> None:
    if not examples:
        return
    lines: dict[str, set[str]] = {}
    for one in examples:
        lines.setdefault(one.intent, set()).add(one.line)
    known = vocabulary(files)
    for path in {path for intent in lines for path in known.places.get(intent, {})}:
        files[path] = take_out_examples(files[path], lines)


def _add(files: Files, examples: Sequence[Example]) -> None:
    known = vocabulary(files)
    homes: dict[str, dict[str, list[str]]] = {}
    for one in examples:
        if one in known.examples.get(one.text, ()):
            continue
        lines = homes.setdefault(known.home_of(one.intent) or NEW_FILE, {}).setdefault(one.intent, [])
        if one.line not in lines:
            lines.append(one.line)
    left: dict[str, list[str]] = homes.pop(NEW_FILE, {})
    for path, wanted in homes.items():
        changed = add_examples(files[path], wanted)
        if changed is None:
            left |= wanted
        else:
            files[path] = changed
    if left:
        _add_to_own_file(files, left)


def _add_to_own_file(files: Files, examples: Mapping[str, Sequence[str]]) -> None:
    path, number = NEW_FILE, 1
    while path in files:
        changed = add_examples(files[path], examples)
        if changed is not None:
            files[path] = changed
            return
        number += 1
        path = NEW_FILE.replace(".yml", f"_{number}.yml")
    files[path] = new_file(examples)


def _name(files: Files, section: str, names: Sequence[str]) -> None:
    """Into the part of the domain that has such a list."""
    known = vocabulary(files)
    have = known.domain_intents if section == "intents" else known.entities.keys()
    missing = [name for name in dict.fromkeys(names) if name not in have]
    if not missing:
        return
    domains = [path for path, data in sorted(files.items()) if Role.DOMAIN in outline(path, data).roles]
    domains.sort(key=lambda path: f"\n{section}:".encode() not in b"\n" + files[path])
    for path in domains:
        changed = add_names(files[path], section, missing)
        if changed is not None:
            files[path] = changed
            return
    raise Invalid(f"No domain file has a place for {', '.join(missing)}. Write it there by hand first.")
