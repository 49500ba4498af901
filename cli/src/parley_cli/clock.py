"""Waiting, in one place."""

import time


def now() -> float:
    """Seconds since some moment, for measuring."""
    return time.monotonic()


def pause(seconds: float) -> None:
    time.sleep(seconds)
