"""The tables of this app on the operators' pages. Those that grow to millions are searched by indexed columns alone."""

from conversations.models import Conversation, DeadLetter, Event, IngestState, ShareLink, TalkSession
from studio.operators.site import show

show(ShareLink, ("pk", "environment_id", "name", "is_on", "expires_at", "revoked_at"), ("=pk", "=environment__id"))
show(
    Conversation,
    ("pk", "assistant_id", "environment_name", "sender_id", "origin", "events_count", "last_event_at"),
    ("=pk", "=environment__id"),
)
show(Event, ("pk", "conversation_id", "kind", "name", "timestamp", "received_at"), ("=pk", "=conversation__id"))
show(DeadLetter, ("pk", "environment_id", "source", "reason", "at"), ("=pk", "=environment__id"))
show(IngestState, ("pk", "environment_id", "events_total", "last_event_at", "heartbeat_at"), ("=pk",))
show(TalkSession, ("pk", "environment_id", "sender_id", "person_id", "created_at", "last_at"), ("=pk", "=sender_id"))
