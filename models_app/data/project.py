"""An assistant's project as it comes from people (a zip or a folder), read into a set of files.

Kept byte for byte: whatever encoding or line ending a file has, the team gets it back as it was. What is no training
data (caches, models, repositories, hidden files) is left out and named, not refused: people zip the folder they
work in.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

SUFFIXES = frozenset({".yml", ".yaml", ".py", ".md", ".txt", ".json", ".toml", ".cfg", ".ini", ".csv"})
LEFT_OUT_ANYWHERE = frozenset({"__MACOSX", "__pycache__", "node_modules", "venv"})
LEFT_OUT_AT_ROOT = frozenset({"models", "results"})
# How a server reaches its channels and stores: no training data, and often full of passwords.
SERVER_FILES = frozenset({"credentials.yml", "credentials.yaml", "endpoints.yml", "endpoints.yaml"})
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
ENCRYPTED = 0x1
# What zipfile and zlib raise when a zip is damaged; none of them says it in words for people.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError)


class ProjectError(Exception):
    """Why a project cannot be read, in one sentence for whoever brought it."""


@dataclass(frozen=True)
class Limits:
    zip_bytes: int = 100 * 1024**2
    entries: int = 50_000  # in the zip or folder, left out ones included
    files: int = 2_000
    file_bytes: int = 5 * 1024**2
    total_bytes: int = 50 * 1024**2


@dataclass(frozen=True)
class Project:
    files: Mapping[str, bytes]  # by path from the project's root, with "/" on every system
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    path: str
    source: zipfile.ZipInfo | Path
    is_link: bool


def read_zip(source: BinaryIO, limits: Limits | None = None) -> Project:
    """The project in a zip. Only what is kept is unpacked, never more than the limits allow. Raises `ProjectError`."""
    limits = limits or Limits()
    _refuse_large_zip(source, limits)
    try:
        with zipfile.ZipFile(source) as archive:
            kept, left_out = _choose(_zip_entries(archive, limits))
            return Project(_read_all(kept, limits, archive), left_out)
    except DAMAGED as error:
        raise ProjectError("The file is not a zip, or it is damaged.") from error


def read_folder(root: Path, limits: Limits | None = None) -> Project:
    """The project in a folder of this machine. Raises `ProjectError`."""
    limits = limits or Limits()
    if not root.is_dir():
        raise ProjectError(f"{root} is not a folder.")
    try:
        kept, left_out = _choose(_folder_entries(root, limits))
        return Project(_read_all(kept, limits), left_out)
    except OSError as error:
        raise ProjectError(f"{error.filename or root} cannot be read: {error.strerror or error}.") from error


def check_path(path: str) -> str:
    """A path as it is kept: relative, with "/" and without anything that climbs. Raises `ProjectError`."""
    inside = _inside(path)
    if not inside or len(inside) > 300 or not inside.isprintable():
        raise ProjectError(f"{_shown(path)} is no usable file name.")
    return inside


def _inside(path: str) -> str:
    slashed = path.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if slashed.startswith("/") or (parts and ":" in parts[0]):
        raise ProjectError(f"{_shown(path)} is an absolute path; paths begin at the project's folder.")
    if ".." in parts:
        raise ProjectError(f"{_shown(path)} climbs out of the project's folder.")
    return "/".join(parts)


def _refuse_large_zip(source: BinaryIO, limits: Limits) -> None:
    size = source.seek(0, 2)
    source.seek(0)
    if not size:
        raise ProjectError("The file is empty.")
    if size > limits.zip_bytes:
        raise ProjectError(f"The zip is larger than {_megabytes(limits.zip_bytes)}.")


def _zip_entries(archive: zipfile.ZipFile, limits: Limits) -> Iterator[_Entry]:
    infos = archive.infolist()
    if len(infos) > limits.entries:
        raise ProjectError(f"The zip holds more than {limits.entries:,} entries.")
    for info in infos:
        if not info.is_dir():
            mode = info.external_attr >> 16
            yield _Entry(_inside(info.filename), info, is_link=stat.S_ISLNK(mode))


def _folder_entries(root: Path, limits: Limits) -> Iterator[_Entry]:
    found = 0
    folders = [root]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            found += 1
            if found > limits.entries:
                raise ProjectError(f"The folder holds more than {limits.entries:,} entries.")
            if path.is_dir() and not path.is_symlink():
                # Not walked into: an environment or a repository inside the folder can hold a hundred thousand files.
                if not _is_left_out_anywhere(PurePosixPath(path.name)):
                    folders.append(path)
            else:
                yield _Entry(_inside(path.relative_to(root).as_posix()), path, path.is_symlink())


def _choose(entries: Iterable[_Entry]) -> tuple[list[_Entry], tuple[str, ...]]:
    """What is kept, and the paths of what is left out, from the project's root on."""
    kept: list[_Entry] = []
    left_out: list[_Entry] = []
    for entry in entries:
        path = PurePosixPath(entry.path)
        (left_out if _is_left_out_anywhere(path) else kept).append(entry)
    kept = _without_top_folder(kept)
    outside = [entry for entry in kept if _is_left_out_at_root(PurePosixPath(entry.path))]
    kept = [entry for entry in kept if not _is_left_out_at_root(PurePosixPath(entry.path))]
    return kept, tuple(sorted(entry.path for entry in left_out + outside))


def _is_left_out_anywhere(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in LEFT_OUT_ANYWHERE for part in path.parts)


def _is_left_out_at_root(path: PurePosixPath) -> bool:
    return path.parts[0] in LEFT_OUT_AT_ROOT or path.name in SERVER_FILES or path.suffix.lower() not in SUFFIXES


def _without_top_folder(entries: list[_Entry]) -> list[_Entry]:
    """Zipping a folder puts everything under its name; the project begins inside it."""
    tops = {entry.path.partition("/")[0] for entry in entries}
    if len(tops) != 1 or any("/" not in entry.path for entry in entries):
        return entries
    return [replace(entry, path=entry.path.partition("/")[2]) for entry in entries]


def _read_all(kept: list[_Entry], limits: Limits, archive: zipfile.ZipFile | None = None) -> dict[str, bytes]:
    if not kept:
        raise ProjectError("There is nothing of a Rasa project in it: no YAML, Python or text file.")
    if len(kept) > limits.files:
        raise ProjectError(f"The project has more than {limits.files:,} files.")
    files: dict[str, bytes] = {}
    total = 0
    for entry in sorted(kept, key=lambda entry: entry.path):
        check_path(entry.path)
        if entry.path in files:
            raise ProjectError(f"{_shown(entry.path)} is in it twice.")
        files[entry.path] = _read(entry, limits, archive)
        total += len(files[entry.path])
        if total > limits.total_bytes:
            raise ProjectError(f"The project's files are larger than {_megabytes(limits.total_bytes)} together.")
    return files


def _read(entry: _Entry, limits: Limits, archive: zipfile.ZipFile | None) -> bytes:
    if entry.is_link:
        raise ProjectError(f"{_shown(entry.path)} is a link; put the file itself in its place.")
    if isinstance(entry.source, Path):
        with entry.source.open("rb") as stream:
            data = stream.read(limits.file_bytes + 1)
    else:
        data = _read_zipped(archive, entry, entry.source, limits)
    if len(data) > limits.file_bytes:
        raise ProjectError(f"{_shown(entry.path)} is larger than {_megabytes(limits.file_bytes)}.")
    return data


def _read_zipped(archive: zipfile.ZipFile | None, entry: _Entry, info: zipfile.ZipInfo, limits: Limits) -> bytes:
    assert archive is not None
    if info.flag_bits & ENCRYPTED:
        raise ProjectError("The zip is protected by a password.")
    if info.compress_type not in METHODS:
        raise ProjectError(f"{_shown(entry.path)} is compressed in a way that only some programs know; zip it plainly.")
    # Declared sizes lie: what counts is what comes out, and reading one byte more than allowed is enough to know.
    with archive.open(info) as stream:
        return stream.read(limits.file_bytes + 1)


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:g} MB"


def _shown(path: str) -> str:
    readable = "".join(letter if letter.isprintable() else "�" for letter in path)
    return readable if len(readable) <= 80 else "…" + readable[-79:]
