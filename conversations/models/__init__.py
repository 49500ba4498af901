"""What people and assistants said, and how it comes to us."""

from conversations.models.conversations import Conversation, Event, ShareLink, TalkSession
from conversations.models.erasure import ErasurePart, ErasureRun, RetentionRule, Tombstone
from conversations.models.exports import ExportPart, ExportRun
from conversations.models.intake import (
    DeadLetter,
    DeadLetterRun,
    IntakeIncident,
    IntakePosition,
    IntakeSource,
    IntakeStream,
)
from conversations.models.repair import CompletenessFinding, CompletenessRun

__all__ = [
    "CompletenessFinding",
    "CompletenessRun",
    "Conversation",
    "DeadLetter",
    "DeadLetterRun",
    "ErasurePart",
    "ErasureRun",
    "Event",
    "ExportPart",
    "ExportRun",
    "IntakeIncident",
    "IntakePosition",
    "IntakeSource",
    "IntakeStream",
    "RetentionRule",
    "ShareLink",
    "TalkSession",
    "Tombstone",
]
