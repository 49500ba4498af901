"""What people note about conversations. It goes with its conversation, whoever deletes that: also a statement in SQL."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CASCADE = """
ALTER TABLE conversations_{table} ADD CONSTRAINT {table}_goes_with_its_conversation
    FOREIGN KEY (conversation_id) REFERENCES conversations_conversation ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
"""
NO_CASCADE = "ALTER TABLE conversations_{table} DROP CONSTRAINT {table}_goes_with_its_conversation"


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0014_moved_conversations'),
        ('environments', '0003_replica_claims'),
        ('models_app', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Mark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('flag', 'flag'), ('tag', 'tag')], max_length=4)),
                ('name', models.CharField(blank=True, max_length=40)),
                ('note', models.TextField(blank=True)),
                ('at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['kind', 'name'],
            },
        ),
        migrations.CreateModel(
            name='ReadMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('read_until', models.FloatField()),
                ('at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.AddField(
            model_name='conversation',
            name='is_flagged',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='conversation',
            name='review_state',
            field=models.CharField(blank=True, choices=[('reviewed', 'reviewed'), ('saved', 'saved for later')], db_default='', default='', max_length=8),
        ),
        migrations.AddField(
            model_name='conversation',
            name='reviewed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='conversation',
            name='reviewed_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='conversation',
            name='reviewed_events',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='conversation',
            name='tags',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='mark',
            name='assistant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='mark',
            name='by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='mark',
            name='conversation',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='marks', to='conversations.conversation'),
        ),
        migrations.AddField(
            model_name='mark',
            name='event',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='conversations.event'),
        ),
        migrations.AddField(
            model_name='readmark',
            name='conversation',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='read_marks', to='conversations.conversation'),
        ),
        migrations.AddField(
            model_name='readmark',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='mark',
            index=models.Index(fields=['assistant', 'name'], name='mark_names'),
        ),
        migrations.AddConstraint(
            model_name='mark',
            constraint=models.UniqueConstraint(fields=('conversation', 'event', 'kind', 'name'), name='mark_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='mark',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'flag'), ('name', '')), models.Q(('kind', 'tag'), models.Q(('name', ''), _negated=True)), _connector='OR'), name='mark_named'),
        ),
        migrations.AddConstraint(
            model_name='readmark',
            constraint=models.UniqueConstraint(fields=('person', 'conversation'), name='read_mark_once'),
        ),
        *(
            migrations.RunSQL(CASCADE.format(table=table), NO_CASCADE.format(table=table))
            for table in ('mark', 'readmark')
        ),
    ]
