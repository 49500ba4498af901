"""Ending a long-running command by signal."""

import signal
import threading
from types import FrameType


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set; the command's loop looks at it and ends in order."""
    event = threading.Event()

    def handler(_number: int, _frame: FrameType | None) -> None:
        event.set()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
    return event
