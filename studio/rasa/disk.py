"""How much room a runtime takes. uv links files from its cache, and versions share them: removing frees only a part."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 512  # bytes that `st_blocks` counts


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes on disk: of everything below a folder, and of what nothing outside it holds as well."""

    size: int
    freed: int


def room_of(folder: Path) -> Room:
    size = freed = 0
    inside: dict[int, tuple[int, int, int]] = {}  # of files with several names: names in here, all names, bytes
    for entry in _files(folder):
        try:
            facts = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        taken = facts.st_blocks * BLOCK
        if facts.st_nlink == 1:
            size, freed = size + taken, freed + taken
        else:
            inside[facts.st_ino] = inside.get(facts.st_ino, (0, 0, 0))[0] + 1, facts.st_nlink, taken
    for here, everywhere, taken in inside.values():
        size += taken
        freed += taken if here == everywhere else 0
    return Room(size, freed)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry
        except OSError:
            continue
