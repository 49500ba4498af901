"""`manage.py verify_artifacts`: is every model's file what it was when it came?"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from models_app.management.progress import Teller, line_of
from models_app.models import Artifact
from models_app.services.verifying import Outcome, Progress, models_of, verify_artifacts
from models_app.storage import StoreFailed
from studio.command import BaseCommand
from studio.errors import Conflict
from studio.web.formats import size

WHAT_TO_DO = {
    Artifact.Problem.MISSING: "is missing. Upload the same file again under the same name, or delete the model.",
    Artifact.Problem.DAMAGED: "is damaged. Upload the same file again under the same name, which replaces it, or "
    "delete the model.",
}


class Command(BaseCommand):
    help = "Read and hash every model's file; says which are missing or damaged, and fails when any is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--skip-hours",
            type=float,
            default=0,
            metavar="N",
            help="leave out what was found whole in the last N hours: goes on where a run was stopped",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        hours: float = options["skip_hours"]
        since = timezone.now() - timedelta(hours=hours) if hours > 0 else None
        try:
            outcome = verify_artifacts(since=since, tell=self._teller())
        except Conflict as error:
            raise CommandError(error.message) from error
        except StoreFailed as error:
            raise CommandError(f"{error.message} Run this again with --skip-hours to go on.") from error
        self._tell(outcome)

    def _teller(self) -> Callable[[Progress], None]:
        tell, began = Teller(self.stdout.write), time.monotonic()

        def say(now: Progress) -> None:
            tell(lambda: line_of(now.done, now.total, now.done_bytes, now.total_bytes, time.monotonic() - began))

        return say

    def _tell(self, found: Outcome) -> None:
        left_out = f"; {found.left_out} left out, found whole lately" if found.left_out else ""
        self.stdout.write(f"{found.whole} are whole, {size(found.whole_bytes)}{left_out}.")
        for sha256 in found.strays:
            self.stdout.write(f"{sha256} belongs to no model. The schedule deletes it within ten minutes.")
        for sha256, problem in found.problems.items():
            self.stderr.write(f"{sha256} {WHAT_TO_DO[Artifact.Problem(problem)]}")
            for model in models_of(sha256):
                tags = ", ".join(tag.name for tag in model.tags.all())
                self.stderr.write(f"    {model.assistant.slug}: {model.name}{f' ({tags})' if tags else ''}")
        if found.problems:
            raise CommandError(f"{len(found.problems)} artifacts are not whole.", returncode=2)
