"""The tables of environments and their servers as 0001 to 0006 leave them."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from studio.squashing import CreateModels


class Migration(migrations.Migration):

    replaces = [
        ('environments', '0001_initial'),
        ('environments', '0002_replica_busy_until'),
        ('environments', '0003_replica_claims'),
        ('environments', '0004_servers_of_several_rasas'),
        ('environments', '0005_tried_models'),
        ('environments', '0006_cut_logs_of_slots'),
    ]

    initial = True

    dependencies = [
        ('models_app', '0001_squashed_0007_tests_of_models'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels([
            migrations.CreateModel(
                name='Environment',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]{0,62}\\Z', 'Use 1 to 63 small letters, digits, dots, dashes and underscores, beginning with a letter or digit.')])),
                    ('kind', models.CharField(choices=[('unset', 'not set up'), ('connected', 'connected'), ('managed', 'managed'), ('tried', 'tried models')], default='unset', max_length=16)),
                    ('url', models.CharField(blank=True, max_length=500)),
                    ('protected', models.BooleanField(default=False)),
                    ('generation', models.PositiveBigIntegerField(default=0)),
                    ('server_token_encrypted', models.BinaryField(default=bytes)),
                    ('model_token_encrypted', models.BinaryField(default=bytes)),
                    ('model_token_digest', models.BinaryField(max_length=32, unique=True)),
                    ('private_key_encrypted', models.BinaryField(default=bytes)),
                    ('public_key', models.TextField(blank=True)),
                    ('action_server_url', models.CharField(blank=True, max_length=500)),
                    ('database_key', models.CharField(blank=True, max_length=40)),
                    ('events_password_encrypted', models.BinaryField(default=bytes)),
                    ('tracker_password_encrypted', models.BinaryField(default=bytes)),
                    ('server_version', models.CharField(blank=True, max_length=40)),
                    ('server_minimum_version', models.CharField(blank=True, max_length=40)),
                    ('server_checked_at', models.DateTimeField(null=True)),
                    ('pull_speed', models.FloatField(null=True)),
                    ('pull_speed_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('removed_at', models.DateTimeField(blank=True, null=True)),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='environments', to='models_app.assistant')),
                    ('tag', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='environment', to='models_app.tag')),
                ],
                options={
                    'ordering': ['-protected', 'name'],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('removed_at', None)), fields=('assistant', 'name'), name='environment_name_unique'), models.CheckConstraint(condition=models.Q(('removed_at__isnull', False), models.Q(('tag__isnull', False), ('kind', 'tried'), _connector='XOR'), _connector='OR'), name='environment_has_tag')],
                },
            ),
            migrations.CreateModel(
                name='EnvironmentAlias',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=63)),
                    ('last_used_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant')),
                    ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='environments.environment')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('assistant', 'name'), name='environment_alias_unique')],
                },
            ),
            migrations.CreateModel(
                name='ManagedServer',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('wanted', models.BooleanField(default=True)),
                    ('restart_requested_at', models.DateTimeField(null=True)),
                    ('state', models.CharField(choices=[('stopped', 'Stopped'), ('waiting', 'Waiting'), ('starting', 'Starting'), ('running', 'Running'), ('stopping', 'Stopping')], default='waiting', max_length=16)),
                    ('message', models.TextField(blank=True)),
                    ('port', models.PositiveIntegerField(null=True)),
                    ('token_encrypted', models.BinaryField(default=bytes)),
                    ('handle', models.JSONField(null=True)),
                    ('started_at', models.DateTimeField(null=True)),
                    ('ready_at', models.DateTimeField(null=True)),
                    ('failures', models.PositiveIntegerField(default=0)),
                    ('retry_at', models.DateTimeField(null=True)),
                    ('heartbeat_at', models.DateTimeField(null=True)),
                    ('environment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='server', to='environments.environment')),
                    ('rasa', models.CharField(blank=True, max_length=40)),
                    ('rasa_version', models.CharField(blank=True, max_length=40)),
                ],
            ),
            migrations.CreateModel(
                name='Promotion',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('number', models.PositiveIntegerField()),
                    ('generation', models.PositiveBigIntegerField()),
                    ('actor_label', models.CharField(max_length=200)),
                    ('reason', models.TextField(blank=True)),
                    ('requested_at', models.DateTimeField()),
                    ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='promotions', to='environments.environment')),
                    ('from_model', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='models_app.model')),
                    ('to_model', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='models_app.model')),
                ],
                options={
                    'ordering': ['-id'],
                    'constraints': [models.UniqueConstraint(fields=('environment', 'number'), name='promotion_number_unique')],
                },
            ),
            migrations.CreateModel(
                name='PromotionTransition',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('state', models.CharField(choices=[('requested', 'Requested'), ('switched', 'Switched'), ('first-running', 'First replica'), ('running', 'Running'), ('failed', 'Failed'), ('superseded', 'Superseded')], max_length=16)),
                    ('at', models.DateTimeField()),
                    ('detail', models.JSONField(default=dict)),
                    ('promotion', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='transitions', to='environments.promotion')),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [models.UniqueConstraint(fields=('promotion', 'state'), name='transition_once')],
                },
            ),
            migrations.CreateModel(
                name='Replica',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('key', models.CharField(max_length=200)),
                    ('named', models.BooleanField(default=False)),
                    ('runs_etag', models.CharField(blank=True, max_length=80)),
                    ('runs_since', models.DateTimeField(null=True)),
                    ('rasa_version', models.CharField(blank=True, max_length=40)),
                    ('first_seen_at', models.DateTimeField(auto_now_add=True)),
                    ('last_seen_at', models.DateTimeField()),
                    ('interval', models.FloatField(null=True)),
                    ('pulling_since', models.DateTimeField(null=True)),
                    ('served_etag', models.CharField(blank=True, max_length=80)),
                    ('served_at', models.DateTimeField(null=True)),
                    ('polls_since_served', models.PositiveIntegerField(default=0)),
                    ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='replicas', to='environments.environment')),
                    ('model', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='models_app.model')),
                    ('busy_until', models.DateTimeField(null=True)),
                    ('claims', models.CharField(blank=True, max_length=63)),
                ],
                options={
                    'ordering': ['key'],
                    'constraints': [models.UniqueConstraint(fields=('environment', 'key'), name='replica_unique')],
                },
            ),
            migrations.CreateModel(
                name='Slot',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('state', models.CharField(choices=[('waiting', 'In line'), ('starting', 'Starting'), ('running', 'Running'), ('stopping', 'Stopping'), ('ended', 'Ended'), ('failed', 'Failed')], default='waiting', max_length=16)),
                    ('step', models.CharField(blank=True, max_length=200)),
                    ('message', models.TextField(blank=True)),
                    ('is_automatic', models.BooleanField(default=False)),
                    ('requested_by_label', models.CharField(max_length=200)),
                    ('requested_at', models.DateTimeField(auto_now_add=True)),
                    ('attempt', models.PositiveSmallIntegerField(default=0)),
                    ('deaths', models.PositiveSmallIntegerField(default=0)),
                    ('worker', models.CharField(blank=True, max_length=200)),
                    ('host', models.CharField(blank=True, max_length=255)),
                    ('port', models.PositiveIntegerField(null=True)),
                    ('token_encrypted', models.BinaryField(default=bytes)),
                    ('log', models.TextField(blank=True)),
                    ('rasa', models.CharField(blank=True, max_length=40)),
                    ('rasa_version', models.CharField(blank=True, max_length=40)),
                    ('memory', models.PositiveBigIntegerField(null=True)),
                    ('peak_memory', models.PositiveBigIntegerField(null=True)),
                    ('started_at', models.DateTimeField(null=True)),
                    ('ready_at', models.DateTimeField(null=True)),
                    ('used_at', models.DateTimeField(null=True)),
                    ('heartbeat_at', models.DateTimeField(null=True)),
                    ('ended_at', models.DateTimeField(null=True)),
                    ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='environments.environment')),
                    ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='models_app.model')),
                    ('replaces', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='environments.slot')),
                    ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('log_cuts', models.PositiveIntegerField(db_default=0, default=0)),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [models.Index(fields=['state', 'is_automatic', 'id'], name='environment_state_065c74_idx')],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['waiting', 'starting', 'running'])), fields=('model',), name='slot_once_for_each_model')],
                },
            ),
            migrations.CreateModel(
                name='TryingSettings',
                fields=[
                    ('assistant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='trying_settings', serialize=False, to='models_app.assistant')),
                    ('start_after_training', models.BooleanField(default=True)),
                    ('idle_minutes', models.PositiveIntegerField(null=True)),
                ],
            ),
        ]),
    ]
