"""Waiting, in one place."""

import time


def now() -> float:
    """Seconds since some moment, for measuring."""
    return time.monotonic()


def pause(seconds: float) -> None:
    time.sleep(seconds)


class Deadline:
    """So many seconds from now; None for never."""

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else now() + seconds

    def left(self, most: float) -> float:
        """Seconds, not less than none."""
        return most if self._at is None else max(0.0, min(most, self._at - now()))

    @property
    def is_over(self) -> bool:
        return self._at is not None and now() >= self._at
