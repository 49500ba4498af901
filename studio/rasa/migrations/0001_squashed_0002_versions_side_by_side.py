"""The table of Rasa runtimes as 0001 and 0002 leave it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('rasa', '0001_initial'),
        ('rasa', '0002_versions_side_by_side'),
    ]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='RasaRuntime',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=40, unique=True)),
                ('state', models.CharField(choices=[('missing', 'not installed'), ('wanted', 'waiting for a worker'), ('installing', 'installing'), ('ready', 'ready'), ('failed', 'failed'), ('removing', 'being removed')], default='missing', max_length=16)),
                ('step', models.CharField(blank=True, max_length=200)),
                ('done', models.PositiveBigIntegerField(default=0)),
                ('total', models.PositiveBigIntegerField(default=0)),
                ('message', models.TextField(blank=True)),
                ('mend', models.TextField(blank=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('freed', models.PositiveBigIntegerField(null=True)),
                ('minimum_compatible_version', models.CharField(blank=True, max_length=40)),
                ('own', models.BooleanField(default=False)),
                ('python', models.CharField(blank=True, max_length=40)),
                ('release', models.CharField(blank=True, max_length=40)),
                ('size', models.PositiveBigIntegerField(null=True)),
            ],
        ),
    ]
