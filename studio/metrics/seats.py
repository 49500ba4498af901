"""Which file of counters a process writes to.

A process takes the first seat that is free, and goes on counting in the files of whoever had it before: nothing that
was counted is lost with a process that dies, and there are as many files as processes lived at once, not as ever
lived. A seat is a POSIX lock: the kernel frees it however its process ends, and a forked child does not inherit it.
Who comes to an empty house, at the start of an installation, clears what stands there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

KINDS = ("counter", "histogram")  # prometheus_client keeps a file for each
# Space that is really there: a hole in a memory-mapped file on a full disk would kill its process.
FILE_BYTES = 4 * 1024 * 1024
MOST_SEATS = 1000


class Seat:
    """The seat of this process, taken at the first call: `Seat()()` is its number as text."""

    def __init__(self) -> None:
        self._pid = 0
        self._number = ""
        self._lock: int | None = None

    def __call__(self) -> str:
        if self._pid != os.getpid():
            self._number, self._lock = _take(settings.METRICS_DIR)
            self._pid = os.getpid()
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.METRICS_DIR)
        return self._number


seat = Seat()


def occupy() -> None:
    """Hold the house open from a process that counts nothing itself: workers that come and go find it as it is."""
    seat()


def files() -> list[Path]:
    """Everything that was counted."""
    return sorted(settings.METRICS_DIR.glob("*_*.db"))


def _take(folder: Path) -> tuple[str, int]:
    """(number, descriptor of its lock)"""
    with _door(folder):
        if not _anybody(folder):
            for old in folder.glob("*.db"):
                old.unlink()
        for number in range(MOST_SEATS):
            lock = _lock(folder / f"{number}.seat")
            if lock is not None:
                try:
                    _make_room(folder, number)
                except OSError:  # a full disk: each next count tries again
                    os.close(lock)
                    raise
                return str(number), lock
    raise OSError(f"All {MOST_SEATS} seats of {folder} are taken.")


@contextmanager
def _door(folder: Path) -> Iterator[None]:
    """One at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "door").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _anybody(folder: Path) -> bool:
    return any(_is_held(path) for path in folder.glob("*.seat"))


def _is_held(path: Path) -> bool:
    lock = _lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _lock(path: Path) -> int | None:
    """A descriptor that holds the lock while it is open; None when another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    return descriptor


def _make_room(folder: Path, number: int) -> None:
    for kind in KINDS:
        descriptor = os.open(folder / f"{kind}_{number}.db", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < FILE_BYTES:
                os.truncate(descriptor, FILE_BYTES)
            os.posix_fallocate(descriptor, 0, FILE_BYTES)
        finally:
            os.close(descriptor)
