"""How often a slot's log was forgotten while its worker wrote it, so that what was erased is not written back."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0005_tried_models'),
    ]

    operations = [
        migrations.AddField(
            model_name='slot',
            name='log_cuts',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
