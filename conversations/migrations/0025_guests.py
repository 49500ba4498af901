"""Options of share links, the browsers in which they were opened, and what guests thought of replies."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

RATED = ('rated_comments', 'rated_down', 'rated_up')
TABLE = 'conversations_conversation'
# A constraint is named as PostgreSQL names that of a column by itself.
COLUMNS = f'ALTER TABLE {TABLE} ' + ', '.join(
    f'ADD COLUMN {name} integer DEFAULT 0 NOT NULL, '
    f'ADD CONSTRAINT {TABLE}_{name}_check CHECK ({name} >= 0) NOT VALID'
    for name in RATED
)
NO_COLUMNS = f'ALTER TABLE {TABLE} ' + ', '.join(f'DROP COLUMN {name}' for name in RATED)


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0024_tried_models'),
        ('environments', '0004_servers_of_several_rasas'),
        ('models_app', '0007_tests_of_models'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Rating',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reply', models.CharField(blank=True, max_length=32)),
                ('sent_digest', models.BinaryField(max_length=32, null=True)),
                ('answered_at', models.FloatField(null=True)),
                ('is_up', models.BooleanField()),
                ('comment', models.CharField(blank=True, max_length=500)),
                ('at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='ShareGuest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('secret_digest', models.BinaryField(max_length=32, unique=True)),
                ('first_at', models.DateTimeField(auto_now_add=True)),
                ('last_at', models.DateTimeField()),
                ('visits_count', models.PositiveIntegerField(default=1)),
                ('messages_count', models.PositiveIntegerField(default=0)),
                ('is_in', models.BooleanField(default=False)),
                ('language', models.CharField(blank=True, max_length=2)),
                ('device', models.CharField(blank=True, choices=[('computer', 'computer'), ('phone', 'phone'), ('tablet', 'tablet'), ('', 'unknown')], max_length=8)),
                ('is_embedded', models.BooleanField(default=False)),
            ],
            options={
                'ordering': ['-last_at', '-id'],
            },
        ),
        migrations.AddField(
            model_name='sharelink',
            name='accent',
            field=models.CharField(blank=True, db_default='', default='', max_length=7),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='language',
            field=models.CharField(blank=True, db_default='', default='', max_length=2),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='look',
            field=models.CharField(blank=True, choices=[('', 'As the guest’s device'), ('light', 'Light'), ('dark', 'Dark')], db_default='', default='', max_length=5),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='messages_limit',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='opened_count',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='origins',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255), blank=True, db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='password',
            field=models.CharField(blank=True, db_default='', default='', max_length=256),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='returned_count',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='takes_ratings',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='visitors_limit',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='sharelink',
            name='wrote_count',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='talksession',
            name='began_with',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='models_app.model'),
        ),
        migrations.AddField(
            model_name='rating',
            name='event',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='conversations.event'),
        ),
        migrations.AddField(
            model_name='rating',
            name='link',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='ratings', to='conversations.sharelink'),
        ),
        migrations.AddField(
            model_name='rating',
            name='session',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='ratings', to='conversations.talksession'),
        ),
        migrations.AddField(
            model_name='shareguest',
            name='link',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='guests', to='conversations.sharelink'),
        ),
        migrations.AddField(
            model_name='shareguest',
            name='session',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='conversations.talksession'),
        ),
        migrations.AddField(
            model_name='talksession',
            name='guest',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='sessions', to='conversations.shareguest'),
        ),
        migrations.AddIndex(
            model_name='rating',
            index=models.Index(fields=['link', 'is_up', '-at', '-id'], name='rating_of_link'),
        ),
        migrations.AddIndex(
            model_name='rating',
            index=models.Index(condition=models.Q(('event', None)), fields=['at'], name='rating_waits'),
        ),
        migrations.AddConstraint(
            model_name='rating',
            constraint=models.UniqueConstraint(fields=('session', 'event'), name='rating_of_event'),
        ),
        migrations.AddConstraint(
            model_name='rating',
            constraint=models.UniqueConstraint(condition=models.Q(('reply', ''), _negated=True), fields=('session', 'reply'), name='rating_of_reply'),
        ),
        migrations.AddConstraint(
            model_name='rating',
            constraint=models.CheckConstraint(condition=models.Q(('event__isnull', False), models.Q(('reply', ''), _negated=True), _connector='OR'), name='rating_of_something'),
        ),
        migrations.AddIndex(
            model_name='shareguest',
            index=models.Index(fields=['link', '-last_at', '-id'], name='guest_of_link'),
        ),
        migrations.AddIndex(
            model_name='shareguest',
            index=models.Index(condition=models.Q(('is_in', False)), fields=['last_at'], name='guest_looked_only'),
        ),
        # Last, for it locks every conversation until the end; and without a look at each, which 0029 does while others
        # write.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(COLUMNS, NO_COLUMNS)],
            state_operations=[
                migrations.AddField(
                    model_name='conversation',
                    name=name,
                    field=models.PositiveIntegerField(db_default=0, default=0),
                )
                for name in RATED
            ],
        ),
    ]
