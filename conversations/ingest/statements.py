"""The SQL of ingestion. Set-based on purpose: row by row PostgreSQL takes a thirtieth of the events.

Two temporary tables live as long as the connection and are empty after every commit:
`incoming_event` holds a batch as it was read, `conversation_change` what the rows really inserted add to each
conversation. Rebuilding fills `conversation_change` from all events instead, and applies it the same way.
"""

TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_event (
    position integer, assistant_id bigint, environment_id bigint, environment_name text,
    sender_key bytea, sender_id text,
    digest bytea, "timestamp" double precision, rank smallint, kind text, payload text,
    text text, name text, policy text, confidence double precision, model_id text, channel text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS conversation_change (
    conversation_id bigint, first_event_at double precision, last_event_at double precision,
    events_count integer, user_count integer, bot_count integer, action_count integer, session_count integer,
    fallback_count integer, min_confidence double precision, model_ids text[], first_digest bytea
) ON COMMIT DELETE ROWS;
TRUNCATE incoming_event, conversation_change;
"""

COPY_INCOMING = """
COPY incoming_event (position, assistant_id, environment_id, environment_name, sender_key, sender_id,
                     digest, "timestamp", rank, kind, payload, text, name, policy, confidence, model_id, channel)
FROM STDIN
"""

# Every process takes conversations in the order of their key, so that two of them never wait for each other in a ring.
ADD_CONVERSATIONS = """
INSERT INTO conversations_conversation
    (assistant_id, environment_id, environment_name, sender_key, sender_id, origin, first_event_at, last_event_at,
     events_count, user_count, bot_count, action_count, session_count, fallback_count,
     channel, last_model_id, model_ids, first_text)
SELECT assistant_id, (array_agg(environment_id ORDER BY "timestamp", rank, digest, position))[1],
       (array_agg(environment_name ORDER BY "timestamp", rank, digest, position))[1],
       sender_key, min(sender_id), 'real',
       min("timestamp"), max("timestamp"), 0, 0, 0, 0, 0, 0, '', '', '{}', ''
FROM incoming_event
GROUP BY assistant_id, sender_key
ORDER BY assistant_id, sender_key
ON CONFLICT (assistant_id, sender_key) DO NOTHING
"""

# A statement of its own after ADD_CONVERSATIONS: what others committed meanwhile must be seen by those that follow.
LOCK_CONVERSATIONS = """
SELECT conversation.id
FROM conversations_conversation AS conversation
JOIN (SELECT DISTINCT assistant_id, sender_key FROM incoming_event) AS incoming USING (assistant_id, sender_key)
ORDER BY conversation.assistant_id, conversation.sender_key
FOR NO KEY UPDATE OF conversation
"""

_SUMS = """
    conversation_id, min("timestamp"), max("timestamp"), count(*),
    count(*) FILTER (WHERE kind = 'user'), count(*) FILTER (WHERE kind = 'bot'),
    count(*) FILTER (WHERE kind = 'action'), count(*) FILTER (WHERE kind = 'session_started'),
    count(*) FILTER (WHERE kind = 'user' AND name = 'nlu_fallback'),
    min(confidence) FILTER (WHERE kind = 'user'),
    coalesce(array_agg(DISTINCT model_id) FILTER (WHERE model_id <> ''), '{}'),
    (array_agg(digest ORDER BY "timestamp", rank, digest))[1]
"""

ADD_EVENTS = f"""
WITH inserted AS (
    INSERT INTO conversations_event
        (conversation_id, digest, "timestamp", rank, kind, payload, text, name, policy, confidence, model_id, channel,
         received_at)
    SELECT conversation.id, digest, "timestamp", rank, kind, payload, text, name, policy, confidence, model_id,
           incoming.channel, now()
    FROM incoming_event AS incoming
    JOIN conversations_conversation AS conversation USING (assistant_id, sender_key)
    ORDER BY conversation.id, digest
    ON CONFLICT (conversation_id, digest) DO NOTHING
    RETURNING conversation_id, "timestamp", rank, digest, kind, name, confidence, model_id
)
INSERT INTO conversation_change SELECT {_SUMS} FROM inserted GROUP BY conversation_id
"""  # noqa: S608 - constants only

# The earliest and latest of something come from the events themselves, so that no order of arrival shows.
APPLY_CHANGES = """
UPDATE conversations_conversation AS conversation SET
    first_event_at = least(conversation.first_event_at, change.first_event_at),
    last_event_at = greatest(conversation.last_event_at, change.last_event_at),
    events_count = conversation.events_count + change.events_count,
    user_count = conversation.user_count + change.user_count,
    bot_count = conversation.bot_count + change.bot_count,
    action_count = conversation.action_count + change.action_count,
    session_count = conversation.session_count + change.session_count,
    fallback_count = conversation.fallback_count + change.fallback_count,
    min_confidence = least(conversation.min_confidence, change.min_confidence),
    model_ids = ARRAY(
        SELECT unnest(conversation.model_ids) COLLATE "C" UNION SELECT unnest(change.model_ids) COLLATE "C" ORDER BY 1
    ),
    first_text = coalesce((
        SELECT left(text, 500) FROM conversations_event AS event
        WHERE event.conversation_id = conversation.id AND kind = 'user'
        ORDER BY "timestamp", rank, digest LIMIT 1), ''),
    channel = coalesce((
        SELECT channel FROM conversations_event AS event
        WHERE event.conversation_id = conversation.id AND kind = 'user'
        ORDER BY "timestamp" DESC, rank DESC, digest DESC LIMIT 1), ''),
    last_model_id = coalesce((
        SELECT model_id FROM conversations_event AS event
        WHERE event.conversation_id = conversation.id AND model_id <> ''
        ORDER BY "timestamp" DESC, rank DESC, digest DESC LIMIT 1), '')
FROM conversation_change AS change
WHERE conversation.id = change.conversation_id
"""

# A conversation is of the environment that its earliest event came from. Events do not keep theirs, so it is decided
# while that event is new: when one arrives that is older than all others, and never by rebuilding.
MOVE_TO_EARLIEST = """
UPDATE conversations_conversation AS conversation SET
    environment_id = arrived.environment_id, environment_name = arrived.environment_name
FROM (
    SELECT DISTINCT ON (change.conversation_id)
        change.conversation_id, change.first_digest, incoming.environment_id, incoming.environment_name
    FROM conversation_change AS change
    JOIN conversations_conversation AS owner ON owner.id = change.conversation_id
    JOIN incoming_event AS incoming ON incoming.digest = change.first_digest
        AND (incoming.assistant_id, incoming.sender_key) = (owner.assistant_id, owner.sender_key)
    WHERE change.first_event_at <= owner.first_event_at
    ORDER BY change.conversation_id, incoming.position
) AS arrived
WHERE conversation.id = arrived.conversation_id
    AND (conversation.environment_id, conversation.environment_name)
        IS DISTINCT FROM (arrived.environment_id, arrived.environment_name)
    AND arrived.first_digest = (
        SELECT digest FROM conversations_event AS event
        WHERE event.conversation_id = conversation.id
        ORDER BY "timestamp", rank, digest LIMIT 1)
"""

NOTE_STREAM = """
INSERT INTO conversations_intakestream AS stream
    (source_id, assistant_id, environment_name, records_total, newest_event_at, first_at, last_at)
VALUES (%s, %s, %s, %s, %s, now(), now())
ON CONFLICT (source_id, assistant_id, environment_name) DO UPDATE SET
    records_total = stream.records_total + excluded.records_total,
    newest_event_at = greatest(stream.newest_event_at, excluded.newest_event_at),
    last_at = excluded.last_at
"""

COUNT_ADDED = "SELECT coalesce(sum(events_count), 0) FROM conversation_change"

_MARK = """
UPDATE conversations_conversation AS conversation SET
    origin = CASE WHEN session.share_link_id IS NULL THEN 'talk' ELSE 'share' END,
    talker_id = session.person_id, share_link_id = session.share_link_id
FROM conversations_talksession AS session
JOIN environments_environment AS environment ON environment.id = session.environment_id
WHERE session.sender_id = conversation.sender_id AND environment.assistant_id = conversation.assistant_id
    AND conversation.origin = 'real'
"""
MARK_CHANGED = f"{_MARK} AND conversation.id IN (SELECT conversation_id FROM conversation_change)"  # noqa: S608 - constants only
MARK_SINCE = f"{_MARK} AND session.created_at >= %s"
MARK_AMONG = f"{_MARK} AND conversation.id = ANY(%s)"

LOCK_FOR_REBUILD = """
SELECT id FROM conversations_conversation WHERE id = ANY(%s) ORDER BY assistant_id, sender_key FOR NO KEY UPDATE
"""
RESET = """
UPDATE conversations_conversation SET
    first_event_at = 'infinity', last_event_at = '-infinity', events_count = 0, user_count = 0, bot_count = 0,
    action_count = 0, session_count = 0, fallback_count = 0, min_confidence = NULL, model_ids = '{}'
WHERE id IN (SELECT conversation_id FROM conversation_change)
"""
SUM_ALL_EVENTS = f"""
INSERT INTO conversation_change
SELECT {_SUMS} FROM conversations_event WHERE conversation_id = ANY(%s) GROUP BY conversation_id
"""  # noqa: S608 - constants only
