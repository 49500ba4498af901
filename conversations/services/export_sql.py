"""Conversations as lines of a file, written by PostgreSQL: what passes through here is bytes.

JSON is copied out as CSV whose quote and delimiter are control characters. JSON has none of these (it escapes them),
so nothing is ever quoted; COPY's own text format would double each of its many backslashes.
"""

from conversations.models import ExportRun

Format = ExportRun.Format

# A bitmap for each conversation takes longer than walking along the index; so does compiling what runs for a moment.
QUICKLY = "SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off"
_RAW = r"(FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"
_CSV = "(FORMAT csv)"
# What makes a spreadsheet take a cell for a formula: whoever talks to an assistant chooses what they say.
_FORMULA = r"""E'^[=+@\\t\\r\\n\uFF1D\uFF0B\uFF0D\uFF20-]'"""


def _safe(text: str) -> str:
    return f"CASE WHEN {text} ~ {_FORMULA} THEN '''' || {text} ELSE {text} END"


def _time(seconds: str) -> str:
    return f"""to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def _listed(names: str) -> str:
    return _safe(f"array_to_string({names}, ' ')")


_PLACE = "coalesce(environment.name, conversation.environment_name)"
_CHOSEN = """
    unnest(ARRAY[{ids}]::bigint[]) WITH ORDINALITY AS part (id, place)
    JOIN conversations_conversation AS conversation USING (id)
    LEFT JOIN environments_environment AS environment ON environment.id = conversation.environment_id
"""
_ORDER = 'ORDER BY "timestamp", rank, digest'
_NAMED = "intents", "entities", "actions", "policies", "slots", "channels", "model_ids"
_COUNTED = (
    "events_count", "user_count", "bot_count", "action_count", "session_count", "fallback_count", "restart_count",
    "rejected_count", "reply_count", "reply_ms", "min_confidence", "handover_at", "first_event_at", "last_event_at",
)  # fmt: skip
# Of guests, by the time of the message that they rated.
_RATINGS = """coalesce((
        SELECT jsonb_agg(jsonb_build_object('event_time', event."timestamp", 'rating',
            CASE WHEN rating.is_up THEN 'up' ELSE 'down' END, 'comment', rating.comment, 'at', rating.at)
            ORDER BY event."timestamp", rating.id)
        FROM conversations_talksession AS session
        JOIN conversations_rating AS rating ON rating.session_id = session.id
        LEFT JOIN conversations_event AS event ON event.id = rating.event_id
        WHERE conversation.origin = 'share' AND session.sender_id = conversation.sender_id
            AND session.share_link_id = conversation.share_link_id
    ), '[]'::jsonb)"""
_FACTS = f"""json_build_object(
    'id', conversation.id, 'environment', {_PLACE}, 'origin', conversation.origin,
    {", ".join(f"'{name}', conversation.{name}" for name in (*_COUNTED, *_NAMED))}, 'ratings', {_RATINGS})::text"""
# The rows that are read one by one stand in a query of their own: sorting must not drag all events along.
_IN_ORDER = f"""
    SELECT conversation.id, conversation.sender_id, {_FACTS} AS facts FROM {_CHOSEN} ORDER BY part.place OFFSET 0
"""  # noqa: S608 - constants and whole numbers only, here and below

HEAD = """'{"sender_id":' || to_json(chosen.sender_id)::text || ',"events":['"""
TAIL = """'],"parley":' || chosen.facts || '}'"""
CONVERSATIONS_AS_JSON = f"""
COPY (
    SELECT {HEAD} || coalesce((
        SELECT string_agg(payload, ',' {_ORDER}) FROM conversations_event AS event WHERE conversation_id = chosen.id
    ), '') || {TAIL}
    FROM ({_IN_ORDER}) AS chosen
) TO STDOUT WITH {_RAW}
"""  # noqa: S608
ENDS_OF_JSON = f"SELECT {HEAD}, {TAIL} FROM ({_IN_ORDER}) AS chosen"  # noqa: S608
EVENTS_AS_JSON = f"""
COPY (SELECT payload FROM conversations_event WHERE conversation_id = {{ids}} {_ORDER}) TO STDOUT WITH {_RAW}
"""  # noqa: S608

# Which action a bot's message is of stands in the last action before it.
_EVENTS = f"""
    SELECT event.*, part.place, conversation.sender_id, talk.id AS talk_id, {_PLACE} AS environment_now,
        count(*) FILTER (WHERE event.kind = 'action') OVER (PARTITION BY event.conversation_id {_ORDER}) AS act
    FROM {_CHOSEN} JOIN conversations_event AS event ON event.conversation_id = conversation.id
    LEFT JOIN conversations_talksession AS talk
        ON conversation.origin = 'share' AND talk.sender_id = conversation.sender_id
        AND talk.share_link_id = conversation.share_link_id
"""  # noqa: S608
_SPOKEN = f"""
    SELECT spoken.*, first_value(CASE WHEN kind = 'action' THEN spoken.name ELSE '' END) OVER saying AS action,
        first_value(CASE WHEN kind = 'action' THEN spoken.policy ELSE '' END) OVER saying AS action_policy
    FROM ({_EVENTS}) AS spoken WINDOW saying AS (PARTITION BY conversation_id, act {_ORDER})
"""  # noqa: S608
_MESSAGE = {
    "conversation": "conversation_id",
    "sender_id": _safe("sender_id"),
    "environment": _safe("environment_now"),
    "time": _time('"timestamp"'),
    "who": "kind",
    "text": _safe("text"),
    "intent": _safe("CASE WHEN kind = 'user' THEN name END"),
    "confidence": "CASE WHEN kind = 'user' THEN confidence END",
    "entities": _listed("entities"),
    "action": _safe("CASE WHEN kind = 'bot' THEN action END"),
    "policy": _safe("CASE WHEN kind = 'bot' THEN action_policy END"),
    "channel": _safe("channel"),
    "model": _safe("model_id"),
    "rating": "CASE WHEN is_up THEN 'up' WHEN NOT is_up THEN 'down' END",
    "comment": _safe("guest_comment"),
}
_CONVERSATION = {
    "conversation": "conversation.id",
    "sender_id": _safe("conversation.sender_id"),
    "environment": _safe(_PLACE),
    "origin": "conversation.origin",
    "channel": _safe("conversation.channel"),
    "model": _safe("conversation.last_model_id"),
    "first": _time("conversation.first_event_at"),
    "last": _time("conversation.last_event_at"),
    "first_text": _safe("conversation.first_text"),
    "events": "conversation.events_count",
    "user_messages": "conversation.user_count",
    "bot_messages": "conversation.bot_count",
    "sessions": "conversation.session_count",
    "fallbacks": "conversation.fallback_count",
    "rejected": "conversation.rejected_count",
    "rated_up": "conversation.rated_up",
    "rated_down": "conversation.rated_down",
    "comments": "conversation.rated_comments",
    "lowest_confidence": "conversation.min_confidence",
    "handed_over": _time("conversation.handover_at"),
    "seconds_to_reply": "round(conversation.reply_ms / 1000.0 / nullif(conversation.reply_count, 0), 3)",
    "intents": _listed("conversation.intents"),
    "entities": _listed("conversation.entities"),
    "actions": _listed("conversation.actions"),
}
MESSAGES_AS_CSV = f"""
COPY (
    SELECT {", ".join(_MESSAGE.values())} FROM ({_SPOKEN}) AS message
    LEFT JOIN (SELECT session_id, event_id, is_up, comment AS guest_comment FROM conversations_rating) AS rating
        ON rating.session_id = talk_id AND rating.event_id = message.id
    WHERE kind IN ('user', 'bot', 'agent') ORDER BY place, "timestamp", rank, digest
) TO STDOUT WITH {_CSV}
"""  # noqa: S608
CONVERSATIONS_AS_CSV = f"""
COPY (SELECT {", ".join(_CONVERSATION.values())} FROM {_CHOSEN} ORDER BY place) TO STDOUT WITH {_CSV}
"""  # noqa: S608

HEADERS = {
    Format.JSONL: b"",
    Format.MESSAGES: ",".join(_MESSAGE).encode() + b"\n",
    Format.CONVERSATIONS: ",".join(_CONVERSATION).encode() + b"\n",
}
