"""`manage.py rotate_keys`: encrypt all stored secrets with the first of PARLEY_ENCRYPTION_KEYS."""

from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from studio import rotation
from studio.audit.actions import Action
from studio.audit.services import record
from studio.command import BaseCommand


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first of PARLEY_ENCRYPTION_KEYS. Can be interrupted and run again."

    def handle(self, *args: Any, **options: Any) -> None:
        counts = []
        for count in rotation.rotate():
            self.stdout.write(f"{count.column}: {count.rotated} encrypted anew, {count.current} were already")
            counts.append(count)
        rotated, lost = sum(count.rotated for count in counts), sum(count.lost for count in counts)
        with transaction.atomic():
            record(None, Action.KEYS_ROTATED, after={"secrets": rotated, "lost": lost})
        if lost:
            columns = ", ".join(f"{count.column} ({count.lost})" for count in counts if count.lost)
            raise CommandError(f"No key of PARLEY_ENCRYPTION_KEYS opens {lost} secrets: {columns}. Add the lost key.")
        self.stdout.write(f"{rotated} secrets were encrypted anew. Keys after the first are not needed any more.")
