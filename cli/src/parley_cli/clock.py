"""Waiting, in one place."""

import time


def pause(seconds: float) -> None:
    time.sleep(seconds)
