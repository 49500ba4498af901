"""A conversation as Rasa's HTTP API answers it (`GET /conversations/{id}/tracker`), piece by piece. Pure."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from conversations.presentation.items import StoredEvent
from conversations.presentation.reading import loaded, member, text_of

_TELLING = {"slot", "user", "active_loop", "form", "action", "restart", "session_started", "pause", "resume"}


def tracker_json(sender_id: str, events: Iterable[StoredEvent]) -> Iterator[str]:
    """The events stand as they are stored; what they add up to comes after them, so that nothing has to be kept."""
    state = _State()
    yield f'{{"sender_id": {json.dumps(sender_id)}, "events": ['
    for number, event in enumerate(events):
        payload = strict(event.payload)
        state.add(event, payload)
        yield f"{',' if number else ''}\n{payload}"
    rest = json.dumps(state.members())
    yield f"\n], {rest[1:]}\n"


def strict(payload: str) -> str:
    """The same event in JSON that every program reads: numbers that are none, which Python's json writes, are null."""
    if "NaN" not in payload and "Infinity" not in payload:
        return payload
    return json.dumps(json.loads(payload, parse_constant=lambda _word: None))


class _State:
    def __init__(self) -> None:
        self.slots: dict[str, Any] = {}
        self.message: dict[str, Any] = {}
        self.channel: str | None = None
        self.loop: str | None = None
        self.action: str | None = None
        self.is_paused = False
        self.at: float | None = None

    def add(self, event: StoredEvent, text: str) -> None:
        self.at = event.timestamp
        if event.kind not in _TELLING:
            return
        payload = loaded(text)
        if event.kind in {"restart", "session_started"}:
            self._forget()
        elif event.kind == "slot":
            self.slots[str(payload.get("name"))] = payload.get("value")
        elif event.kind == "user":
            self.message = member(payload, "parse_data")
            self.channel = text_of(payload.get("input_channel")) or self.channel
        elif event.kind == "action":
            self.action = text_of(payload.get("name")) or None
        elif event.kind in {"pause", "resume"}:
            self.is_paused = event.kind == "pause"
        else:
            self.loop = text_of(payload.get("name")) or None

    def _forget(self) -> None:
        self.slots = dict.fromkeys(self.slots)
        self.message, self.loop, self.action, self.is_paused = {}, None, None, False

    def members(self) -> dict[str, Any]:
        return {
            "slots": self.slots,
            "latest_message": self.message,
            "latest_event_time": self.at,
            "latest_input_channel": self.channel,
            "latest_action_name": self.action,
            "active_loop": {"name": self.loop} if self.loop else {},
            "paused": self.is_paused,
        }
