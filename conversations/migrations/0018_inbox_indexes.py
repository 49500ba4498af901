"""What the message inbox reads. Built while others write, so outside of a transaction."""

import django.db.models.expressions
import django.db.models.functions.math
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0017_corrections'),
        ('environments', '0003_replica_claims'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(models.F('environment'), django.db.models.functions.math.Floor(django.db.models.expressions.CombinedExpression(models.F('timestamp'), '/', models.Value(86400.0))), models.Case(models.When(name='nlu_fallback', then=models.Value(0.0)), default=models.F('confidence')), models.OrderBy(models.F('id'), descending=True), models.F('name'), models.F('model_id'), condition=models.Q(('is_looked_at', False), ('kind', 'user'), models.Q(('text', ''), _negated=True), models.Q(('text__startswith', '/'), _negated=True), models.Q(('confidence__lt', 0.8), ('name', 'nlu_fallback'), _connector='OR')), name='inbox_by_day'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(models.F('environment'), models.Func(models.F('text'), function='hashtext', output_field=models.IntegerField()), condition=models.Q(('is_looked_at', False), ('kind', 'user'), models.Q(('text', ''), _negated=True), models.Q(('text__startswith', '/'), _negated=True), models.Q(('confidence__lt', 0.8), ('name', 'nlu_fallback'), _connector='OR')), name='inbox_same_words'),
        ),
    ]
