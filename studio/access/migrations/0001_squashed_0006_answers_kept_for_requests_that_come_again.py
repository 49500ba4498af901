"""The tables of the access app as 0001 to 0006 leave them."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from studio.squashing import CreateModels


class Migration(migrations.Migration):

    replaces = [
        ('access', '0001_initial'),
        ('access', '0002_sign_on_groups_sessions_tokens'),
        ('access', '0003_when_sessions_are_renewed'),
        ('access', '0004_grants_are_found_by_group'),
        ('access', '0005_what_service_accounts_are_for'),
        ('access', '0006_answers_kept_for_requests_that_come_again'),
    ]

    initial = True

    dependencies = []

    operations = [
        CreateModels([
            migrations.CreateModel(
                name='Role',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.SlugField(max_length=63, unique=True)),
                    ('description', models.CharField(blank=True, max_length=300)),
                    ('permissions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), default=list, size=None)),
                    ('is_default', models.BooleanField(default=False)),
                    ('is_builtin', models.BooleanField(default=False)),
                ],
                options={
                    'ordering': ['name'],
                },
            ),
            migrations.CreateModel(
                name='User',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('password', models.CharField(max_length=128, verbose_name='password')),
                    ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                    ('username', models.CharField(max_length=150)),
                    ('name', models.CharField(blank=True, max_length=200)),
                    ('email', models.EmailField(blank=True, max_length=254)),
                    ('is_active', models.BooleanField(default=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('session_epoch', models.PositiveIntegerField(default=0)),
                    ('awaits_identity', models.BooleanField(default=False)),
                    ('groups', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255), blank=True, default=list, size=None)),
                    ('kind', models.CharField(choices=[('person', 'Person'), ('service', 'Service account')], default='person', max_length=20)),
                    ('last_seen_at', models.DateTimeField(blank=True, null=True)),
                    ('description', models.CharField(blank=True, max_length=300)),
                ],
                options={
                    'ordering': ['username'],
                    'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('username'), name='user_username_unique')],
                },
            ),
            migrations.CreateModel(
                name='SignInFailure',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('username', models.CharField(max_length=150)),
                    ('address', models.GenericIPAddressField(null=True)),
                    ('at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'indexes': [models.Index(fields=['username', 'at'], name='access_sign_usernam_aa9869_idx'), models.Index(fields=['address', 'at'], name='access_sign_address_937b04_idx')],
                },
            ),
            migrations.CreateModel(
                name='SignInLink',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('digest', models.BinaryField(max_length=32, unique=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('expires_at', models.DateTimeField()),
                    ('used_at', models.DateTimeField(null=True)),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_in_links', to=settings.AUTH_USER_MODEL)),
                ],
            ),
            migrations.CreateModel(
                name='Grant',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('assistant_id', models.BigIntegerField(blank=True, null=True)),
                    ('environment_id', models.BigIntegerField(blank=True, null=True)),
                    ('scope_label', models.CharField(blank=True, max_length=200)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to=settings.AUTH_USER_MODEL)),
                    ('role', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='access.role')),
                    ('group', models.CharField(blank=True, max_length=255)),
                    ('source', models.CharField(choices=[('hand', 'Given here'), ('sso', 'From single sign-on')], default='hand', max_length=20)),
                ],
                options={
                    'ordering': ['role__name', models.OrderBy(models.F('assistant_id'), nulls_first=True)],
                    'constraints': [models.CheckConstraint(condition=models.Q(('environment_id__isnull', True), ('assistant_id__isnull', False), _connector='OR'), name='grant_environment_has_assistant'), models.UniqueConstraint(fields=('user', 'group', 'role', 'assistant_id', 'environment_id', 'source'), name='grant_unique', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('group', ''), ('user__isnull', False)), models.Q(('user__isnull', True), models.Q(('group', ''), _negated=True)), _connector='OR'), name='grant_of_a_person_or_a_group')],
                    'indexes': [models.Index(condition=models.Q(('group', ''), _negated=True), fields=['group'], name='grant_of_group')],
                },
            ),
            migrations.CreateModel(
                name='ApiToken',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=100)),
                    ('key', models.CharField(max_length=16, unique=True)),
                    ('digest', models.BinaryField(max_length=32)),
                    ('permissions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), default=list, size=None)),
                    ('assistant_id', models.BigIntegerField(blank=True, null=True)),
                    ('environment_id', models.BigIntegerField(blank=True, null=True)),
                    ('scope_label', models.CharField(blank=True, max_length=200)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('expires_at', models.DateTimeField(blank=True, null=True)),
                    ('last_used_at', models.DateTimeField(blank=True, null=True)),
                    ('last_used_from', models.GenericIPAddressField(blank=True, null=True)),
                    ('revoked_at', models.DateTimeField(blank=True, null=True)),
                    ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('replaced_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='replaces', to='access.apitoken')),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
                ],
                options={
                    'ordering': ['-created_at'],
                    'constraints': [models.CheckConstraint(condition=models.Q(('environment_id__isnull', True), ('assistant_id__isnull', False), _connector='OR'), name='token_environment_has_assistant')],
                },
            ),
            migrations.CreateModel(
                name='Identity',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('issuer', models.CharField(max_length=500)),
                    ('subject', models.CharField(max_length=255)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to=settings.AUTH_USER_MODEL)),
                ],
                options={
                    'verbose_name_plural': 'identities',
                    'constraints': [models.UniqueConstraint(fields=('issuer', 'subject'), name='identity_unique')],
                },
            ),
            migrations.CreateModel(
                name='BrowserSession',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('session_key', models.CharField(max_length=40, unique=True)),
                    ('by', models.CharField(choices=[('password', 'Password'), ('link', 'One-time link'), ('sso', 'Single sign-on')], max_length=20)),
                    ('address', models.GenericIPAddressField(blank=True, null=True)),
                    ('agent', models.CharField(blank=True, max_length=300)),
                    ('began_at', models.DateTimeField(auto_now_add=True)),
                    ('seen_at', models.DateTimeField(auto_now_add=True)),
                    ('provider_session', models.CharField(blank=True, db_index=True, max_length=255)),
                    ('refresh_token', models.BinaryField(default=b'')),
                    ('id_token', models.BinaryField(default=b'')),
                    ('renew_at', models.DateTimeField(blank=True, db_index=True, null=True)),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='browser_sessions', to=settings.AUTH_USER_MODEL)),
                    ('identity', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.identity')),
                    ('confirmed_until', models.DateTimeField(blank=True, null=True)),
                    ('ends_at', models.DateTimeField(blank=True, null=True)),
                    ('renewed_at', models.DateTimeField(blank=True, null=True)),
                ],
                options={
                    'ordering': ['-seen_at'],
                },
            ),
            migrations.CreateModel(
                name='KeptAnswer',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('key', models.CharField(max_length=200)),
                    ('request', models.BinaryField(max_length=32)),
                    ('status', models.PositiveSmallIntegerField(default=0)),
                    ('headers', models.JSONField(default=dict)),
                    ('body_encrypted', models.BinaryField(default=b'')),
                    ('at', models.DateTimeField(auto_now_add=True, db_index=True)),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('user', 'key'), name='answer_once_by_key')],
                },
            ),
        ]),
    ]
