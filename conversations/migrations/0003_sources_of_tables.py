"""What was known of each environment's table becomes its source, and dead letters are of that source."""

from django.db import migrations


def fill(apps, schema_editor):
    states = apps.get_model("conversations", "IngestState").objects.select_related("environment")
    sources = apps.get_model("conversations", "IntakeSource").objects
    letters = apps.get_model("conversations", "DeadLetter").objects
    for state in states:
        source = sources.create(
            kind="sql",
            name=f"Table of {state.environment.name}"[:120],
            assistant_id=state.environment.assistant_id,
            environment_id=state.environment_id,
            events_total=state.events_total,
            last_event_at=state.last_event_at,
            last_error=state.last_error,
            heartbeat_at=state.heartbeat_at,
        )
        letters.filter(environment_id=state.environment_id).update(
            source_id=source.pk, assistant_id=state.environment.assistant_id, environment_name=state.environment.name
        )
    # Only a record whose environment left the database has none; nobody can say any more whose it was.
    letters.filter(source_id=None).delete()


class Migration(migrations.Migration):
    dependencies = [("conversations", "0002_intake_sources")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
