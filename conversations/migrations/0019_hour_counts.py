"""Counts of hours for the analytics page, and whether a conversation is among them.

Columns and empty tables, which touches no row. Conversations that were stored before are counted by periodic work.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0018_inbox_indexes'),
        ('environments', '0003_replica_claims'),
        ('models_app', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='NameEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.IntegerField()),
                ('origin', models.CharField(choices=[('real', 'real'), ('talk', 'ours'), ('share', 'share link')], max_length=8)),
                ('model_id', models.CharField(max_length=200)),
                ('channel', models.CharField(max_length=255)),
                ('kind', models.CharField(choices=[('intent', 'Intents'), ('action', 'Actions')], max_length=8)),
                ('name', models.CharField(max_length=255)),
                ('count', models.IntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='NameTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.IntegerField()),
                ('origin', models.CharField(choices=[('real', 'real'), ('talk', 'ours'), ('share', 'share link')], max_length=8)),
                ('model_id', models.CharField(max_length=200)),
                ('channel', models.CharField(max_length=255)),
                ('kind', models.CharField(choices=[('intent', 'Intents'), ('action', 'Actions')], max_length=8)),
                ('name', models.CharField(max_length=255)),
                ('count', models.IntegerField()),
                ('span', models.SmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.IntegerField()),
                ('origin', models.CharField(choices=[('real', 'real'), ('talk', 'ours'), ('share', 'share link')], max_length=8)),
                ('model_id', models.CharField(max_length=200)),
                ('channel', models.CharField(max_length=255)),
                ('conversations', models.IntegerField()),
                ('handovers', models.IntegerField()),
                ('user_messages', models.IntegerField()),
                ('bot_messages', models.IntegerField()),
                ('sessions', models.IntegerField()),
                ('fallbacks', models.IntegerField()),
                ('rejected', models.IntegerField()),
                ('confidence_sum', models.BigIntegerField()),
                ('confidence_0', models.IntegerField()),
                ('confidence_1', models.IntegerField()),
                ('confidence_2', models.IntegerField()),
                ('confidence_3', models.IntegerField()),
                ('confidence_4', models.IntegerField()),
                ('confidence_5', models.IntegerField()),
                ('confidence_6', models.IntegerField()),
                ('confidence_7', models.IntegerField()),
                ('confidence_8', models.IntegerField()),
                ('confidence_9', models.IntegerField()),
                ('reply_ms', models.BigIntegerField()),
                ('reply_0', models.IntegerField()),
                ('reply_1', models.IntegerField()),
                ('reply_2', models.IntegerField()),
                ('reply_3', models.IntegerField()),
                ('reply_4', models.IntegerField()),
                ('reply_5', models.IntegerField()),
                ('reply_6', models.IntegerField()),
                ('reply_7', models.IntegerField()),
                ('reply_8', models.IntegerField()),
                ('reply_9', models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='TallyEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.IntegerField()),
                ('origin', models.CharField(choices=[('real', 'real'), ('talk', 'ours'), ('share', 'share link')], max_length=8)),
                ('model_id', models.CharField(max_length=200)),
                ('channel', models.CharField(max_length=255)),
                ('conversations', models.IntegerField()),
                ('handovers', models.IntegerField()),
                ('user_messages', models.IntegerField()),
                ('bot_messages', models.IntegerField()),
                ('sessions', models.IntegerField()),
                ('fallbacks', models.IntegerField()),
                ('rejected', models.IntegerField()),
                ('confidence_sum', models.BigIntegerField()),
                ('confidence_0', models.IntegerField()),
                ('confidence_1', models.IntegerField()),
                ('confidence_2', models.IntegerField()),
                ('confidence_3', models.IntegerField()),
                ('confidence_4', models.IntegerField()),
                ('confidence_5', models.IntegerField()),
                ('confidence_6', models.IntegerField()),
                ('confidence_7', models.IntegerField()),
                ('confidence_8', models.IntegerField()),
                ('confidence_9', models.IntegerField()),
                ('reply_ms', models.BigIntegerField()),
                ('reply_0', models.IntegerField()),
                ('reply_1', models.IntegerField()),
                ('reply_2', models.IntegerField()),
                ('reply_3', models.IntegerField()),
                ('reply_4', models.IntegerField()),
                ('reply_5', models.IntegerField()),
                ('reply_6', models.IntegerField()),
                ('reply_7', models.IntegerField()),
                ('reply_8', models.IntegerField()),
                ('reply_9', models.IntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='conversation',
            name='first_channel',
            field=models.CharField(blank=True, db_default='', max_length=255),
        ),
        migrations.AddField(
            model_name='conversation',
            name='first_model_id',
            field=models.CharField(blank=True, db_default='', max_length=200),
        ),
        migrations.AddField(
            model_name='conversation',
            name='is_counted',
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name='nameentry',
            name='assistant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='nameentry',
            name='environment',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='environments.environment'),
        ),
        migrations.AddField(
            model_name='nametally',
            name='assistant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='nametally',
            name='environment',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='environments.environment'),
        ),
        migrations.AddField(
            model_name='tally',
            name='assistant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='tally',
            name='environment',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='environments.environment'),
        ),
        migrations.AddField(
            model_name='tallyentry',
            name='assistant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='tallyentry',
            name='environment',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='environments.environment'),
        ),
        migrations.AddConstraint(
            model_name='nametally',
            constraint=models.UniqueConstraint(fields=('assistant', 'span', 'hour', 'kind', 'environment', 'origin', 'model_id', 'channel', 'name'), name='name_tally_unique', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='tally',
            index=models.Index(fields=['assistant', 'channel', 'environment'], name='tally_channel'),
        ),
        migrations.AddConstraint(
            model_name='tally',
            constraint=models.UniqueConstraint(fields=('assistant', 'hour', 'environment', 'origin', 'model_id', 'channel'), name='tally_unique', nulls_distinct=False),
        ),
    ]
