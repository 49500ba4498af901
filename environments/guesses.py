"""Wrong tokens at the model server, counted for each address; a poll with a right token asks nothing of this.

Model tokens have 256 bits: no number of guesses finds one, so a right one is answered whatever others at its address
did, and one replica with an old token stops none of its neighbours. RASA_X_TOKEN is of people's making and may be
short: from an address that guesses it is refused too. Each process remembers that of what Redis told it, so a guesser
gets a few more tries than `most`, one for each process, and polls still cost one round trip.
"""

import time

from environments.services.pointers import breaker
from studio.web.ratelimit import Window

WRONG = Window("model-tokens", most=120, seconds=300)
_REMEMBERED = 10_000  # addresses

_blocked: dict[str | None, float] = {}


def note(address: str | None) -> int:
    """A wrong token came. The seconds to wait when there were too many, else 0."""
    seconds = 0 if breaker.is_open else WRONG.count(address)  # a Redis that failed is left alone for a moment
    if seconds:
        if len(_blocked) >= _REMEMBERED:
            _blocked.clear()
        _blocked[address] = time.monotonic() + seconds
    return seconds


def wait(address: str | None) -> int:
    """The seconds for which RASA_X_TOKEN is refused from this address, 0 for none."""
    if not _blocked:
        return 0
    left = _blocked.get(address, 0.0) - time.monotonic()
    return max(0, round(left))


def forget() -> None:
    """For tests: this process knows of nobody."""
    _blocked.clear()
