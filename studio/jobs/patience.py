"""Doing a thing although the database is away for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

log = structlog.get_logger()
T = TypeVar("T")

DATABASE_SECONDS = 3600.0  # how long a result waits for the database
AGAIN_SECONDS = 1.0


def insist(action: Callable[[], T]) -> T:
    """Do it, again and again while the database is away: what was done is not thrown away for that.

    The action must do no harm when it is done twice: a commit may be made and its answer lost.
    """
    until = time.monotonic() + DATABASE_SECONDS
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning("database away, waiting to write what a job made")
            connection.close()
            time.sleep(AGAIN_SECONDS)
