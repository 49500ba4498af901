"""`manage.py rasa_versions`: the Rasa versions of this installation; `--remove` takes one away."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from studio.command import BaseCommand
from studio.errors import DomainError
from studio.jobs.heartbeat import live
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.presentation import Line, lines, what_becomes_free
from studio.rasa.services import current_runtime, request_removal
from studio.rasa.uses import spoken
from studio.web import formats

HEAD = ("RASA", "STATE", "PYTHON", "LOADS MODELS OF", "ON DISK", "MODELS", "USED BY")


class Command(BaseCommand):
    help = "List the Rasa versions of this installation, or remove one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", metavar="VERSION", help="remove this one; refused while anything uses it")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"]:
            self._remove(options["remove"])
            return
        current_runtime()
        table = [HEAD, *(_cells(line) for line in lines())]
        widths = [max(len(cells[at]) for cells in table) for at in range(len(HEAD))]
        for cells in table:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())

    def _remove(self, name: str) -> None:
        row = RasaRuntime.objects.filter(version=name).first()
        if row is None:
            raise CommandError(f"There is no Rasa {name} here. “manage.py rasa_versions” lists them.")
        try:
            removed = request_removal(actor=None, row=row)
        except DomainError as error:
            raise CommandError(error.message) from error
        if live("controller") == 0:
            Installer().do_now(removed)
        self.stdout.write(f"{row} is being removed. {what_becomes_free(row)}")


def _cells(line: Line) -> tuple[str, ...]:
    row = line.row
    notes = ["default"] * line.is_default + ["own"] * row.own + [row.release] * bool(row.own and row.release)
    name = f"{row.version} ({', '.join(notes)})" if notes else row.version
    return (
        name,
        line.word.lower(),
        row.python or "-",
        row.minimum_compatible_version or "-",
        "-" if row.size is None else formats.size(row.size),
        str(line.models),
        spoken(line.uses) or "-",
    )
