"""When the event of a rated reply is looked for next, so that those which never come hold up no other."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0027_rated_conversations'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='rating',
            name='rating_waits',
        ),
        migrations.AddField(
            model_name='rating',
            name='look_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL('UPDATE conversations_rating SET look_at = at WHERE event_id IS NULL', migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='rating',
            index=models.Index(condition=models.Q(('event', None)), fields=['look_at'], name='rating_waits'),
        ),
    ]
