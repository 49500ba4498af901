"""Training data: a folder with a Rasa project, and the revisions in Parley."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from parley_cli import config, project
from parley_cli.command import Session, command, only_one
from parley_cli.failures import Code, Failure

Message = Annotated[str, typer.Option("--message", "-m", help="What changed, for the history.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    for function in (init, push, pull):
        command(app)(function)


def init(
    session: Session,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a .parley.toml that is there.")] = False,
) -> None:
    """Say in .parley.toml that this folder is the assistant `--project` of this Parley."""
    root = Path.cwd()
    if (root / config.PROJECT_FILE).exists() and not overwrite:
        raise Failure(f"{config.PROJECT_FILE} is here already: --overwrite replaces it.", Code.CONFLICT)
    found = session.client.get("projects", session.project)
    settings = {"url": session.target.url, "project": session.project}
    if session.profile:
        settings["profile"] = session.profile
    path = config.write_project(root, settings)
    session.out.result(
        {**settings, "file": str(path)},
        f"This folder is now “{found['title']}” at {session.target.url}. Next: parley pull, or parley push",
    )


def _root() -> Path:
    return config.project_folder() or Path.cwd()


# --- Push -------------------------------------------------------------------------------------------------------------


def push(
    session: Session,
    message: Message = "",
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, and save nothing.")] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Go on top of what others saved meanwhile in other files.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the changed lines too.")] = False,
    began: Annotated[
        int | None, typer.Option("--base", metavar="REVISION", help="The files here began from this one.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Whatever Parley has: what is not here leaves the data.")
    ] = False,
) -> None:
    """Save the files of this folder as a new revision. The difference is shown first."""
    from parley_cli.client_data import save

    only_one(replace=replace, merge=merge)
    only_one(replace=replace, base=began)
    root = _root()
    files = project.read(root)
    if not files:
        raise Failure(f"There is no file of a Rasa project in {root}.", Code.USAGE)
    newest = session.client.get("projects", session.project, "data")
    state = project.state_of(root, session.target.url, session.project)
    hashes = {path: project.sha256(content) for path, content in files.items()}
    if newest["number"] and hashes == {one["path"]: one["sha256"] for one in newest["files"]}:
        _remember(session, root, newest["number"], hashes)
        session.out.result(_facts(newest["number"]), f"Revision {newest['number']} is the same.")
        return
    began = newest["number"] if replace else _began_from(began, state, newest, hashes)
    base = began or newest["number"]
    would = save(session, files, base, dry_run=True)
    _show(session, would, files, base, diff=diff)
    _refuse(would, newest, base, merge=merge)
    if dry_run:
        session.out.result(_facts(None, would))
        return
    if yes:
        _refuse_unknown(would, newest, began)
    else:
        _ask_whether_to_save(session)
    made = save(session, files, base, merge=merge, message=message)
    if not made["on_top_of"]:
        _remember(session, root, made["number"], hashes)
    facts = _facts(made["number"], would, saved=made["changed"], on_top_of=made["on_top_of"])
    session.out.result(facts, _told(made))


def _ask_whether_to_save(session: Session) -> None:
    place = f"{session.project} at {session.target.url}"
    if not session.out.confirm(f"Save this to {place}?", otherwise="--yes saves without asking."):
        raise Failure("Nothing was saved.")


def _told(made: Mapping[str, Any]) -> str:
    text = f"Saved as revision {made['number']}."
    if made["on_top_of"]:
        text += f" It is on top of revision {made['on_top_of']}: parley pull brings its changes here."
    return text


def _facts(
    number: int | None,
    would: Mapping[str, Any] | None = None,
    *,
    saved: bool = False,
    on_top_of: int | None = None,
) -> dict[str, object]:
    """The same keys however a push ends. `revision` is null where nothing was to be saved."""
    lists = {name: would[name] if would else [] for name in ("added", "changed", "removed", "problems")}
    return {"revision": number, "saved": saved, "on_top_of": on_top_of, **lists}


def _began_from(
    said: int | None, state: project.State, newest: Mapping[str, Any], here: Mapping[str, str]
) -> int | None:
    """The revision that the files here began from; None when nothing tells.

    It is the newest when what others changed since the remembered one is here, as after a `git pull`.
    """
    if said is not None or not state.revision or not newest["number"]:
        return said or state.revision or None
    there = {one["path"]: one["sha256"] for one in newest["files"]}
    changed = [path for path in there.keys() | state.files.keys() if there.get(path) != state.files.get(path)]
    is_here = all(here.get(path) == there.get(path) for path in changed)
    return int(newest["number"]) if is_here else state.revision


def _remember(session: Session, root: Path, number: int, hashes: Mapping[str, str]) -> None:
    project.remember(root, project.State(session.target.url, session.project, number, hashes))


def _show(session: Session, would: Mapping[str, Any], files: project.Files, base: int | None, *, diff: bool) -> None:
    from parley_cli.client_data import archive_of

    before = archive_of(session, base) if base and (would["changed"] or diff) else {}
    for sign, paths in (("+", would["added"]), ("~", would["changed"]), ("-", would["removed"])):
        for path in paths:
            plus, minus, lines = _lines(before.get(path, b""), files.get(path, b""), path)
            session.out.note(f"{sign} {path}  +{plus} -{minus}")
            if diff:
                session.out.note("".join(f"    {line}\n" for line in lines).rstrip("\n"))
    for problem in would["problems"]:
        place = f"{problem['path']}{':' + str(problem['line']) if problem['line'] else ''}"
        session.out.note(f"{problem['severity']}: {place} {problem['message']}")


def _lines(old: bytes, new: bytes, path: str) -> tuple[int, int, list[str]]:
    """How many lines came and went, and the difference as `diff -u` shows it."""
    import difflib

    before, after = (content.decode("utf-8", "replace").splitlines() for content in (old, new))
    lines = list(difflib.unified_diff(before, after, path, path, lineterm=""))[2:]
    return sum(line[0] == "+" for line in lines), sum(line[0] == "-" for line in lines), lines


def _refuse_unknown(would: Mapping[str, Any], newest: Mapping[str, Any], began: int | None) -> None:
    """Nobody looks, and this folder may never have had what it would take away."""
    lost = [*would["changed"], *would["removed"]]
    if began is None and lost:
        raise Failure(
            f"Nothing tells whether this folder has what {newest['author']} saved as revision {newest['number']}, and"
            f" saving would change or remove {len(lost)} of its files, such as {lost[0]}. Get it with parley pull; or"
            f" say --base {newest['number']} if the files here began from it, or --replace.",
            Code.CONFLICT,
            details={"newest": newest["number"], "base": None},
        )


def _refuse(would: Mapping[str, Any], newest: Mapping[str, Any], base: int | None, *, merge: bool) -> None:
    if would["missing"]:
        raise Failure(f"You may not change that here. You lack: {', '.join(would['missing'])}.", Code.FORBIDDEN)
    if would["newest"] != base and not merge:
        raise Failure(
            f"{newest['author']} saved revision {would['newest']} after revision {base}, which this folder has."
            " Get it with parley pull, or give --merge if it changed other files.",
            Code.CONFLICT,
            details={"newest": would["newest"], "base": base},
        )
    errors = [
        one
        for one in would["problems"]
        if one["severity"] == "error" and one["path"] in {*would["added"], *would["changed"]}
    ]
    if errors:
        raise Failure(f"Rasa could not read this: {errors[0]['path']}: {errors[0]['message']}")


# --- Pull -------------------------------------------------------------------------------------------------------------


@dataclass
class Plan:
    """What a pull does. `both`: changed here and there, or changed here and gone there."""

    write: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    both: list[str] = field(default_factory=list)
    mine: list[str] = field(default_factory=list)


def plan(local: Mapping[str, str], base: Mapping[str, str], there: Mapping[str, str]) -> Plan:
    """Of SHA-256 by path: here, when both were last the same, and in the revision."""
    found = Plan()
    for path in sorted(there.keys() | base.keys()):
        here, was, new = local.get(path), base.get(path), there.get(path)
        if here == new:
            continue
        if here == was:
            (found.write if new is not None else found.remove).append(path)
        elif new == was:
            found.mine.append(path)
        else:
            found.both.append(path)
    return found


def pull(
    session: Session,
    revision: Annotated[int | None, typer.Option("--revision", "-r", help="The newest when left out.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Give up changes here without asking.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep files that changed here and there as they are here.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change.")] = False,
) -> None:
    """Write the files of a revision into this folder. What was changed here is never overwritten unasked."""
    only_one(overwrite=overwrite, keep=keep)
    from parley_cli.client_data import archive_of

    root = _root()
    newest = session.client.get("projects", session.project, "data", revision=revision)
    number = newest["number"]
    if not number:
        raise Failure(f"{session.project} has no training data yet. Send some: parley push", Code.NOT_FOUND)
    there = {one["path"]: one["sha256"] for one in newest["files"]}
    local = {path: project.sha256(content) for path, content in project.read(root).items()}
    state = project.state_of(root, session.target.url, session.project)
    todo = plan(local, state.files, there)
    signs = {"-": todo.remove, "!": todo.both, "=": todo.mine}
    for path in todo.write:
        session.out.note(f"{'~' if path in local else '+'} {path}")
    for sign, paths in signs.items():
        for path in paths:
            session.out.note(f"{sign} {path}")
    facts = {
        "revision": number,
        "written": todo.write,
        "removed": todo.remove,
        "conflicts": todo.both,
        "changed_here": todo.mine,
    }
    if dry_run:
        session.out.result(facts)
        return
    if todo.both and not keep:
        _may_overwrite(session, todo, number, overwrite=overwrite)
    content = archive_of(session, number) if todo.write or (todo.both and not keep) else {}
    taken = [] if keep else todo.both
    _carry_out(root, [*todo.write, *(path for path in taken if path in there)], content)
    for path in [*todo.remove, *(path for path in taken if path not in there)]:
        project.remove_file(root, path)
    _remember(session, root, number, there)
    kept = [*todo.mine, *(todo.both if keep else [])]
    text = f"Revision {number} is here: {len(todo.write) + len(taken)} written, {len(todo.remove)} removed."
    if kept:
        text += f" {len(kept)} changed here stay as they are."
    session.out.result({**facts, "kept": kept}, text)


def _may_overwrite(session: Session, todo: Plan, number: int, *, overwrite: bool) -> None:
    count = f"{len(todo.both)} file{'s' if len(todo.both) > 1 else ''}"
    if overwrite:
        return
    try:
        may = session.out.confirm(
            f"{count} (!) changed here and in revision {number}. Overwrite yours, so that your changes are lost?",
            otherwise="--overwrite or --keep",
        )
    except Failure:
        raise Failure(
            f"{count} changed here and in revision {number}: {', '.join(todo.both[:5])}."
            " --overwrite gives up what is here, --keep keeps it. Nothing was written.",
            Code.CONFLICT,
            details={"conflicts": todo.both},
        ) from None
    if not may:
        raise Failure("Nothing was written. --keep takes the other files alone.", Code.CONFLICT)


def _carry_out(root: Path, paths: list[str], content: Mapping[str, bytes]) -> None:
    missing = [path for path in paths if path not in content]
    if missing:
        raise Failure(f"{missing[0]} did not come with the revision. Try again.")
    for path in paths:
        project.write_file(root, path, content[path])
