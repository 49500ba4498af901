"""How much of what a source brings can be read: when too little can, the fault is more likely ours than the data's."""

from collections import deque
from collections.abc import Iterable

from django.conf import settings

SIZE = 1000  # records
Window = deque[bool]  # of each of the last records, whether it could not be read


class TooManyInvalid(Exception):
    """So many of the last records could not be read that nothing more is taken; the message says how many."""


class InvalidShare:
    """The outcomes of a source's last records, as far as this process took them."""

    def __init__(self) -> None:
        self._window: Window = deque(maxlen=SIZE)
        self.most = SIZE * settings.INTAKE_INVALID_SHARE // 100

    def look_ahead(self, outcomes: Iterable[bool], *, accepts_invalid: bool = False) -> Window:
        """The window after these outcomes as well, for `keep`. TooManyInvalid when too many are bad on the way."""
        window = self._window.copy()
        count = sum(window)
        for is_event in outcomes:
            count += (not is_event) - (len(window) == SIZE and window[0])
            window.append(not is_event)
            if count > self.most and not accepts_invalid:
                raise TooManyInvalid(f"{count} of the last {len(window)} records could not be read.")
        return window

    def keep(self, window: Window) -> None:
        self._window = window

    @property
    def is_good(self) -> bool:
        """Whether the share is as it should be, after as many records as it takes to tell."""
        return len(self._window) == SIZE and sum(self._window) <= self.most
