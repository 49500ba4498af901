"""Guests who are in the middle of a chat keep it: their secret moves from the session to a row of their own."""

from django.db import migrations

MOVE = """
INSERT INTO conversations_shareguest
    (link_id, secret_digest, session_id, first_at, last_at, visits_count, messages_count, is_in, language, device,
     is_embedded)
SELECT share_link_id, guest_digest, id, created_at, last_at, 1, 0, true, '', '', false
FROM conversations_talksession WHERE guest_digest IS NOT NULL AND share_link_id IS NOT NULL;
UPDATE conversations_talksession AS session SET guest_id = guest.id
FROM conversations_shareguest AS guest WHERE guest.session_id = session.id;
UPDATE conversations_sharelink AS link SET opened_count = found.count, wrote_count = found.count
FROM (SELECT link_id, count(*) AS count FROM conversations_shareguest GROUP BY link_id) AS found
WHERE link.id = found.link_id;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0025_guests'),
    ]

    operations = [
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
    ]
