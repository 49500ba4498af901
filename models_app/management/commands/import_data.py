"""`manage.py import_data <folder or zip>`: a project of the command line becomes the next revision."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from models_app.data.check import check
from models_app.data.project import Project, ProjectError, read_folder, read_zip
from models_app.models import Assistant
from models_app.services.assistants import DEFAULT_SLUG
from models_app.services.editing import refuse_nested
from models_app.services.revisions import changed_paths, newest_revision, save_revision
from studio.command import BaseCommand
from studio.errors import DomainError

LABEL = "manage.py import_data"


class Command(BaseCommand):
    help = "Import a project (domain, config, data, tests, packages of its pipeline) as the next revision."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, help="the project's folder, or a zip of it")
        parser.add_argument("--assistant", default=DEFAULT_SLUG, help="slug of the assistant")
        parser.add_argument("--message", default="", help="what changes, and why")

    def handle(self, *args: Any, **options: Any) -> None:
        assistant = Assistant.objects.current().filter(slug=options["assistant"]).first()
        if assistant is None:
            raise CommandError(f"There is no assistant with the slug {options['assistant']}.")
        source: Path = options["source"]
        project = _read(source)
        self._refuse_unreadable(project)
        before = newest_revision(assistant)
        try:
            refuse_nested(project.files)
            revision = save_revision(
                actor=None,
                assistant=assistant,
                files=dict(project.files),
                message=options["message"] or f"Import {source.resolve().name}",
                parent_number=before.number if before else None,
                author_label=LABEL,
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        for path in project.left_out:
            self.stdout.write(f"left out: {path}")
        if revision == before:
            self.stdout.write(f"The same as revision {revision.number}; nothing changed.")
            return
        changed = len(changed_paths(before, revision))
        self.stdout.write(f"Revision {revision.number}: {len(project.files)} files, {changed} changed.")

    def _refuse_unreadable(self, project: Project) -> None:
        report = check(project.files)
        for problem in report.problems:
            self.stderr.write(f"{problem.severity}: {problem}")
        if any(problem.path for problem in report.errors):
            raise CommandError("Nothing was imported: Rasa could not read these files.", returncode=2)


def _read(source: Path) -> Project:
    try:
        if source.is_file():
            with source.open("rb") as stream:
                return read_zip(stream)
        return read_folder(source)
    except ProjectError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror or error}.") from error
