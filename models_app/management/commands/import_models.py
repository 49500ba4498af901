"""`manage.py import_models <folder>`: take over a team's existing `models/` directory."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from models_app.models import Assistant, Model
from models_app.services.assistants import DEFAULT_SLUG
from models_app.services.models import SUFFIX, add_model
from studio.command import BaseCommand
from studio.errors import DomainError

LABEL = "manage.py import_models"


class Command(BaseCommand):
    help = "Import every model archive of a folder, oldest first. Those imported already are left as they are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help=f"folder that holds the {SUFFIX} files, as Rasa's models/ does")
        parser.add_argument("--assistant", default=DEFAULT_SLUG, help="slug of the assistant")

    def handle(self, *args: Any, **options: Any) -> None:
        assistant = Assistant.objects.current().filter(slug=options["assistant"]).first()
        if assistant is None:
            raise CommandError(f"There is no assistant with the slug {options['assistant']}.")
        paths = _archives(options["folder"])
        outcomes = [self._import(assistant, path, f"{n}/{len(paths)}") for n, path in enumerate(paths, 1)]
        added, existed, refused = (outcomes.count(outcome) for outcome in ("added", "existed", "refused"))
        self.stdout.write(f"{added} imported, {existed} there already, {refused} refused.")
        if refused:
            raise CommandError(f"{refused} of {len(paths)} files could not be imported.", returncode=2)

    def _import(self, assistant: Assistant, path: Path, place: str) -> str:
        try:
            with path.open("rb") as source:
                added = add_model(
                    actor=None,
                    actor_label=LABEL,
                    assistant=assistant,
                    source=source,
                    file_name=path.name,
                    origin=Model.Origin.IMPORTED,
                )
        except DomainError as error:
            self.stderr.write(f"[{place}] {path.name}: {error.message}")
            return "refused"
        except OSError as error:
            self.stderr.write(f"[{place}] {path.name}: cannot be read: {error.strerror}.")
            return "refused"
        self.stdout.write(f"[{place}] {path.name}: {'there already' if added.existed else 'imported'}.")
        for warning in added.warnings:
            self.stdout.write(f"    {warning}")
        return "existed" if added.existed else "added"


def _archives(folder: Path) -> list[Path]:
    """Oldest first, so that the newest model ends on top of the list."""
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder.")
    found = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: (path.stat().st_mtime, path.name))
    if not found:
        raise CommandError(f"{folder} holds no file whose name ends with {SUFFIX}.")
    return found
