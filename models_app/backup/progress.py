"""How far a backup or a restore is, for whoever waits for it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` is `checking`, `models` or `database`; bytes of the last are known when they are there."""

    step: str
    done: int = 0
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


Tell = Callable[[Progress], None]
