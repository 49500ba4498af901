"""Conversations in any state of review by one index, built while others write: so outside of a transaction. And two
indexes less, with which others begin."""

import django.db.models.deletion

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
        migrations.AlterField(
            model_name='conversation',
            name='assistant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='conversations', to='models_app.assistant'),
        ),
        migrations.AlterField(
            model_name='conversation',
            name='environment',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='conversations', to='environments.environment'),
        ),
    ]
