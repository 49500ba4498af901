"""What people and assistants said, and how it comes to us."""

from conversations.models.conversations import Conversation, Event, ShareLink, TalkSession
from conversations.models.intake import (
    DeadLetter,
    DeadLetterRun,
    IntakeIncident,
    IntakePosition,
    IntakeSource,
    IntakeStream,
)

__all__ = [
    "Conversation",
    "DeadLetter",
    "DeadLetterRun",
    "Event",
    "IntakeIncident",
    "IntakePosition",
    "IntakeSource",
    "IntakeStream",
    "ShareLink",
    "TalkSession",
]
