from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):
    dependencies = [("conversations", "0003_sources_of_tables")]
    operations = [
        migrations.AlterField(
            "deadletter",
            "source",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="dead_letters",
                to="conversations.intakesource",
            ),
        ),
        migrations.AlterField(
            "deadletter",
            "assistant",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="models_app.assistant"
            ),
        ),
        migrations.AlterField("deadletter", "fault", models.CharField(max_length=40)),
        migrations.RemoveField("deadletter", "former_source"),
        migrations.DeleteModel("IngestState"),
    ]
