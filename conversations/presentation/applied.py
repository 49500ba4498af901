"""What counts of a conversation for Rasa, after restarts, rewinds and forms. Pure.

The same as `DialogueStateTracker.applied_events` (rasa/shared/core/trackers.py, 3.6), its quirk included: while a form
asks one question after the other, Rasa keeps its first execution alone, so a rewind takes the form back as a whole.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from conversations.presentation.items import StoredEvent
from conversations.presentation.reading import loaded, member, text_of

LISTEN = "action_listen"
# What our own rewinds note in the metadata of the events that they make.
REWOUND_TO = "parley_rewound_to"  # the time of the message that is taken back, with all that follows it
SAID_AGAIN = "parley_said_again"  # the time of an event which Rasa lost on the way, and which this one repeats
_REVERTING = frozenset({"rewind", "undo"})
_READ = frozenset({"action", "active_loop", "action_execution_rejected"})

Has = Callable[[StoredEvent], bool]


def is_taking_back(event: StoredEvent) -> bool:
    """Whether it is a rewind that a person asked for; Rasa's own fallback and other actions rewind as well."""
    return event.kind == "rewind" and rewound_to(loaded(event.payload)) is not None


def standing(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """`events` without what rewinds took back; all of them where there were none."""
    return applied(events) if any(event.kind in _REVERTING for event in events) else list(events)


def applied(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Those of `events`, which come in their order, that make Rasa's state."""
    rasa = _Tracker(events)
    for event in events:
        rasa.take(event)
    return rasa.applied


def rewound_to(payload: dict[str, Any]) -> float | None:
    """Of a rewind that we made: the time of the message it takes back."""
    return _time(payload, REWOUND_TO)


def repeats(payload: dict[str, Any]) -> bool:
    """Whether the event only says again what a rewind took back too much of."""
    return _time(payload, SAID_AGAIN) is not None


def _time(payload: dict[str, Any], key: str) -> float | None:
    value = member(payload, "metadata").get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class _Tracker:
    def __init__(self, events: Iterable[StoredEvent]) -> None:
        self.names = {event.pk: _name(event) for event in events if event.kind in _READ}
        self.loops = {self.names[event.pk] for event in events if event.kind == "active_loop"} - {""}
        self.applied: list[StoredEvent] = []

    def take(self, event: StoredEvent) -> None:
        if event.kind in ("restart", "session_started"):
            self.applied = []
        elif event.kind == "undo":
            self._back_to(lambda one: one.kind == "action")
        elif event.kind == "rewind":  # the message, and the listening before it
            self._back_to(lambda one: one.kind == "user")
            self._back_to(lambda one: one.kind == "action")
        elif self._repeats_loop(event):
            self._drop_since_loop(self.names[event.pk])
        else:
            self.applied.append(event)

    def _back_to(self, is_it: Has) -> None:
        while self.applied and not is_it(self.applied.pop()):
            pass

    def _repeats_loop(self, event: StoredEvent) -> bool:
        """Whether a form is executed once more, and neither for the first time nor after something between."""
        name = self.names.get(event.pk, "")
        if event.kind != "action" or name not in self.loops:
            return False
        following = ""
        for one in reversed(self.applied):
            if one.kind == "active_loop" and not self.names[one.pk]:
                return False
            if one.kind == "action_execution_rejected" and self.names[one.pk] == name:
                return False
            if one.kind == "user" and following not in ("", name):
                return False
            if one.kind == "action":
                if self.names[one.pk] == name:
                    return True
                following = self.names[one.pk]
        return False

    def _drop_since_loop(self, name: str) -> None:
        kept: list[StoredEvent] = []
        while self.applied:
            one = self.applied.pop()
            if one.kind == "action" and self.names[one.pk] == name:
                self.applied.append(one)
                break
            if one.kind not in ("action", "user", "user_featurization"):
                kept.append(one)
        self.applied += reversed(kept)


def _name(event: StoredEvent) -> str:
    return text_of(loaded(event.payload).get("name"))
