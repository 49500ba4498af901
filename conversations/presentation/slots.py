"""What slots held at some point."""

from collections.abc import Iterable
from dataclasses import dataclass

from conversations.presentation.items import StoredEvent
from conversations.presentation.reading import loaded, shown, text_of

# The events that `slots_after`, and what says which form is active, need.
KINDS = ("slot", "restart", "session_started", "active_loop", "form")
_INTERNAL = {"session_started_metadata", "requested_slot"}


def slots_after(events: Iterable[StoredEvent]) -> dict[str, str | None]:
    """Name to shown value, None when not set, after `events` in their order.

    A restart and a new session forget everything; what a session carries over comes as slot events of its own.
    """
    slots: dict[str, str | None] = {}
    for event in events:
        if event.kind in {"restart", "session_started"}:
            slots = dict.fromkeys(slots)
        elif event.kind == "slot":
            payload = loaded(event.payload)
            value = payload.get("value")
            slots[text_of(payload.get("name"))] = None if value is None else shown(value)
    return {name: slots[name] for name in sorted(slots) if name not in _INTERNAL}


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot holds after a turn, None when not set, and what it held before."""

    name: str
    value: str | None
    before: str | None

    @property
    def is_changed(self) -> bool:
        return self.value != self.before


def slots_of_turn(before: Iterable[StoredEvent], after: Iterable[StoredEvent]) -> list[Slot]:
    """Every slot by the events that count after a turn, and before it; those that the turn changed first."""
    held, holds = slots_after(before), slots_after(after)
    slots = [Slot(name, holds.get(name), held.get(name)) for name in sorted(held | holds)]
    return sorted(slots, key=lambda slot: not slot.is_changed)
