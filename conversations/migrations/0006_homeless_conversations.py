"""An index over the conversations of no environment, which are few where names are set right."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # a big table stays writable meanwhile

    dependencies = [("conversations", "0005_dead_letters_by_kind")]

    operations = [
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("environment", None)),
                fields=["assistant", "environment_name", "id"],
                name="conversation_homeless",
            ),
        ),
    ]
