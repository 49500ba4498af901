"""What the message inbox reads. Built while others write, so outside of a transaction."""

import django.db.models.expressions
import django.db.models.functions.math
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('conversations', '0017_corrections'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(models.F('environment'), django.db.models.functions.math.Floor(django.db.models.expressions.CombinedExpression(models.F('timestamp'), '/', models.Value(86400.0))), models.Case(models.When(name='nlu_fallback', then=models.Value(0.0)), default=models.F('confidence')), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('is_looked_at', False), ('kind', 'user'), models.Q(('text', ''), _negated=True), models.Q(('text__startswith', '/'), _negated=True), models.Q(('confidence__lt', 0.8), ('name', 'nlu_fallback'), _connector='OR')), name='inbox_by_day'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(models.F('environment'), models.F('name'), django.db.models.functions.math.Floor(django.db.models.expressions.CombinedExpression(models.F('timestamp'), '/', models.Value(86400.0))), models.Case(models.When(name='nlu_fallback', then=models.Value(0.0)), default=models.F('confidence')), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('is_looked_at', False), ('kind', 'user'), models.Q(('text', ''), _negated=True), models.Q(('text__startswith', '/'), _negated=True), models.Q(('confidence__lt', 0.8), ('name', 'nlu_fallback'), _connector='OR')), name='inbox_by_intent'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(models.F('environment'), models.F('model_id'), django.db.models.functions.math.Floor(django.db.models.expressions.CombinedExpression(models.F('timestamp'), '/', models.Value(86400.0))), models.Case(models.When(name='nlu_fallback', then=models.Value(0.0)), default=models.F('confidence')), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('is_looked_at', False), ('kind', 'user'), models.Q(('text', ''), _negated=True), models.Q(('text__startswith', '/'), _negated=True), models.Q(('confidence__lt', 0.8), ('name', 'nlu_fallback'), _connector='OR')), name='inbox_by_model'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(models.F('environment'), django.db.models.functions.text.Left('text', 60), condition=models.Q(('is_looked_at', False), ('kind', 'user'), models.Q(('text', ''), _negated=True), models.Q(('text__startswith', '/'), _negated=True), models.Q(('confidence__lt', 0.8), ('name', 'nlu_fallback'), _connector='OR')), name='inbox_same_words'),
        ),
    ]
