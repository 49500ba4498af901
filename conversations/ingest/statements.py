"""The SQL of ingestion. Set-based on purpose: row by row PostgreSQL takes a thirtieth of the events.

Three temporary tables live as long as the connection and are empty after every commit: `incoming_event` holds a batch
as it was read, its senders numbered, `added_event` what of it was new, `conversation_change` what that adds to each
conversation. Rebuilding fills `added_event` with all events of some conversations instead, and everything after is the
same.
"""

from conversations.ingest import tally
from conversations.ingest.facts import EMPTY, MERGED, SUMMED, SUMS

# Compiling a plan takes longer than a batch; PostgreSQL would do it, for it knows no statistics of temporary tables.
# Bitmaps would read a long conversation whole, where the first or last of its index is all that is asked for.
# They are emptied only where an earlier work of the same transaction left something: that takes 2 ms of a batch's 200.
_TEMPORARY = "incoming_event", "added_event", "conversation_change", *tally.TEMPORARY
TABLES = f"""
SET LOCAL jit = off;
SET LOCAL enable_bitmapscan = off;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_event (
    sender bigint, environment_id bigint, environment_name varchar,
    digest bytea, "timestamp" double precision, rank smallint, kind varchar, payload text,
    text text, name varchar, policy varchar, confidence double precision, model_id varchar, channel varchar,
    entities varchar[]
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS added_event (
    conversation_id bigint, "timestamp" double precision, rank smallint, digest bytea, kind varchar,
    name varchar, policy varchar, confidence double precision, model_id varchar, channel varchar,
    environment_name varchar, entities varchar[]
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS conversation_change (
    conversation_id bigint, {", ".join(f"{name} {kind}" for name, kind in SUMMED.items())},
    entities varchar[] DEFAULT '{{}}', reply_count integer DEFAULT 0, reply_ms bigint DEFAULT 0
) ON COMMIT DELETE ROWS;
{tally.TABLES}
DO $$ BEGIN
    IF {" OR ".join(f"EXISTS (SELECT FROM {name})" for name in _TEMPORARY)} THEN
        TRUNCATE {", ".join(_TEMPORARY)};
    END IF;
END $$
"""

# Every process takes conversations in the order of their key, so that two of them never wait for each other in a ring.
# Of somebody erased none is made for events that are refused.
ADD_CONVERSATIONS = f"""
INSERT INTO conversations_conversation
    (assistant_id, sender_key, sender_id, origin, environment_name, last_model_id, is_counted, {", ".join(EMPTY)})
SELECT assistant_id, sender_key, sender_id, 'real', '', '', true, {", ".join(EMPTY.values())}
FROM unnest(%s::bigint[], %s::bytea[], %s::text[], %s::float8[])
    AS sender (assistant_id, sender_key, sender_id, newest)
WHERE NOT EXISTS (
    SELECT FROM conversations_tombstone AS tombstone
    WHERE tombstone.assistant_id = sender.assistant_id AND tombstone.sender_key = sender.sender_key
        AND tombstone.up_to >= sender.newest)
ORDER BY assistant_id, sender_key
ON CONFLICT (assistant_id, sender_key) DO NOTHING
"""  # noqa: S608 - constants only, here and below

# A statement of its own after ADD_CONVERSATIONS: what others committed meanwhile must be seen by those that follow.
# Who erases deletes the row in the transaction that writes the tombstone. So for each row that comes back the tombstone
# is known, and of somebody erased while this waited no row comes back.
LOCK_CONVERSATIONS = """
SELECT conversation.id, assistant_id, sender_key, conversation.events_count, tombstone.up_to
FROM conversations_conversation AS conversation
JOIN unnest(%s::bigint[], %s::bytea[]) AS sender (assistant_id, sender_key) USING (assistant_id, sender_key)
LEFT JOIN conversations_tombstone AS tombstone USING (assistant_id, sender_key)
ORDER BY assistant_id, sender_key
FOR NO KEY UPDATE OF conversation
"""
DELETE_CONVERSATIONS = "DELETE FROM conversations_conversation WHERE id = ANY(%s)"
TOMBSTONES = """
SELECT assistant_id, sender_key, up_to
FROM conversations_tombstone
JOIN unnest(%s::bigint[], %s::bytea[]) AS sender (assistant_id, sender_key) USING (assistant_id, sender_key)
"""

_OF_INCOMING = """environment_id, environment_name, digest, "timestamp", rank, kind, payload, text, name,
    policy, confidence, model_id, channel, entities"""
_OF_ADDED = """conversation_id, "timestamp", rank, digest, kind, name, policy, confidence, model_id, channel,
    environment_name, entities"""

COPY_INCOMING = f"COPY incoming_event (sender, {_OF_INCOMING}) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = (
    "int8", "int8", "varchar", "bytea", "float8", "int2", "varchar", "text", "text", "varchar",
    "varchar", "float8", "varchar", "varchar", "varchar[]",
)  # fmt: skip

ADD_EVENTS = f"""
WITH inserted AS (
    INSERT INTO conversations_event (conversation_id, {_OF_INCOMING}, received_at)
    SELECT conversation_id, {_OF_INCOMING}, now() FROM incoming_event
    JOIN unnest(%s::bigint[], %s::bigint[], %s::float8[]) AS place (sender, conversation_id, erased) USING (sender)
    WHERE "timestamp" > erased
    ON CONFLICT (conversation_id, "timestamp", digest) DO NOTHING
    RETURNING {_OF_ADDED}
)
INSERT INTO added_event SELECT {_OF_ADDED} FROM inserted
"""  # noqa: S608

SUM_ADDED = f"""
INSERT INTO conversation_change (conversation_id, {", ".join(SUMMED)})
SELECT conversation_id, {", ".join(SUMS)} FROM added_event GROUP BY conversation_id
"""  # noqa: S608

SUM_ENTITIES = """
UPDATE conversation_change AS change SET entities = found.names
FROM (
    SELECT conversation_id, array_agg(DISTINCT entity COLLATE "C" ORDER BY entity COLLATE "C") AS names
    FROM added_event, unnest(entities) AS entity
    GROUP BY conversation_id
) AS found
WHERE change.conversation_id = found.conversation_id
"""

# A reply is a bot message that is the next message after a user's. Who arrives late can part such a pair, or make one,
# so it is the difference that counts: pairs from the nearest older message to the nearest newer one, with those that
# were added and without. So a conversation of any length costs only what was added to it.
_NEAREST = """
    SELECT "timestamp" FROM conversations_event AS event
    WHERE event.conversation_id = added.conversation_id AND kind IN ('user', 'bot') AND "timestamp" {beyond}
    ORDER BY "timestamp" {direction} LIMIT 1
"""
_PAIRS = """
    SELECT conversation_id, {sign} AS sign, kind, "timestamp", model_id, channel,
           lead(kind) OVER following AS next_kind, lead("timestamp") OVER following AS next_at
    FROM message {where}
    WINDOW following AS (PARTITION BY conversation_id ORDER BY "timestamp", rank, digest)
"""
FIND_REPLIES = f"""
WITH stretch AS (
    SELECT conversation_id,
           coalesce(({_NEAREST.format(beyond="< added.first", direction="DESC")}), first) AS first,
           coalesce(({_NEAREST.format(beyond="> added.last", direction="ASC")}), last) AS last
    FROM (
        SELECT conversation_id, min("timestamp") AS first, max("timestamp") AS last
        FROM added_event WHERE kind IN ('user', 'bot') GROUP BY conversation_id
    ) AS added
), message AS (
    SELECT conversation_id, "timestamp", rank, digest, kind, model_id, channel,
           (conversation_id, digest) IN (
               SELECT conversation_id, digest FROM added_event WHERE kind IN ('user', 'bot')) AS is_new
    FROM stretch JOIN conversations_event USING (conversation_id)
    WHERE kind IN ('user', 'bot') AND "timestamp" BETWEEN first AND last
), pair AS ({_PAIRS.format(sign=1, where="")} UNION ALL {_PAIRS.format(sign=-1, where="WHERE NOT is_new")})
{tally.ADD_REPLIES}
"""  # noqa: S608
SUM_REPLIES = """
UPDATE conversation_change AS change SET reply_count = reply.count, reply_ms = reply.ms
FROM (
    SELECT conversation_id, sum(sign) AS count, sum(sign * ms) AS ms FROM reply GROUP BY conversation_id
) AS reply
WHERE change.conversation_id = reply.conversation_id
"""

# The earliest and latest of something come from the events themselves, so that no order of arrival shows. An event of
# an unknown environment is of the one that has adopted its name since; what was adopted stays when that is removed.
_OLDEST = 'ORDER BY event."timestamp", event.rank, event.digest LIMIT 1'
_NEWEST = 'ORDER BY event."timestamp" DESC, event.rank DESC, event.digest DESC LIMIT 1'
APPLY_CHANGES = f"""
UPDATE conversations_conversation AS conversation SET
    {", ".join(MERGED)},
    environment_name = coalesce(oldest.environment_name, conversation.environment_name),
    environment_id = CASE
        WHEN oldest.environment_name IS NULL THEN conversation.environment_id
        ELSE coalesce((SELECT id FROM environments_environment WHERE id = oldest.environment_id), (
            SELECT heir.id FROM conversations_intakestream AS stream
            JOIN environments_environment AS heir ON heir.id = stream.adopted_by_id AND heir.removed_at IS NULL
            WHERE stream.assistant_id = conversation.assistant_id
                AND stream.environment_name = oldest.environment_name
            ORDER BY stream.id DESC LIMIT 1),
            CASE WHEN conversation.environment_name = oldest.environment_name THEN conversation.environment_id END)
    END,
    first_model_id = oldest.model_id,
    first_text = coalesce(first_said.text, conversation.first_text),
    first_channel = coalesce(first_said.channel, conversation.first_channel),
    channel = CASE WHEN change.user_count = 0 THEN conversation.channel ELSE (
        SELECT channel FROM conversations_event AS event
        WHERE event.conversation_id = conversation.id AND kind = 'user' {_NEWEST})
    END,
    last_model_id = coalesce((
        SELECT model_id FROM conversations_event AS event
        WHERE event.conversation_id = conversation.id AND model_id <> '' {_NEWEST}), '')
FROM conversation_change AS change
CROSS JOIN LATERAL (
    SELECT environment_id, environment_name, model_id FROM conversations_event AS event
    WHERE event.conversation_id = change.conversation_id {_OLDEST}
) AS oldest
LEFT JOIN LATERAL (
    SELECT left(text, 500) AS text, channel FROM conversations_event AS event
    WHERE event.conversation_id = change.conversation_id AND kind = 'user' AND change.user_count > 0 {_OLDEST}
) AS first_said ON true
WHERE conversation.id = change.conversation_id
"""  # noqa: S608

NOTE_STREAM = """
INSERT INTO conversations_intakestream AS stream
    (source_id, assistant_id, environment_name, records_total, newest_event_at, first_at, last_at)
VALUES (%s, %s, %s, %s, %s, now(), now())
ON CONFLICT (source_id, assistant_id, environment_name) DO UPDATE SET
    records_total = stream.records_total + excluded.records_total,
    newest_event_at = greatest(stream.newest_event_at, excluded.newest_event_at),
    last_at = excluded.last_at
"""

_OF_SESSION = """conversations_talksession AS session
JOIN environments_environment AS environment ON environment.id = session.environment_id"""
_IS_UNMARKED = """session.sender_id = conversation.sender_id AND environment.assistant_id = conversation.assistant_id
    AND conversation.origin = 'real'"""
_MARK = f"""
UPDATE conversations_conversation AS conversation SET
    origin = CASE WHEN session.share_link_id IS NULL THEN 'talk' ELSE 'share' END,
    talker_id = session.person_id, share_link_id = session.share_link_id
FROM {_OF_SESSION} WHERE {_IS_UNMARKED}
"""  # noqa: S608
MARK_CHANGED = f"{_MARK} AND conversation.id IN (SELECT conversation_id FROM conversation_change)"  # noqa: S608
# One way to the server and back instead of five.
APPLY_ADDED = ";".join((SUM_ADDED, SUM_ENTITIES, FIND_REPLIES, SUM_REPLIES, APPLY_CHANGES, MARK_CHANGED))
APPLY_AND_COUNT = ";".join((tally.NOTE_CHANGING, APPLY_ADDED, tally.COUNT_ADDED, tally.HAS_MOVED))
MARK_THESE = f"{_MARK} AND conversation.id = ANY(%s)"
LOCK_UNMARKED = f"""
SELECT conversation.id FROM {_OF_SESSION} JOIN conversations_conversation AS conversation ON {_IS_UNMARKED}
WHERE session.created_at >= %s
ORDER BY conversation.assistant_id, conversation.sender_key FOR NO KEY UPDATE OF conversation
"""  # noqa: S608

HOLD_EXPORTS = "SELECT pg_advisory_xact_lock(7270553911)"  # any number of our own
HOLD_EXPORTS_SHARED = "SELECT pg_advisory_xact_lock_shared(7270553911)"
LOCK_FOR_ERASING = """
SELECT id FROM conversations_conversation WHERE id = ANY(%s) ORDER BY assistant_id, sender_key FOR UPDATE
"""
ADD_TOMBSTONES = """
INSERT INTO conversations_tombstone AS tombstone (assistant_id, sender_key, up_to, erased_at)
SELECT assistant_id, sender_key, up_to, now()
FROM unnest(%s::bigint[], %s::bytea[], %s::float8[]) AS gone (assistant_id, sender_key, up_to)
ORDER BY assistant_id, sender_key
ON CONFLICT (assistant_id, sender_key) DO UPDATE SET
    up_to = greatest(tombstone.up_to, excluded.up_to), erased_at = excluded.erased_at
"""
LOCK_FOR_REBUILD = """
SELECT id FROM conversations_conversation WHERE id = ANY(%s) ORDER BY assistant_id, sender_key FOR NO KEY UPDATE
"""
# Events that were stored before they kept their environment are of their conversation's.
PLACE_EVENTS = """
UPDATE conversations_event AS event SET
    environment_id = conversation.environment_id, environment_name = conversation.environment_name
FROM conversations_conversation AS conversation
WHERE conversation.id = ANY(%s) AND event.conversation_id = conversation.id AND event.environment_name IS NULL
"""
ADD_ALL_EVENTS = f"""
INSERT INTO added_event SELECT {_OF_ADDED} FROM conversations_event WHERE conversation_id = ANY(%s)
"""  # noqa: S608
RESET = f"""
UPDATE conversations_conversation SET {", ".join(f"{name} = {value}" for name, value in EMPTY.items())}
WHERE id IN (SELECT conversation_id FROM added_event)
"""  # noqa: S608
