"""Indexes over the dead letters of no environment, and over those that are handled."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # a big table stays writable meanwhile

    dependencies = [("conversations", "0012_kafka_topic_ids")]

    operations = [
        # What an interrupted build left is of no use, and in the way.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS dead_homeless", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("environment", None)),
                fields=["assistant", "environment_name", "id"],
                name="dead_homeless",
            ),
        ),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS dead_handled", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("state", "waiting"), _negated=True), fields=["ended_at"], name="dead_handled"
            ),
        ),
    ]
