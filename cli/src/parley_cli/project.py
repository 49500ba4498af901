"""The files of a Rasa project on this machine, and what of them was last the same as in Parley.

`.parley/state.json` beside them remembers the revision and the SHA-256 of each file as it was pulled or pushed.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parley_cli.config import write_safely
from parley_cli.failures import Code, Failure

# As Parley reads a project: what is none of this is left out.
SUFFIXES = frozenset({".yml", ".yaml", ".py", ".md", ".txt", ".json", ".toml", ".cfg", ".ini", ".csv"})
LEFT_OUT_ANYWHERE = frozenset({"__MACOSX", "__pycache__", "node_modules", "venv"})
LEFT_OUT_AT_ROOT = frozenset({"models", "results"})
SERVER_FILES = frozenset({"credentials.yml", "credentials.yaml", "endpoints.yml", "endpoints.yaml"})
MOST_FILES, LARGEST_FILE = 2_000, 5 * 1024**2

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class State:
    """What this folder last had in common with Parley. `revision` is 0 before the first time."""

    url: str
    project: str
    revision: int
    files: Mapping[str, str]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(root: Path) -> dict[str, bytes]:
    """By path with "/" on every system. Raises Failure for what Parley would refuse."""
    found: dict[str, bytes] = {}
    for path in _walk(root):
        inside = path.relative_to(root).as_posix()
        if path.is_symlink():
            raise Failure(f"{inside} is a link; put the file itself in its place.")
        if path.stat().st_size > LARGEST_FILE:
            raise Failure(f"{inside} is larger than {LARGEST_FILE // 1024**2} MB.")
        found[inside] = path.read_bytes()
        if len(found) > MOST_FILES:
            raise Failure(f"There are more than {MOST_FILES:,} files here. Is {root} a Rasa project?", Code.USAGE)
    return found


def _walk(root: Path) -> list[Path]:
    found, folders = [], [root]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            inside = PurePosixPath(path.relative_to(root).as_posix())
            if not is_kept(inside, is_folder=path.is_dir() and not path.is_symlink()):
                continue
            if path.is_dir() and not path.is_symlink():
                folders.append(path)
            else:
                found.append(path)
    return found


def is_kept(path: PurePosixPath, *, is_folder: bool = False) -> bool:
    """Whether Parley takes it for training data."""
    if any(part.startswith(".") or part in LEFT_OUT_ANYWHERE for part in path.parts):
        return False
    if path.parts[0] in LEFT_OUT_AT_ROOT:
        return False
    return is_folder or (path.suffix.lower() in SUFFIXES and path.name not in SERVER_FILES)


def packed(files: Files) -> bytes:
    """A zip of one folder, so that no name in it is taken for the folder that people zip."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(f"project/{path}", files[path])
    return target.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of a zip of Parley. Raises Failure for a name that leads out of the folder."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise Failure("The files came damaged. Try again.") from error
    return {_inside(name.partition("/")[2]): data for name, data in entries.items()}


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    parts = path.parts
    if not parts or path.is_absolute() or ".." in parts or "\\" in name or ":" in parts[0] or not is_kept(path):
        raise Failure(f"{name} is no usable file name.")
    return path.as_posix()


# --- What is remembered -----------------------------------------------------------------------------------------------


def state_of(root: Path, url: str, project: str) -> State:
    """Nothing is in common with another Parley or assistant than the one that the folder was pulled from."""
    empty = State(url, project, 0, {})
    try:
        facts = json.loads((root / ".parley" / "state.json").read_text(encoding="utf-8"))
        found = State(str(facts["url"]), str(facts["project"]), int(facts["revision"]), dict(facts["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return empty
    return found if (found.url, found.project) == (url, project) else empty


def remember(root: Path, state: State) -> None:
    folder = root / ".parley"
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    facts = {"url": state.url, "project": state.project, "revision": state.revision, "files": dict(state.files)}
    write_safely(folder / "state.json", json.dumps(facts, indent=1, sort_keys=True).encode(), 0o644)


def write_file(root: Path, path: str, content: bytes) -> None:
    """All or nothing. Raises Failure where a link would lead out of the folder."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise Failure(f"{path} lies behind a link that leads out of {root}.")
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    write_safely(target, content, mode)


def remove_file(root: Path, path: str) -> None:
    """With the folders that are empty then."""
    target = root / path
    target.unlink(missing_ok=True)
    for folder in target.parents:
        if folder == root or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
