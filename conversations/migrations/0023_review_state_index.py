"""Conversations in any state of review by one index, built while others write: so outside of a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0022_letters_name_senders'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(fields=['assistant', 'review_state', '-last_event_at', '-id'], name='conversation_in_review'),
        ),
        RemoveIndexConcurrently(
            model_name='conversation',
            name='conversation_reviewed',
        ),
    ]
