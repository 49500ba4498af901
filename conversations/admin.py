"""The tables of this app on the operators' pages. Those that grow to millions are searched by indexed columns alone."""

from conversations.models import (
    CompletenessFinding,
    CompletenessRun,
    Conversation,
    Correction,
    DeadLetter,
    DeadLetterRun,
    ErasurePart,
    ErasureRun,
    Event,
    ExportPart,
    ExportRun,
    IntakeIncident,
    IntakePosition,
    IntakeSource,
    IntakeStream,
    Mark,
    MessageLease,
    NameEntry,
    NameTally,
    Rating,
    ReadMark,
    RetentionRule,
    SavedFilter,
    SearchEntry,
    ShareGuest,
    ShareLink,
    TalkSession,
    Tally,
    TallyEntry,
    Term,
    Tombstone,
)
from studio.operators.site import show

show(ShareLink, ("pk", "environment_id", "name", "is_on", "expires_at", "revoked_at"), ("=pk", "=environment__id"))
show(ShareGuest, ("pk", "link_id", "first_at", "last_at", "visits_count", "messages_count"), ("=pk", "=link__id"))
show(Rating, ("pk", "link_id", "session_id", "event_id", "is_up", "at"), ("=pk", "=link__id", "=session__id"))
show(
    Conversation,
    ("pk", "assistant_id", "environment_name", "sender_id", "origin", "events_count", "last_event_at"),
    ("=pk", "=environment__id"),
)
show(Event, ("pk", "conversation_id", "kind", "name", "timestamp", "received_at"), ("=pk", "=conversation__id"))
show(DeadLetter, ("pk", "source_id", "fault", "place", "state", "reason", "at"), ("=pk", "=source__id"))
show(DeadLetterRun, ("pk", "assistant_id", "act", "fault", "place", "state", "total", "requested_at"), ("=pk",))
show(IntakeSource, ("pk", "kind", "name", "assistant_id", "is_on", "alarm", "events_total", "last_event_at"), ("=pk",))
show(IntakeStream, ("pk", "source_id", "environment_name", "records_total", "last_at"), ("=pk", "=source__id"))
show(IntakePosition, ("pk", "source_id", "topic", "partition", "next_offset", "end_offset"), ("=pk", "=source__id"))
show(IntakeIncident, ("pk", "source_id", "kind", "topic", "partition", "found_at"), ("=pk", "=source__id"))
show(TalkSession, ("pk", "environment_id", "sender_id", "person_id", "created_at", "last_at"), ("=pk", "=sender_id"))
show(
    CompletenessRun,
    (
        "pk",
        "environment_id",
        "repairs",
        "state",
        "conversations_compared",
        "events_missing",
        "events_added",
        "ended_at",
    ),
    ("=pk", "=environment__id"),
)
show(CompletenessFinding, ("pk", "run_id", "sender_id", "missing", "extra", "added", "fault"), ("=pk", "=run__id"))
show(Mark, ("pk", "conversation_id", "event_id", "kind", "name", "by_id", "at"), ("=pk", "=conversation__id"))
show(ReadMark, ("pk", "person_id", "conversation_id", "read_until", "at"), ("=pk", "=conversation__id"))
for counts in (Tally, TallyEntry):
    show(
        counts,
        ("pk", "assistant_id", "hour", "environment_id", "origin", "model_id", "channel", "user_messages"),
        ("=pk",),
    )
for names in (NameTally, NameEntry):
    show(names, ("pk", "assistant_id", "hour", "environment_id", "channel", "kind", "name", "count"), ("=pk",))
show(Tombstone, ("pk", "assistant_id", "erased_at", "up_to"), ("=pk",))
show(RetentionRule, ("pk", "assistant_id", "environment_id", "days", "is_on", "last_run_at"), ("=pk",))
show(ErasureRun, ("pk", "assistant_id", "rule_id", "state", "total", "conversations", "requested_at"), ("=pk",))
show(ErasurePart, ("pk", "run_id", "number"), ("=pk", "=run__id"))
show(ExportRun, ("pk", "assistant_id", "requested_by_id", "format", "state", "total", "requested_at"), ("=pk",))
show(ExportPart, ("pk", "run_id", "number"), ("=pk", "=run__id"))
show(Correction, ("pk", "assistant_id", "event_id", "kind", "intent", "state", "person_label", "at"), ("=pk",))
show(MessageLease, ("pk", "assistant_id", "event_id", "person_id", "until"), ("=pk",))
show(SavedFilter, ("pk", "assistant_id", "owner_id", "name", "query", "is_shared"), ("=pk",))
show(SearchEntry, ("pk", "day"), ("=conversation__id",))
show(Term, ("pk", "assistant_id", "kind", "value"), ("=pk",))
