"""Events as people read them: what was said, the machinery folded in between, and what slots held. Pure."""

from conversations.presentation.items import (
    Divider,
    Intent,
    Item,
    Machinery,
    Message,
    Step,
    StoredEvent,
    Understanding,
)
from conversations.presentation.messages import bot_message, reply_message, user_message
from conversations.presentation.slots import Slot, slots_after, slots_of_turn
from conversations.presentation.timeline import timeline

__all__ = [
    "Divider",
    "Intent",
    "Item",
    "Machinery",
    "Message",
    "Slot",
    "Step",
    "StoredEvent",
    "Understanding",
    "bot_message",
    "reply_message",
    "slots_after",
    "slots_of_turn",
    "timeline",
    "user_message",
]
