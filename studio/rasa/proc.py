"""What the system tells about a process: which one it is, and how much memory its group uses."""

import functools
import os
import subprocess
import sys
from pathlib import Path

# Fields of /proc/<pid>/stat after the command's name, which itself may hold spaces and brackets.
_STATE, _GROUP, _START_TICKS, _RESIDENT_PAGES = 0, 2, 19, 21


def born(pid: int) -> str | None:
    """A text that no other process ever has: the boot of the machine and the start within it. None when it has ended.

    A process that ended and was not reaped yet counts as ended.
    """
    if sys.platform != "linux":
        return _born_by_ps(pid)
    fields = _stat(pid)
    if fields is None or fields[_STATE] in {"Z", "X"}:
        return None
    return f"{_boot()}:{fields[_START_TICKS]}"


def group_memory(group: int) -> int | None:
    """Resident bytes of all processes of a group; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    pages = 0
    for name in os.listdir("/proc"):  # noqa: PTH208  a Path for each of hundreds of entries would be waste
        fields = _stat(int(name)) if name.isdigit() else None
        if fields is not None and fields[_GROUP] == str(group):
            pages += int(fields[_RESIDENT_PAGES])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


@functools.cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _born_by_ps(pid: int) -> str | None:
    shown = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, start = shown.stdout.strip().partition(" ")
    return start.strip() if start and not state.startswith("Z") else None
