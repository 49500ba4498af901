"""Whose a record is, by keyed hash: also of one that cannot be read as an event, and may be broken anywhere."""

import json
import re

from conversations.ingest.decode import AFTER_LAST_SECOND
from studio.crypto import keyed_digest

MOST_SENDERS = 100  # named by one record
_SENDER = re.compile(rb'"sender_id"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_TIME = re.compile(rb'"timestamp"\s*:\s*(-?\d{1,15}(?:\.\d{1,20})?)')


def sender_key(sender_id: str) -> bytes:
    """What stands for a sender in keys: unlike the id itself it may outlive the conversation."""
    return keyed_digest("sender", sender_id)


def senders_named(record: bytes) -> set[str]:
    """Every sender_id that stands in a record, wherever in it."""
    found = set()
    for match in _SENDER.finditer(record):
        try:
            found.add(json.loads(match[1], strict=False))
        except ValueError:  # an escape or a byte that is none
            continue
        if len(found) == MOST_SENDERS:
            break
    return found


def keys_named(*records: bytes | None) -> list[str]:
    """Keyed hashes, in hexadecimal, of everybody whom these records name."""
    named = {sender for record in records if record for sender in senders_named(bytes(record))}
    return sorted(sender_key(sender).hex() for sender in named)


def newest_time(record: bytes) -> float | None:
    """The latest time that a record tells, None when it tells none that could be."""
    times = (float(match[1]) for match in _TIME.finditer(record))
    return max((one for one in times if one < AFTER_LAST_SECOND), default=None)
