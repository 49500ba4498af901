"""What people and assistants said, and how it comes to us."""

from conversations.models.conversations import Conversation, Event, ShareLink, TalkSession
from conversations.models.intake import (
    DeadLetter,
    IntakeIncident,
    IntakePosition,
    IntakeSource,
    IntakeStream,
)

__all__ = [
    "Conversation",
    "DeadLetter",
    "Event",
    "IntakeIncident",
    "IntakePosition",
    "IntakeSource",
    "IntakeStream",
    "ShareLink",
    "TalkSession",
]
