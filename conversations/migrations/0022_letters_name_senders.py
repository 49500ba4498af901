"""Dead letters that are there already learn whom they name, so that erasing somebody finds them."""

from itertools import islice

from django.db import migrations

AT_ONCE = 100  # each may be megabytes


def name_senders(apps, schema_editor):
    from conversations.ingest.whose import keys_named

    letters = apps.get_model("conversations", "DeadLetter").objects
    rows = letters.filter(sender_keys=[]).only("pk", "record", "edited").iterator(chunk_size=AT_ONCE)
    while chunk := list(islice(rows, AT_ONCE)):
        for letter in chunk:
            letter.sender_keys = keys_named(letter.record, letter.edited)
        letters.bulk_update(chunk, ["sender_keys"])


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0021_erasure_and_exports'),
    ]

    operations = [
        migrations.RunPython(name_senders, migrations.RunPython.noop),
    ]
