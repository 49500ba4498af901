"""What people and assistants said, and how it comes to us."""

from conversations.models.conversations import Conversation, Event, ShareLink, TalkSession
from conversations.models.corrections import Correction, MessageLease
from conversations.models.erasure import ErasurePart, ErasureRun, RetentionRule, Tombstone
from conversations.models.exports import ExportPart, ExportRun
from conversations.models.guests import Rating, ShareGuest
from conversations.models.intake import (
    DeadLetter,
    DeadLetterRun,
    IntakeIncident,
    IntakePosition,
    IntakeSource,
    IntakeStream,
)
from conversations.models.repair import CompletenessFinding, CompletenessRun
from conversations.models.review import Mark, ReadMark
from conversations.models.search import SavedFilter, SearchEntry, Term
from conversations.models.tallies import NameEntry, NameTally, Tally, TallyEntry

__all__ = [
    "CompletenessFinding",
    "CompletenessRun",
    "Conversation",
    "Correction",
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
    "Mark",
    "MessageLease",
    "NameEntry",
    "NameTally",
    "Rating",
    "ReadMark",
    "RetentionRule",
    "SavedFilter",
    "SearchEntry",
    "ShareGuest",
    "ShareLink",
    "TalkSession",
    "Tally",
    "TallyEntry",
    "Term",
    "Tombstone",
]
