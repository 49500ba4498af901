"""Whose the events of a batch are: their conversations, locked, and up to when some of them are erased."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.backends.utils import CursorWrapper

from conversations.ingest import statements
from conversations.ingest.decode import storable
from conversations.ingest.whose import sender_key

Sender = tuple[int, str]  # assistant and sender_id


class Vanished(Exception):
    """A conversation of the batch was deleted while its row was waited for: the batch begins anew."""


@dataclass(frozen=True, slots=True)
class Senders:
    """Their conversations are nobody else's until we commit. Who is erased and says nothing newer has none."""

    conversations: dict[Sender, int] = field(default_factory=dict)
    erased: dict[Sender, float] = field(default_factory=dict)

    def keeps(self, sender: Sender, at: float) -> bool:
        """Whether an event of that time may be stored."""
        return at > self.erased.get(sender, -math.inf)

    def columns(self, numbers: Mapping[Sender, int]) -> list[list[float]]:
        """For statements.ADD_EVENTS: number in the batch, conversation, and up to when events are refused."""
        found = self.conversations
        return [
            [numbers[one] for one in found],
            list(found.values()),
            [self.erased.get(one, -math.inf) for one in found],
        ]


def lock_conversations(cursor: CursorWrapper, newest: Mapping[Sender, float]) -> Senders:
    """Make what is missing, but for who is erased and says nothing newer, and lock all. `newest` is the time of each
    sender's latest event in the batch. Raises Vanished."""
    keys = {(assistant_id, sender_key(sender_id)): (assistant_id, sender_id) for assistant_id, sender_id in newest}
    assistants, hashes = [one for one, _ in keys], [key for _, key in keys]
    names = [storable(sender_id, len(sender_id)) for _, sender_id in keys.values()]
    cursor.execute(statements.ADD_CONVERSATIONS, [assistants, hashes, names, [newest[one] for one in keys.values()]])
    cursor.execute(statements.LOCK_CONVERSATIONS, [assistants, hashes])
    senders, empty = Senders(), []
    for pk, assistant_id, key, events, up_to in cursor.fetchall():
        sender = keys[assistant_id, bytes(key)]
        senders.conversations[sender] = pk
        if up_to is not None:
            senders.erased[sender] = up_to
            if not events and newest[sender] <= up_to:  # made just now, while somebody was erasing it
                empty.append(pk)
    if empty:
        cursor.execute(statements.DELETE_CONVERSATIONS, [empty])
    if len(senders.conversations) < len(keys):
        _explain_missing(cursor, keys, senders, newest)
    return senders


def _explain_missing(
    cursor: CursorWrapper,
    keys: Mapping[tuple[int, bytes], Sender],
    senders: Senders,
    newest: Mapping[Sender, float],
) -> None:
    """Who has no conversation is erased, which is noted, or vanished this moment."""
    missing = [key for key, sender in keys.items() if sender not in senders.conversations]
    cursor.execute(statements.TOMBSTONES, [[one for one, _ in missing], [key for _, key in missing]])
    senders.erased.update({keys[assistant_id, bytes(key)]: up_to for assistant_id, key, up_to in cursor.fetchall()})
    if any(senders.keeps(keys[key], newest[keys[key]]) for key in missing):
        raise Vanished
