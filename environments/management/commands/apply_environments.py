"""`manage.py apply_environments`: environments as PARLEY_ENVIRONMENTS or a given file declares them."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from environments.services.declared import apply, read_file
from studio.command import BaseCommand
from studio.errors import DomainError


class Command(BaseCommand):
    help = "Add and update the environments that a file declares; never removes one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="the file; PARLEY_ENVIRONMENTS when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["file"] or settings.ENVIRONMENTS_FILE
        if not named:
            raise CommandError("Name a file, or set PARLEY_ENVIRONMENTS.")
        try:
            lines = apply(actor=None, declarations=read_file(Path(named)))
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write("\n".join(lines))
