"""One index of events instead of two, and a trigger instead of a foreign key's check of every event.

The index is built while others write, so outside of a transaction; begun again after a failure it begins anew.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models

BUILD = [
    "ALTER TABLE conversations_event DROP CONSTRAINT IF EXISTS event_known_once",
    "DROP INDEX IF EXISTS event_known_once",
    'CREATE UNIQUE INDEX CONCURRENTLY event_known_once ON conversations_event (conversation_id, "timestamp", digest)',
    "ALTER TABLE conversations_event ADD CONSTRAINT event_known_once UNIQUE USING INDEX event_known_once",
]
# Whoever deletes a conversation waits for those who store its events. Their events are seen by this trigger, not by the
# statement that deleted the events that were there before.
TRIGGER = """
CREATE OR REPLACE FUNCTION conversations_delete_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conversations_event WHERE conversation_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER conversation_takes_its_events AFTER DELETE ON conversations_conversation
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION conversations_delete_events();
"""
NO_TRIGGER = """
DROP TRIGGER conversation_takes_its_events ON conversations_conversation;
DROP FUNCTION conversations_delete_events();
"""
KNOWN_ONCE = models.UniqueConstraint(fields=['conversation', 'timestamp', 'digest'], name='event_known_once')


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0007_completeness_runs'),
    ]

    operations = [
        migrations.RunSQL(
            BUILD,
            "ALTER TABLE conversations_event DROP CONSTRAINT event_known_once",
            state_operations=[migrations.AddConstraint(model_name='event', constraint=KNOWN_ONCE)],
        ),
        migrations.RunSQL(
            "ALTER TABLE conversations_event DROP CONSTRAINT IF EXISTS event_unique",
            "ALTER TABLE conversations_event ADD CONSTRAINT event_unique UNIQUE (conversation_id, digest)",
            state_operations=[migrations.RemoveConstraint(model_name='event', name='event_unique')],
        ),
        RemoveIndexConcurrently(
            model_name='event',
            name='conversatio_convers_8a8fc1_idx',
        ),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.AlterField(
            model_name='event',
            name='conversation',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='conversations.conversation'),
        ),
    ]
