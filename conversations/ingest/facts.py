"""What a conversation's row says of its events: how each column is summed over events, and added to what is there.

Each is a count, an extreme or a set, so that neither order nor company of arrival shows. Two sums stand elsewhere,
because events have to be looked at in their order or taken apart for them: replies and entities (statements.py).
"""

MOST_NAMES = 1000  # in one of the sets: the first of the alphabet, which is the same in whatever order they came

_COUNTS = {
    "events_count": "true",
    "user_count": "kind = 'user'",
    "bot_count": "kind = 'bot'",
    "action_count": "kind = 'action'",
    "session_count": "kind = 'session_started'",
    "fallback_count": "kind = 'user' AND name = 'nlu_fallback'",
    "restart_count": "kind = 'restart'",
    "rejected_count": "kind = 'action_execution_rejected'",
}
# Rasa has no event that says so. `pause` silences the assistant, which is what its own documentation hands over by;
# `agent` is a human's message; and teams write actions of their own, which are called about this.
_HANDED_OVER = """kind IN ('pause', 'agent')
    OR kind = 'action' AND name LIKE 'action%hand%' AND name ~ 'hand_?(off|over)'"""
_EXTREMES = {
    "first_event_at": ("min", '"timestamp"', "true"),
    "last_event_at": ("max", '"timestamp"', "true"),
    "min_confidence": ("min", "confidence", "kind = 'user'"),
    "handover_at": ("min", '"timestamp"', _HANDED_OVER),
}
_SETS = {
    "intents": ("name", "kind = 'user' AND name <> ''"),
    "actions": ("name", "kind = 'action' AND name <> ''"),
    "policies": ("policy", "policy <> ''"),
    "slots": ("name", "kind = 'slot' AND name <> ''"),
    "channels": ("channel", "channel <> ''"),
    "model_ids": ("model_id", "model_id <> ''"),
    "environment_names": ("environment_name", "environment_name <> ''"),
}


def _union(column: str) -> str:
    """Mostly there is nothing to unite, which is told far quicker than done."""
    return f"""{column} = CASE
        WHEN change.{column} <@ conversation.{column} THEN conversation.{column}
        WHEN conversation.{column} = '{{}}' THEN change.{column}[:{MOST_NAMES}]
        ELSE ARRAY(
            SELECT unnest(conversation.{column}) COLLATE "C" UNION SELECT unnest(change.{column}) COLLATE "C"
            ORDER BY 1 LIMIT {MOST_NAMES})
    END"""


def _names(column: str, where: str) -> str:
    distinct = f'array_agg(DISTINCT {column} COLLATE "C" ORDER BY {column} COLLATE "C") FILTER (WHERE {where})'
    return f"coalesce({distinct}, '{{}}')"


_FARTHER = {"min": "least", "max": "greatest"}

# The columns of conversation_change with their types, how each is summed over events, how that changes what is there,
# and what is there of no events.
SUMMED = (
    dict.fromkeys(_COUNTS, "integer") | dict.fromkeys(_EXTREMES, "double precision") | dict.fromkeys(_SETS, "varchar[]")
)
SUMS = [
    *(f"count(*) FILTER (WHERE {where})" for where in _COUNTS.values()),
    *(f"{extreme}({column}) FILTER (WHERE {where})" for extreme, column, where in _EXTREMES.values()),
    *(_names(column, where) for column, where in _SETS.values()),
]
MERGED = [
    *(f"{name} = conversation.{name} + change.{name}" for name in (*_COUNTS, "reply_count", "reply_ms")),
    *(
        f"{name} = {_FARTHER[extreme]}(conversation.{name}, change.{name})"
        for name, (extreme, _, _) in _EXTREMES.items()
    ),
    *(_union(name) for name in (*_SETS, "entities")),
]
EMPTY = (
    dict.fromkeys((*_COUNTS, "reply_count", "reply_ms"), "0")
    | dict.fromkeys((*_SETS, "entities"), "'{}'")
    | {"first_event_at": "'infinity'", "last_event_at": "'-infinity'", "min_confidence": "NULL", "handover_at": "NULL"}
    | {"first_text": "''", "channel": "''", "first_channel": "''", "first_model_id": "''"}
)
