"""Every conversation is looked at for the checks of 0025, each in a transaction of its own that keeps nobody waiting."""

from django.db import migrations

TABLE = 'conversations_conversation'


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0028_when_ratings_are_looked_at'),
    ]

    operations = [
        migrations.RunSQL(
            f'ALTER TABLE {TABLE} VALIDATE CONSTRAINT {TABLE}_{name}_check',
            migrations.RunSQL.noop,
        )
        for name in ('rated_comments', 'rated_down', 'rated_up')
    ]
