"""What commands say while they work through bytes."""

import time
from collections.abc import Callable

from models_app.backup.progress import Progress, Tell
from studio.web.formats import duration, size

SAY_SECONDS = 2.0


class Teller:
    """Says a line now and then: the line is only made when it is said."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._next = time.monotonic() + SAY_SECONDS

    def __call__(self, line: Callable[[], str]) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SAY_SECONDS
            self._write(line())


def line_of(
    done: int, total: int, done_bytes: float, total_bytes: int, seconds: float, *, known_bytes: int = 0, step: str = ""
) -> str:
    """`12 of 40, 310.2 MB of 1.2 GB, 25.1 MB a second, 36 s left, sending`. `known_bytes` took no time."""
    rate = (done_bytes - known_bytes) / seconds if seconds else 0.0
    parts = [f"{done} of {total}", f"{size(int(done_bytes))} of {size(total_bytes)}", f"{size(int(rate))} a second"]
    if rate:
        parts.append(f"{duration((total_bytes - done_bytes) / rate)} left")
    return ", ".join([*parts, step] if step else parts)


def teller(write: Callable[[str], object]) -> Tell:
    """Of a backup or a restore."""
    tell, began = Teller(write), time.monotonic()
    return lambda now: tell(lambda: _line(now, time.monotonic() - began))


def _line(now: Progress, seconds: float) -> str:
    """`models: 12 of 40, …`; of a database nobody knows the size before its end."""
    if not now.total:
        return f"{now.step}: {size(now.done_bytes)}"
    return f"{now.step}: {line_of(now.done, now.total, now.done_bytes, now.total_bytes, seconds)}"
