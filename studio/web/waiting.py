"""A request that waits for something to happen: without a database connection, and never so many that none is left."""

import threading
import time
from collections.abc import Callable

from django.conf import settings

from studio.web.streaming import let_go_of_database

LONGEST = 25.0  # seconds; proxies give up after 30
EVERY = 0.5

_places = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 8))


def wait_until(happened: Callable[[], bool], seconds: float) -> bool:
    """Ask `happened` every half second; False when the time is over, and at once while too many wait already."""
    if not _places.acquire(blocking=False):
        return False
    try:
        until = time.monotonic() + min(seconds, LONGEST)
        while (left := until - time.monotonic()) > 0:
            let_go_of_database()
            time.sleep(min(EVERY, left))
            if happened():
                return True
        return False
    finally:
        _places.release()
