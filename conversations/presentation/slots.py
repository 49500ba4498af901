"""What slots held at some point."""

from collections.abc import Iterable

from conversations.presentation.items import StoredEvent
from conversations.presentation.reading import loaded, shown, text_of

KINDS = ("slot", "restart", "session_started")  # the events that `slots_after` needs
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
