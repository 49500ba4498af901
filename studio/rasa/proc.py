"""What the system tells about processes: which one it is, what it started, and how much memory and disk that takes.

Linux tells it all in /proc. Elsewhere `ps` tells less: a process that left both its parent and its group is not found
there, and memory that several share counts once for each.
"""

from __future__ import annotations  # it also runs in the images of clusters, with their Python

import functools
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# Fields of /proc/<pid>/stat after the command's name, which itself may hold spaces and brackets.
_STATE, _PARENT, _GROUP, _START_TICKS, _RESIDENT_PAGES = 0, 1, 2, 19, 21
_ENDED = frozenset("ZX")
_BLOCK = 512  # bytes, the unit of st_blocks everywhere


class Process(NamedTuple):
    """A living process. Threads are none."""

    pid: int
    parent: int
    group: int
    resident: int  # bytes


def born(pid: int) -> str | None:
    """A text that no other process ever has: the boot of the machine and the start within it. None when it has ended.

    A process that ended and was not reaped yet counts as ended.
    """
    if sys.platform != "linux":
        return _born_by_ps(pid)
    fields = _stat(pid)
    if fields is None or fields[_STATE] in _ENDED:
        return None
    return f"{_boot()}:{fields[_START_TICKS]}"


def table() -> list[Process]:
    """Every living process of this machine."""
    if sys.platform != "linux":
        return _table_by_ps()
    page = os.sysconf("SC_PAGE_SIZE")
    found = []
    for pid in _numbers():
        fields = _stat(pid)
        if fields is not None and fields[_STATE] not in _ENDED:
            resident = int(fields[_RESIDENT_PAGES]) * page
            found.append(Process(pid, int(fields[_PARENT]), int(fields[_GROUP]), resident))
    return found


def descendants(root: int, group: int = 0) -> list[Process]:
    """What `root` started, and what that started. `group`: also whoever is in it, for where orphans are lost."""
    everyone = table()
    found = {root: None}
    grew = True
    while grew:  # a parent may stand behind its child
        before = len(found)
        found.update((one.pid, None) for one in everyone if one.parent in found or (group and one.group == group))
        grew = len(found) > before
    return [one for one in everyone if one.pid in found and one.pid != root]


def memory_of(processes: Iterable[Process]) -> int:
    """Bytes of memory that they use together; what several share counts once, where the system can tell."""
    processes = list(processes)
    if len(processes) == 1:
        return processes[0].resident
    return sum(_proportional(one) for one in processes)


def disk_of(folder: Path, processes: Iterable[Process] = ()) -> int:
    """Bytes that the folder takes on its disk, with files that are deleted already and that a process still holds."""
    seen: set[tuple[int, int]] = set()
    found = 0
    for file in (*_files(str(folder)), *_deleted_files(folder, processes)):
        if (file.st_dev, file.st_ino) not in seen:
            seen.add((file.st_dev, file.st_ino))
            found += file.st_blocks * _BLOCK
    return found


def marked(name: str, end: str) -> list[int]:
    """Living processes that were started with a variable of this name and end of value; Linux alone tells."""
    if sys.platform != "linux":
        return []
    begin, last = f"{name}=".encode(), end.encode()
    return [pid for pid in _numbers() if any(x.startswith(begin) and x.endswith(last) for x in _environment(pid))]


def threads_of_user(user: int) -> int:
    """Threads of all processes of this user, as the kernel counts them against RLIMIT_NPROC; Linux alone tells."""
    found = 0
    for pid in _numbers():
        with suppress(OSError):
            if Path(f"/proc/{pid}").stat().st_uid == user:
                found += len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    return found


def _numbers() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208  a Path for each of hundreds of entries would be waste
        if name.isdigit():
            yield int(name)


def _stat(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123  some hundred times in a look
            text = file.read(1024)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(b")")[2].decode("ascii").split()


def _environment(pid: int) -> list[bytes]:
    with suppress(OSError):  # gone, or somebody else's
        if (fields := _stat(pid)) is not None and fields[_STATE] not in _ENDED:
            return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def _proportional(one: Process) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return one.resident


def _files(folder: str) -> Iterator[os.stat_result]:
    with suppress(OSError), os.scandir(folder) as entries:  # deleted while we look
        for entry in entries:
            with suppress(OSError):
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)


def _deleted_files(folder: Path, processes: Iterable[Process]) -> Iterator[os.stat_result]:
    if sys.platform != "linux":
        return
    device = folder.stat().st_dev
    for one in processes:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{one.pid}/fd"):  # noqa: PTH208
                with suppress(OSError):
                    file = os.stat(f"/proc/{one.pid}/fd/{name}")  # noqa: PTH116
                    if file.st_nlink == 0 and file.st_dev == device and stat.S_ISREG(file.st_mode):
                        yield file


@functools.cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _born_by_ps(pid: int) -> str | None:
    import subprocess  # the keeper has no use for it on Linux

    shown = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, start = shown.stdout.strip().partition(" ")
    return start.strip() if start and not state.startswith("Z") else None


def _table_by_ps() -> list[Process]:
    import subprocess

    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,rss=,stat="]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:
        lines = [line.split() for line in ps.communicate()[0].splitlines()]
    rows = [([int(number) for number in line[:4]], line[4]) for line in lines if len(line) == 5]
    return [
        Process(pid, parent, group, kilobytes * 1024)
        for (pid, parent, group, kilobytes), state in rows
        if state[0] not in _ENDED and pid != ps.pid
    ]
