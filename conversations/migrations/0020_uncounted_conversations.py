"""An index of the conversations that are still to be counted, built while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0019_hour_counts'),
    ]

    operations = [
        migrations.RunSQL("DROP INDEX IF EXISTS conversation_uncounted", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('is_counted', False)), fields=['assistant', 'id'], name='conversation_uncounted'),
        ),
    ]
