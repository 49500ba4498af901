from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine


@pytest.fixture
def time_machine_travel() -> Iterator[Callable[[float], None]]:
    """Moves the clock ahead by seconds until the test ends."""
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield lambda seconds: traveller.shift(timedelta(seconds=seconds))
