"""Conversations of a link, and those in which a guest rated a reply, by indexes that are built while others write."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0026_guests_of_before'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='talksession',
            name='guest_digest',
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('rated_up__gt', 0)), fields=['assistant', '-last_event_at', '-id'], name='conversation_rated_up'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('rated_down__gt', 0)), fields=['assistant', '-last_event_at', '-id'], name='conversation_rated_down'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('rated_comments__gt', 0)), fields=['assistant', '-last_event_at', '-id'], name='conversation_rated_comments'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('share_link__isnull', False)), fields=['share_link', '-last_event_at', '-id'], name='conversation_of_link'),
        ),
        # Django would make the foreign key anew for it, and check every row while nobody may write.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'DROP INDEX CONCURRENTLY IF EXISTS conversations_conversation_share_link_id_1edb070c',
                    'CREATE INDEX CONCURRENTLY conversations_conversation_share_link_id_1edb070c ON conversations_conversation (share_link_id)',
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name='conversation',
                    name='share_link',
                    field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='conversations', to='conversations.sharelink'),
                ),
            ],
        ),
    ]
