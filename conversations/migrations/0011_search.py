"""What conversations are found by, the indexes that lists walk along, and filters kept under a name."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TRIGGER = """
CREATE OR REPLACE FUNCTION conversations_delete_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conversations_event WHERE conversation_id IN (SELECT id FROM gone);
    DELETE FROM conversations_searchentry WHERE conversation_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
"""
FORMER_TRIGGER = """
CREATE OR REPLACE FUNCTION conversations_delete_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conversations_event WHERE conversation_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
"""
# Comparing hundreds of terms with those of each conversation takes thousands of times as long as asking the index for
# them, which the planner does not know.
WITH_ANY_TERM = """
CREATE FUNCTION conversations_with_any_term(wanted bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE ROWS 10000
    SET enable_seqscan = off SET enable_indexscan = off SET max_parallel_workers_per_gather = 0
    AS 'SELECT conversation_id FROM conversations_searchentry WHERE terms && wanted'
"""
NO_WITH_ANY_TERM = "DROP FUNCTION conversations_with_any_term(bigint[])"
# The planner must know how common each of very many terms is.
STATISTICS = "ALTER TABLE conversations_searchentry ALTER COLUMN terms SET STATISTICS 1000"


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0010_time_of_positions"),
        ("environments", "0003_replica_claims"),
        ("models_app", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("query", models.TextField()),
                ("is_shared", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "conversation",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="entry",
                        serialize=False,
                        to="conversations.conversation",
                    ),
                ),
                ("terms", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("day", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Term",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=1)),
                ("value", models.CharField(max_length=255)),
            ],
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["assistant", "-user_count", "-id"], name="conversation_longest"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["assistant", "min_confidence", "id"], name="conversation_least_certain"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["environment", "-last_event_at", "-id"], name="conversation_of_environment"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("origin", "real"), _negated=True),
                fields=["assistant", "-last_event_at", "-id"],
                name="conversation_not_real",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("handover_at__isnull", False)),
                fields=["assistant", "-last_event_at", "-id"],
                name="conversation_handed_over",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("rejected_count__gt", 0)),
                fields=["assistant", "-last_event_at", "-id"],
                name="conversation_rejected",
            ),
        ),
        migrations.AddField(
            model_name="savedfilter",
            name="assistant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="saved_filters", to="models_app.assistant"
            ),
        ),
        migrations.AddField(
            model_name="savedfilter",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="saved_filters", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True,
                fields=["first_event_at", "last_event_at"],
                name="conversation_times",
                pages_per_range=32,
            ),
        ),
        migrations.AddIndex(
            model_name="searchentry",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["terms"], gin_pending_list_limit=512, name="search_entry_terms"
            ),
        ),
        migrations.AddIndex(
            model_name="searchentry",
            index=models.Index(fields=["day"], name="conversatio_day_247977_idx"),
        ),
        migrations.AddField(
            model_name="term",
            name="assistant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="models_app.assistant"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedfilter",
            constraint=models.UniqueConstraint(fields=("assistant", "owner", "name"), name="saved_filter_name"),
        ),
        migrations.AddConstraint(
            model_name="term",
            constraint=models.UniqueConstraint(fields=("assistant", "kind", "value"), name="term_once"),
        ),
        migrations.RunSQL(TRIGGER, FORMER_TRIGGER),
        migrations.RunSQL(WITH_ANY_TERM, NO_WITH_ANY_TERM),
        migrations.RunSQL(STATISTICS, migrations.RunSQL.noop),
    ]
