"""Indexes of what the team noted, built while others write: so outside of a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0015_review'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('review_state', ''), _negated=True), fields=['assistant', 'review_state', '-last_event_at', '-id'], name='conversation_reviewed'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('is_flagged', True)), fields=['assistant', '-last_event_at', '-id'], name='conversation_flagged'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('tags', []), _negated=True), fields=['assistant', '-last_event_at', '-id'], name='conversation_tagged'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('reviewed_by__isnull', False)), fields=['reviewed_by'], name='conversation_reviewer'),
        ),
    ]
