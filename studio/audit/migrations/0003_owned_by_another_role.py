"""The application may read the audit table and add to it, and nothing else: another role owns it."""

from django.db import migrations

from studio.audit.ownership import hand_over, open_for_change

REFUSE_TRUNCATE = """
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL(REFUSE_TRUNCATE, "DROP TRIGGER audit_no_truncate ON audit_auditevent"),
        migrations.RunPython(hand_over, open_for_change),
    ]
