"""Changes of an assistant's files by people: what they may change, what is refused, what others saved meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from models_app.data.check import Problem, check_file
from models_app.data.project import SERVER_FILES, SUFFIXES, ProjectError, check_path
from models_app.data.rights import needed_for_change
from models_app.models import Assistant, Revision
from models_app.services.revisions import NewerRevision, changed_paths, files_of, newest_revision, save_revision
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import Conflict, Forbidden, Invalid

Edits = Mapping[str, bytes | None]  # path to new content; None deletes the file
TRIES = 3


class Collision(Conflict):
    """Somebody saved meanwhile; nothing was written. `paths` are the files that both change."""

    code = "newer-revision"

    def __init__(self, newest: Revision, paths: list[str]) -> None:
        files = paths[0] if len(paths) == 1 else f"{len(paths)} of these files"
        changes = f", and it changes {files} too" if paths else ""
        message = f"{newest.author_label} saved revision {newest.number} meanwhile{changes}."
        super().__init__(message, newest=newest.number, paths=paths)
        self.newest, self.paths = newest, paths


class BadData(Invalid):
    """Rasa could not read a changed file."""

    code = "bad-data"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        told = [{"path": one.path, "line": one.line, "message": one.message} for one in problems]
        super().__init__(str(problems[0]), problems=told)
        self.problems = problems


class MissingRights(Forbidden):
    def __init__(self, missing: list[Permission]) -> None:
        words = " and ".join(f"“{permission.label}”" for permission in missing)
        super().__init__(f"Your roles do not include {words} here.")
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Saved:
    revision: Revision
    changed: bool  # False: the files were as they are already
    on_top_of: Revision | None = None  # what was saved meanwhile, in other files or the same as this
    is_known: bool = False  # some of it was saved meanwhile


def save_edits(
    *,
    actor: User,
    assistant: Assistant,
    edits: Edits,
    message: str,
    base_number: int | None,
    on_top: bool = True,
) -> Saved:
    """Keep `edits`, which began from revision `base_number`, as the next revision.

    Others may have saved meanwhile: where they changed other files, or saved the same (as the same form does that is
    sent twice), the edits go on top of theirs, unless `on_top` is False.
    Raises Collision, BadData, MissingRights, Invalid; then nothing is written.
    """
    _refuse_unreadable(edits)
    for _ in range(TRIES - 1):
        try:
            return _save(actor, assistant, edits, message, base_number, on_top)
        except NewerRevision:  # between our look and the lock; look again
            continue
    return _save(actor, assistant, edits, message, base_number, on_top)


def _save(
    actor: User, assistant: Assistant, edits: Edits, message: str, base_number: int | None, on_top: bool
) -> Saved:
    newest = newest_revision(assistant)
    before = files_of(newest) if newest else {}
    after = applied(before, edits)
    # Before anything is said about files of a kind that the person may have no business with.
    if missing := missing_rights(actor, assistant, before, after):
        raise MissingRights(missing)
    base = Revision.objects.filter(assistant=assistant, number=base_number).first() if base_number else None
    touched: set[str] = set()
    if newest is not None and newest != base:
        touched = edits.keys() & set(changed_paths(base, newest))
        both = sorted(path for path in touched if edits[path] != before.get(path))
        if both or not on_top:
            raise Collision(newest, both)
    refuse_nested(after)
    parent = newest.number if newest else None
    revision = save_revision(actor=actor, assistant=assistant, files=after, message=message, parent_number=parent)
    under = newest if newest != base and newest else None
    return Saved(revision, changed=revision != newest, on_top_of=under, is_known=bool(touched))


def applied(files: Mapping[str, bytes], edits: Edits) -> dict[str, bytes]:
    merged = {**files, **edits}
    return {path: content for path, content in merged.items() if content is not None}


def edits_between(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """The edits that turn `old` into `new`."""
    return {path: new.get(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def missing_rights(
    actor: User, assistant: Assistant, before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> list[Permission]:
    """What the person lacks for this change, in the order of the permissions; empty when nothing."""
    needed = needed_for_change(before, after)
    scope = Scope(assistant.pk)
    return [permission for permission in Permission if permission in needed and not actor.may(permission, scope)]


def usable_path(path: str) -> str:
    """The path as it is kept. Raises Invalid for what is no file of a Rasa project."""
    try:
        kept = check_path(path)
    except ProjectError as error:
        raise Invalid(str(error)) from error
    pure = PurePosixPath(kept)
    if pure.name in SERVER_FILES:
        raise Invalid(f"{pure.name} belongs to a server and often holds passwords; it is no training data.")
    if any(part.startswith(".") for part in pure.parts):
        raise Invalid("Names that begin with a dot are left out of projects.")
    if pure.suffix.lower() not in SUFFIXES:
        raise Invalid(f"Files of a project end in one of {', '.join(sorted(SUFFIXES))}.")
    return kept


def _refuse_unreadable(edits: Edits) -> None:
    contents = {path: content for path, content in edits.items() if content is not None}
    problems = [problem for path, content in contents.items() for problem in check_file(path, content).errors]
    if problems:
        raise BadData(tuple(problems))


def refuse_nested(files: Mapping[str, bytes]) -> None:
    """A file cannot be a folder as well. Raises Invalid."""
    for path in files:
        for parent in PurePosixPath(path).parents:
            if str(parent) in files:
                raise Invalid(f"{parent} is a file, so {path} cannot lie in it.")
