"""An index over the conversations of no environment, which are few where names are set right."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # a big table stays writable meanwhile

    dependencies = [("conversations", "0005_dead_letters_by_kind")]

    operations = [
        # What an interrupted build left is of no use, and in the way.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS conversation_homeless", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("environment", None)),
                fields=["assistant", "environment_name", "id"],
                name="conversation_homeless",
            ),
        ),
    ]
