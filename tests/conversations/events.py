"""Rasa's events as its broker publishes them, for tests."""

import json
from typing import Any


def event(kind: str, at: float, sender: str = "anna", model: str = "m-1", **fields: Any) -> dict[str, Any]:
    return {
        "sender_id": sender,
        "event": kind,
        "timestamp": at,
        "metadata": {"model_id": model, "assistant_id": "cafe"},
        **fields,
    }


def user(text: str, at: float, *, intent: str = "greet", confidence: float = 0.97, **fields: Any) -> dict[str, Any]:
    parse = {
        "intent": {"name": intent, "confidence": confidence},
        "entities": fields.pop("entities", []),
        "intent_ranking": fields.pop("ranking", [{"name": intent, "confidence": confidence}]),
        "text": text,
    }
    channel = fields.pop("channel", "rasa")
    return event("user", at, text=text, parse_data=parse, input_channel=channel, **fields)


def bot(text: str | None, at: float, **fields: Any) -> dict[str, Any]:
    data = {"elements": None, "quick_replies": None, "buttons": None, "attachment": None, "image": None, "custom": None}
    return event("bot", at, text=text, data=data | fields.pop("data", {}), **fields)


def action(name: str, at: float, policy: str | None = "RulePolicy", **fields: Any) -> dict[str, Any]:
    return event("action", at, name=name, policy=policy, confidence=1.0, action_text=None, **fields)


def slot(name: str, value: Any, at: float, **fields: Any) -> dict[str, Any]:
    return event("slot", at, name=name, value=value, **fields)


def small_talk(start: float = 1_790_000_000.0, sender: str = "anna") -> list[dict[str, Any]]:
    """A session with one question and its answer, 8 events."""
    return [
        action("action_session_start", start, None, sender=sender),
        event("session_started", start + 0.001, sender),
        action("action_listen", start + 0.002, None, sender=sender),
        user("hi", start + 1, sender=sender),
        slot("day", "Sunday", start + 1.01, sender=sender),
        action("utter_greet", start + 1.1, sender=sender),
        bot("Hello!", start + 1.2, sender=sender),
        action("action_listen", start + 1.3, sender=sender),
    ]


def raw(*events: dict[str, Any]) -> list[bytes]:
    return [json.dumps(one).encode() for one in events]
