"""The SQL of counting: what a transaction adds to the numbers of hours, and takes from them.

What is counted of an event does not change; where it is counted may, with the conversation that it belongs to. So every
writer notes in `place_before` as what conversations stood before its work, and afterwards `moved` takes all their
events from there and adds them where they stand now. Ingestion besides adds the events that are new.

`place` says where the events of a conversation are counted, and with which sign; `reply` holds the user messages that
were replied to. All of it ends in entries that are only ever inserted (conversations/models/tallies.py).
"""

# With these every session begins and every turn ends, which sessions and messages say already.
UNNAMED_ACTIONS = ("action_listen", "action_session_start")
CONFIDENCE_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
REPLY_BOUNDS = (100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)  # milliseconds
CONFIDENCES = tuple(f"confidence_{number}" for number in range(len(CONFIDENCE_BOUNDS) + 1))
REPLIES = tuple(f"reply_{number}" for number in range(len(REPLY_BOUNDS) + 1))

KEY = ("assistant_id", "hour", "environment_id", "origin", "model_id", "channel")
_KEY = ", ".join(KEY)

# Kinds of facts, as numbers: they are compared for every number and every event.
_USER, _BOT, _SESSION, _REJECTED, _ACTION, _REPLY, _BEGINS, _HANDS_OVER = range(1, 9)
_OF_EVENTS = {
    "user": _USER,
    "bot": _BOT,
    "action": _ACTION,
    "session_started": _SESSION,
    "action_execution_rejected": _REJECTED,
}
# What each number adds up, and of which facts. Both histograms share `slot`, one after the other.
_SUMMED = {
    "conversations": ("sign", f"what = {_BEGINS}"),
    "handovers": ("sign", f"what = {_HANDS_OVER}"),
    "user_messages": ("sign", f"what = {_USER}"),
    "bot_messages": ("sign", f"what = {_BOT}"),
    "sessions": ("sign", f"what = {_SESSION}"),
    "fallbacks": ("sign", f"what = {_USER} AND name = 'nlu_fallback'"),
    "rejected": ("sign", f"what = {_REJECTED}"),
    "confidence_sum": ("sign * amount", f"what = {_USER}"),
    **{name: ("sign", f"slot = {number}") for number, name in enumerate(CONFIDENCES)},
    "reply_ms": ("sign * amount", f"what = {_REPLY}"),
    **{name: ("sign", f"slot = {number}") for number, name in enumerate(REPLIES, start=len(CONFIDENCES))},
}
COUNTS = tuple(_SUMMED)

TEMPORARY = "place_before", "place", "reply"
TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS place_before (
    conversation_id bigint, assistant_id bigint, environment_id bigint, origin varchar, channel varchar,
    hour integer, handover_hour integer, model_id varchar
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS place (LIKE place_before, sign integer, has_events boolean) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS reply (
    conversation_id bigint, sign integer, "timestamp" double precision, ms bigint, model_id varchar, channel varchar
) ON COMMIT DELETE ROWS;
"""

_HOUR = "floor({} / 3600)::integer"
_PLACE = "assistant_id, environment_id, origin, channel"
# As what a conversation stands. Hours are NULL of one that has no event yet, and of one that was not handed over.
_STANDS = f"""
SELECT id, assistant_id, environment_id, origin, first_channel,
       CASE WHEN events_count > 0 THEN {_HOUR.format("first_event_at")} END, {_HOUR.format("handover_at")},
       first_model_id
FROM conversations_conversation WHERE is_counted
"""  # noqa: S608 - constants only, here and below

_OF_ADDED = "id IN (SELECT conversation_id FROM added_event)"
NOTE_CHANGING = f"INSERT INTO place_before {_STANDS} AND {_OF_ADDED}"
NOTE_THESE = f"INSERT INTO place_before {_STANDS} AND id = ANY(%s)"

_BEFORE_AND_NOW = f"""
WITH stood AS (
    SELECT * FROM place_before WHERE hour IS NOT NULL
), stands (conversation_id, {_PLACE}, hour, handover_hour, model_id) AS (
    {_STANDS} AND id IN (SELECT conversation_id FROM place_before)
), moved AS (
    SELECT conversation_id FROM (
        SELECT conversation_id, {_PLACE} FROM stood EXCEPT SELECT conversation_id, {_PLACE} FROM stands
    ) AS elsewhere
)"""  # noqa: S608
_BEGINNINGS = """
SELECT *, -1, false FROM (TABLE stood EXCEPT TABLE stands) AS no_longer
UNION ALL
SELECT *, 1, false FROM (TABLE stands EXCEPT TABLE stood) AS now
"""


def _events(where: str, sign: int) -> str:
    """Places of events alone."""
    return f"SELECT conversation_id, {_PLACE}, NULL::integer, NULL::integer, '', {sign}, true FROM {where}"  # noqa: S608


_OF_MOVED = "WHERE conversation_id IN (TABLE moved)"
_OF_NEW = "WHERE conversation_id NOT IN (SELECT conversation_id FROM stood)"
_MOVED_EVENTS = f"{_events(f'stood {_OF_MOVED}', -1)} UNION ALL {_events(f'stands {_OF_MOVED}', 1)}"
# Events that are new are counted where their conversation stood; if it moved, they then move with the others.
_ADDED_EVENTS = f"{_events('stood', 1)} UNION ALL {_events(f'stands {_OF_NEW}', 1)}"
PLACE_ADDED = f"{_BEFORE_AND_NOW} INSERT INTO place {_ADDED_EVENTS} UNION ALL {_BEGINNINGS}"
PLACE_MOVED_EVENTS = f"TRUNCATE place; {_BEFORE_AND_NOW} INSERT INTO place {_MOVED_EVENTS}"
PLACE_MOVED = f"TRUNCATE place; {_BEFORE_AND_NOW} INSERT INTO place {_MOVED_EVENTS} UNION ALL {_BEGINNINGS}"
PLACE_THESE = f"INSERT INTO place SELECT *, %s, true FROM ({_STANDS} AND id = ANY(%s)) AS stands"  # noqa: S608

ADD_REPLIES = """INSERT INTO reply
SELECT conversation_id, sign, "timestamp", round((next_at - "timestamp") * 1000)::bigint, model_id, channel
FROM pair WHERE kind = 'user' AND next_kind = 'bot'"""
# Temporary tables have no statistics, so PostgreSQL is not asked whether to read all events or those of a conversation.
_STORED = """(SELECT DISTINCT conversation_id FROM place WHERE has_events) AS chosen CROSS JOIN LATERAL (
        SELECT conversation_id, "timestamp", rank, digest, kind, name, confidence, model_id, channel
        FROM conversations_event WHERE conversation_id = chosen.conversation_id OFFSET 0
    )"""
FIND_ALL_REPLIES = f"""
TRUNCATE reply;
WITH pair AS (
    SELECT event.conversation_id, 1 AS sign, kind, "timestamp", model_id, channel,
           lead(kind) OVER following AS next_kind, lead("timestamp") OVER following AS next_at
    FROM {_STORED} AS event WHERE kind IN ('user', 'bot')
    WINDOW following AS (PARTITION BY event.conversation_id ORDER BY "timestamp", rank, digest)
)
{ADD_REPLIES}
"""  # noqa: S608


def _array(bounds: tuple[float, ...], kind: str) -> str:
    return f"ARRAY[{', '.join(map(str, bounds))}]::{kind}[]"


# A confidence of one's own NLU may be any number.
_OF_UNIT = "least(greatest(confidence, 0), 1)"
_CODES = " ".join(f"WHEN '{kind}' THEN {code}" for kind, code in _OF_EVENTS.items())
_FACT = f"""
WITH fact AS MATERIALIZED (
    SELECT place.assistant_id, {_HOUR.format('"timestamp"')} AS hour, place.environment_id, place.origin,
           event.model_id, CASE kind WHEN 'user' THEN event.channel ELSE place.channel END AS channel,
           place.sign, CASE kind {_CODES} END AS what, name,
           CASE kind WHEN 'user' THEN round({_OF_UNIT} * 1000000)::bigint END AS amount,
           CASE kind WHEN 'user' THEN width_bucket(confidence, {_array(CONFIDENCE_BOUNDS, "float8")}) END AS slot
    FROM {{events}} AS event JOIN place ON place.conversation_id = event.conversation_id
    WHERE place.has_events AND kind IN {tuple(_OF_EVENTS)} AND (kind <> 'action' OR name NOT IN {UNNAMED_ACTIONS})
    UNION ALL
    SELECT place.assistant_id, {_HOUR.format('"timestamp"')}, place.environment_id, place.origin,
           reply.model_id, reply.channel, place.sign * reply.sign, {_REPLY}, '', ms,
           {len(CONFIDENCES)} + width_bucket(ms, {_array(REPLY_BOUNDS, "bigint")})
    FROM reply JOIN place USING (conversation_id) WHERE place.has_events
    UNION ALL
    SELECT assistant_id, hour, environment_id, origin, model_id, channel, sign, {_BEGINS}, '', NULL, NULL
    FROM place WHERE hour IS NOT NULL
    UNION ALL
    SELECT assistant_id, handover_hour, environment_id, origin, model_id, channel, sign, {_HANDS_OVER}, '', NULL, NULL
    FROM place WHERE handover_hour IS NOT NULL
)"""  # noqa: S608
_SUMS = ", ".join(
    f"coalesce(sum({added}) FILTER (WHERE {where}), 0) AS {name}" for name, (added, where) in _SUMMED.items()
)
_ALL_ZERO = ", ".join(["0"] * len(COUNTS))
_COUNTS = ", ".join(COUNTS)


def facts(events: str) -> str:
    """The head of a statement: what `place` and `reply` say of `events`, as `fact`."""
    return _FACT.format(events=events)


SUMMED_FACTS = f"SELECT {_KEY}, {_SUMS} FROM fact WHERE what <> {_ACTION} GROUP BY {_KEY}"  # noqa: S608
NAMED_FACTS = f"""
SELECT {_KEY}, CASE what WHEN {_USER} THEN 'intent' ELSE 'action' END AS kind, name, sum(sign) AS count
FROM fact WHERE what IN ({_USER}, {_ACTION}) AND name <> '' GROUP BY {_KEY}, what, name
"""  # noqa: S608


def count(events: str) -> str:
    """Count what `place` and `reply` say of `events` into entries; what cancels out leaves none."""
    return f"""{facts(events)}, named AS (
    INSERT INTO conversations_nameentry ({_KEY}, kind, name, count)
    SELECT * FROM ({NAMED_FACTS}) AS summed WHERE count <> 0
)
INSERT INTO conversations_tallyentry ({_KEY}, {_COUNTS})
SELECT * FROM ({SUMMED_FACTS}) AS summed WHERE ({_COUNTS}) <> ({_ALL_ZERO})
"""  # noqa: S608


COUNT_ADDED = ";".join((PLACE_ADDED, count("added_event")))
COUNT_MOVED_EVENTS = ";".join((PLACE_MOVED_EVENTS, FIND_ALL_REPLIES, count(_STORED)))
COUNT_MOVED = ";".join((PLACE_MOVED, FIND_ALL_REPLIES, count(_STORED)))
COUNT_THESE = ";".join((FIND_ALL_REPLIES, count(_STORED)))
HAS_MOVED = f"{_BEFORE_AND_NOW} SELECT EXISTS (TABLE moved)"

# Of conversations that were stored before there were counts, what the later ones have from ingestion.
BEGIN_COUNTING = """
UPDATE conversations_conversation AS conversation SET
    is_counted = true,
    first_model_id = coalesce((
        SELECT model_id FROM conversations_event AS event WHERE event.conversation_id = conversation.id
        ORDER BY "timestamp", rank, digest LIMIT 1), ''),
    first_channel = coalesce((
        SELECT channel FROM conversations_event AS event WHERE event.conversation_id = conversation.id AND kind = 'user'
        ORDER BY "timestamp", rank, digest LIMIT 1), '')
WHERE id = ANY(%s)
"""


def _settle(entries: str, sums: str, key: str, counts: tuple[str, ...], spans: str = "") -> tuple[str, str]:
    """Take as many entries and add them up: how many that were, and the sums that are nothing now; and forget those."""
    every = ", ".join(counts)
    added = ", ".join(f"sum({name}) AS {name}" for name in counts)
    grown = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in counts)
    take = f"""
WITH taken AS (
    DELETE FROM {entries} WHERE id IN (SELECT id FROM {entries} ORDER BY id LIMIT %s) RETURNING *
), kept AS (
    INSERT INTO {sums} AS kept ({key}, {every}) SELECT {key}, {added} FROM {spans or "taken"} GROUP BY {key}
    ON CONFLICT ({key}) DO UPDATE SET {grown} RETURNING id, {" = 0 AND ".join(counts)} = 0 AS is_empty
)
SELECT (SELECT count(*) FROM taken), (SELECT coalesce(array_agg(id) FILTER (WHERE is_empty), '{{}}') FROM kept)
"""  # noqa: S608
    return take, f"DELETE FROM {sums} WHERE id = ANY(%s)"  # noqa: S608


_HOURS_AND_DAYS = """(
    SELECT assistant_id, span, hour - mod(mod(hour, span) + span, span) AS hour,
           environment_id, origin, model_id, channel, kind, name, count
    FROM taken CROSS JOIN (VALUES (1), (24)) AS spans (span)
) AS spanned"""
SETTLE = (
    _settle("conversations_tallyentry", "conversations_tally", _KEY, COUNTS),
    _settle(
        "conversations_nameentry", "conversations_nametally", f"{_KEY}, span, kind, name", ("count",), _HOURS_AND_DAYS
    ),
)

# Counting anew, to compare with what is kept. `recount` gathers what all conversations of an assistant say, some
# hundred of them at a time; what differs is that without what sums and entries say, where the two are not the same.
RECOUNT_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS recount (LIKE conversations_tallyentry) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS recount_name (LIKE conversations_nameentry) ON COMMIT DELETE ROWS;
ALTER TABLE recount ALTER id DROP NOT NULL;
ALTER TABLE recount_name ALTER id DROP NOT NULL;
TRUNCATE recount, recount_name;
"""
RECOUNT_THESE = f"""
{FIND_ALL_REPLIES};
{facts(_STORED)}, named AS (
    INSERT INTO recount_name ({_KEY}, kind, name, count) {NAMED_FACTS}
)
INSERT INTO recount ({_KEY}, {_COUNTS}) {SUMMED_FACTS};
TRUNCATE place
"""


def _differing(anew: str, kept: tuple[str, ...], key: str, counts: tuple[str, ...]) -> str:
    every = ", ".join(counts)
    taken = " UNION ALL ".join(
        f"SELECT {key}, {', '.join(f'-{name}' for name in counts)} FROM {table} assistant_id = %s"  # noqa: S608
        for table in kept
    )
    sums = ", ".join(f"sum({name})::bigint AS {name}" for name in counts)
    return f"""
SELECT * FROM (
    SELECT {key}, {sums} FROM (SELECT {key}, {every} FROM {anew} UNION ALL {taken}) AS line GROUP BY {key}
) AS summed WHERE ({every}) <> ({", ".join(["0"] * len(counts))})
"""  # noqa: S608


NAME_KEY = (*KEY, "kind", "name")
_NAME_KEY = ", ".join(NAME_KEY)
DIFFERING = _differing("recount", ("conversations_tally WHERE", "conversations_tallyentry WHERE"), _KEY, COUNTS)
DIFFERING_NAMES = _differing(
    "recount_name",
    ("conversations_nametally WHERE span = 1 AND", "conversations_nameentry WHERE"),
    _NAME_KEY,
    ("count",),
)
MEND = f"INSERT INTO conversations_tallyentry ({_KEY}, {_COUNTS}) {DIFFERING} RETURNING {_KEY}, {_COUNTS}"
MEND_NAMES = f"INSERT INTO conversations_nameentry ({_NAME_KEY}, count) {DIFFERING_NAMES} RETURNING {_NAME_KEY}, count"

# Days of names that are not the sum of their hours; that has nothing to do with events.
DIFFERING_DAYS = f"""
SELECT {_NAME_KEY}, count FROM (
    SELECT assistant_id, hour - mod(mod(hour, 24) + 24, 24) AS hour, environment_id, origin, model_id, channel, kind,
           name, sum(CASE span WHEN 1 THEN count ELSE -count END) AS count
    FROM conversations_nametally WHERE assistant_id = %s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
) AS day WHERE count <> 0
"""  # noqa: S608
MEND_DAYS = f"""
INSERT INTO conversations_nametally AS kept ({_NAME_KEY}, count, span)
SELECT *, 24 FROM ({DIFFERING_DAYS}) AS day
ON CONFLICT ({_KEY}, span, kind, name) DO UPDATE SET count = kept.count + excluded.count
"""  # noqa: S608
