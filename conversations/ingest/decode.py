"""One record of an event broker to one event, or the reason why it can never be one. Pure: no database, no clock."""

import hashlib
import json
import math
import re
from collections.abc import Callable
from sys import intern
from typing import Any, NamedTuple

import orjson

from conversations.search import terms

FIRST_SECOND = -62_135_596_800.0  # 0001-01-01T00:00:00Z
AFTER_LAST_SECOND = 253_402_300_800.0  # 10000-01-01T00:00:00Z

KIND_LENGTH = 63
NAME_LENGTH = 255
MODEL_ID_LENGTH = 200
TEXT_LENGTH = 20_000  # of the searchable copy; the payload keeps everything
MOST_ENTITIES = 100  # of one event
KINDS_WITH_ENTITIES = "user", "entities"

# Order of events that carry the same time, as Rasa writes them one after the other: a session opens, a person speaks,
# an action runs, then its slots and messages follow, and action_listen ends the turn. Kinds not named stand at 50.
_RANKS = {"restart": 1, "session_started": 5, "user": 10, "user_featurization": 15, "entities": 16, "action": 20}
_OPENS_SESSION, _ENDS_TURN, _DEFAULT_RANK = 0, 90, 50
_LAST_RANKS = {"slot": 60, "active_loop": 65, "bot": 70}

# What PostgreSQL's text refuses, and what a canonical payload contains when it has any of it (or an emoji).
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUL, _SURROGATE = "\\u0000", "\\ud"
# orjson makes an inexact float of a whole number beyond 64 bits, which is then written with this; the standard library
# keeps it exactly.
_MAYBE_INEXACT = "e+"

# The canonical form is what json writes: in ASCII, and with NaN and lone surrogates, so that one event has one form
# whichever library read it. orjson writes the same eight times faster, but for what is beyond ASCII and for floats
# below 0.0001; an orjson that writes other floats differently is not used for it.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_BEYOND_ASCII = re.compile("[^\x00-\x7e]+")  # and DEL, which json escapes too
_AGREES = all(
    orjson.dumps(one).decode() == _encode(one) for one in (0.0001, 0.1, 1e15, 1e16, 1.5e16, 1.2e300, -0.0, "\x1b\b/")
)


class Undecodable(Exception):
    """The record can never be an event.

    `fault` is its kind, `place` the field it is in, by which dead letters are grouped; the message says it in words.
    """

    def __init__(self, fault: str, message: str, place: str = "") -> None:
        super().__init__(message)
        self.fault, self.place, self.message = fault, place, message


class DecodedEvent(NamedTuple):  # made a third faster than a frozen dataclass
    """An event as it is stored. `sender_id` is as Rasa wrote it; every other text is fit for PostgreSQL."""

    sender_id: str
    digest: bytes
    timestamp: float
    rank: int
    kind: str
    payload: str
    text: str
    name: str
    policy: str
    confidence: float | None
    model_id: str
    channel: str
    entities: list[str] | None  # names; None for kinds that have none
    rasa_assistant_id: str
    terms: tuple[str, ...]  # what its conversation is found by (search/terms.py)


def decode(data: bytes) -> DecodedEvent:
    """Read one event as Rasa publishes it: a JSON object in UTF-8. Raises Undecodable."""
    try:
        try:
            event = _decode(orjson.loads(data), _canonical)
        except orjson.JSONDecodeError:  # NaN, a lone surrogate, 1e400: what Python's json writes and orjson refuses
            return _decode(_parse_leniently(data), _encode)
        return _decode(_parse_leniently(data), _encode) if _MAYBE_INEXACT in event.payload else event
    except RecursionError:
        raise Undecodable("too-deep", "The JSON is nested too deeply.") from None


def _parse_leniently(data: bytes) -> object:
    try:
        return json.loads(data)
    except UnicodeDecodeError as error:
        message = f"Not JSON: byte {error.start}, counted from 0, is no {error.encoding.upper()}."
        raise Undecodable("not-json", message) from None
    except ValueError as error:
        raise Undecodable("not-json", f"Not JSON: {error}") from None


def read_payload(payload: str) -> dict[str, Any]:
    """The event of a stored payload, without its sender."""
    event: dict[str, Any] = json.loads(payload)
    return event


def _canonical(event: object) -> str:
    """What `_encode` would write of something that orjson read, which has no NaN and no lone surrogate."""
    try:
        written = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # 255 levels deep
        return _encode(event)
    if b"e-" in written or b"0.0000" in written or not _AGREES:
        return _encode(event)
    text = written.decode()
    if written.isascii() and b"\x7f" not in written:
        return text
    return _BEYOND_ASCII.sub(lambda found: _encode(found[0])[1:-1], text)


def _decode(event: object, write: Callable[[object], str]) -> DecodedEvent:
    if not isinstance(event, dict):
        raise Undecodable("not-an-object", "Not a JSON object.")
    sender_id = event.pop("sender_id", None)
    if not isinstance(sender_id, str):
        raise Undecodable("missing", "No sender_id.", "sender_id")
    kind = event.get("event")
    if not isinstance(kind, str) or not kind:
        raise Undecodable("missing", "No kind of event.", "event")
    timestamp = _time(event.get("timestamp"))
    payload = write(event)
    identity = f"{timestamp!r}\n{kind}\n{payload}".encode("utf-8", "surrogatepass")
    cut = storable if _NUL in payload or _SURROGATE in payload else _cut
    is_user, is_action = kind == "user", kind == "action"
    about = _member(_member(event, "parse_data"), "intent") if is_user else event
    name = cut(about.get("name"), NAME_LENGTH)
    metadata = _member(event, "metadata")
    text = cut(event.get("action_text" if is_action else "text"), TEXT_LENGTH)
    policy = cut(event.get("policy"), NAME_LENGTH) if is_action else ""
    model_id = cut(metadata.get("model_id"), MODEL_ID_LENGTH)
    channel = cut(event.get("input_channel"), NAME_LENGTH) if is_user else ""
    columns = {"name": name, "policy": policy, "channel": channel, "model_id": model_id, "text": text}
    return DecodedEvent(
        sender_id,
        hashlib.sha256(identity).digest(),
        timestamp,
        rank(kind, name),
        cut(kind, KIND_LENGTH),
        payload,
        text,
        name,
        policy,
        _confidence(about.get("confidence")),
        model_id,
        channel,
        entity_names(kind, event),
        cut(metadata.get("assistant_id"), MODEL_ID_LENGTH),
        # Of thousands of events in memory, most terms are the same.
        tuple(map(intern, terms.of_event(kind, **columns, event=event))),
    )


def _time(value: object) -> float:
    """Seconds since 1970. Beyond the years 1 to 9999 no calendar of ours could show it."""
    if type(value) is float and FIRST_SECOND <= value < AFTER_LAST_SECOND:
        return value + 0.0  # -0.0 and 0.0 are one time
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Undecodable("missing", "No timestamp.", "timestamp")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not FIRST_SECOND <= seconds < AFTER_LAST_SECOND:  # false for NaN too
        raise Undecodable("out-of-range", "The timestamp is outside the years 1 to 9999.", "timestamp")
    return seconds


def rank(kind: str, name: str = "") -> int:
    """Place of an event among those of the same time."""
    if kind == "action" and name == "action_session_start":
        return _OPENS_SESSION
    if kind == "action" and name == "action_listen":
        return _ENDS_TURN
    return _RANKS.get(kind) or _LAST_RANKS.get(kind) or _DEFAULT_RANK


def storable(value: object, length: int) -> str:
    """`value` cut to `length`, with U+FFFD for what PostgreSQL text refuses; whatever is no text is empty."""
    if not isinstance(value, str) or not value:
        return ""
    return _UNSTORABLE.sub("\ufffd", value[:length])


def _cut(value: object, length: int) -> str:
    """The same, of what is known to be fit for PostgreSQL."""
    return value[:length] if isinstance(value, str) else ""


def entity_names(kind: str, event: dict[str, Any]) -> list[str] | None:
    """What kinds of entities were found; None for kinds of events that never have any."""
    if kind not in KINDS_WITH_ENTITIES:
        return None
    found = (_member(event, "parse_data") if kind == "user" else event).get("entities")
    if not found or not isinstance(found, list):
        return []
    names = (storable(one.get("entity"), NAME_LENGTH) for one in found if isinstance(one, dict))
    return sorted({name for name in names if name})[:MOST_ENTITIES]


def _confidence(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _member(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """The object at `key`, or an empty one: senders of their own events leave out or replace what Rasa writes."""
    value = holder.get(key)
    return value if isinstance(value, dict) else {}
