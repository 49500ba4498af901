from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("conversations", "0030_limits_of_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="talksession",
            name="answered_at",
            field=models.DateTimeField(null=True),
        ),
    ]
