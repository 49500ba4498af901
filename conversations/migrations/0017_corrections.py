"""What people say of messages. The new column of events touches none of their rows."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0016_review_indexes'),
        ('environments', '0003_replica_claims'),
        ('models_app', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('also', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('text', models.TextField()),
                ('said_intent', models.CharField(blank=True, max_length=255)),
                ('said_confidence', models.FloatField(null=True)),
                ('said_entities', models.JSONField(default=list)),
                ('kind', models.CharField(choices=[('confirmed', 'confirmed'), ('corrected', 'corrected'), ('out_of_scope', 'out of scope'), ('ignored', 'no example')], max_length=16)),
                ('intent', models.CharField(blank=True, max_length=255)),
                ('entities', models.JSONField(default=list)),
                ('state', models.CharField(choices=[('pending', 'waits'), ('accepted', 'accepted'), ('discarded', 'discarded')], default='pending', max_length=16)),
                ('person_label', models.CharField(max_length=200)),
                ('at', models.DateTimeField()),
                ('former', models.JSONField(null=True)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['intent', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='MessageLease',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('until', models.DateTimeField()),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.AddField(
            model_name='event',
            name='is_looked_at',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='correction',
            name='assistant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='corrections', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='correction',
            name='conversation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='corrections', to='conversations.conversation'),
        ),
        migrations.AddField(
            model_name='correction',
            name='event',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='correction', to='conversations.event'),
        ),
        migrations.AddField(
            model_name='correction',
            name='person',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='correction',
            name='revision',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='models_app.revision'),
        ),
        migrations.AddField(
            model_name='correction',
            name='settled_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='messagelease',
            name='assistant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_app.assistant'),
        ),
        migrations.AddField(
            model_name='messagelease',
            name='conversation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='conversations.conversation'),
        ),
        migrations.AddField(
            model_name='messagelease',
            name='event',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='lease', to='conversations.event'),
        ),
        migrations.AddField(
            model_name='messagelease',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='correction',
            index=models.Index(fields=['assistant', 'state', 'intent', 'id'], name='correction_waiting'),
        ),
        migrations.AddIndex(
            model_name='correction',
            index=models.Index(fields=['assistant', '-at'], name='conversatio_assista_80030c_idx'),
        ),
        migrations.AddIndex(
            model_name='correction',
            index=django.contrib.postgres.indexes.GinIndex(fields=['also'], name='correction_also'),
        ),
        migrations.AddIndex(
            model_name='messagelease',
            index=models.Index(fields=['assistant', 'until'], name='conversatio_assista_00bf9a_idx'),
        ),
    ]
