"""Reading JSON whose shape nobody guarantees: custom actions and channels put anything anywhere."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(timestamp: float) -> datetime:
    """UTC; unlike datetime.fromtimestamp also right for years that the C library refuses."""
    return _EPOCH + timedelta(seconds=timestamp)


def loaded(payload: str) -> dict[str, Any]:
    value = json.loads(payload)
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """A text for people; a lone surrogate, which no page can carry, becomes U+FFFD."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and "\x00" not in value:
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def member(holder: object, key: str) -> dict[str, Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def listed(holder: object, key: str) -> list[dict[str, Any]]:
    """The objects of the list at `key`; anything else in it is left out."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def shown(value: object) -> str:
    """A slot's or entity's value: texts bare, everything else as JSON."""
    return text_of(value) if isinstance(value, str) else text_of(json.dumps(value, ensure_ascii=False))


def indented(value: object) -> str:
    return text_of(json.dumps(value, indent=2, ensure_ascii=False))


def clean(value: Any) -> Any:
    """The same JSON, with texts that can be written anywhere."""
    if isinstance(value, dict):
        return {text_of(key): clean(one) for key, one in value.items()}
    if isinstance(value, list):
        return [clean(one) for one in value]
    return text_of(value) if isinstance(value, str) else value
