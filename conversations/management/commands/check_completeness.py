"""`manage.py check_completeness`: compare an environment's events with what its Rasa server remembers."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.management.commands.import_events import environment_named
from conversations.models import CompletenessRun
from conversations.presentation.completeness import share_of
from conversations.services import repair
from conversations.services.completeness import request_check
from studio.command import BaseCommand
from studio.errors import DomainError

SLICE_SECONDS = 5.0


class Command(BaseCommand):
    help = "Compare an environment's events with its Rasa server's, and with --repair store those that are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--assistant", default="default")
        parser.add_argument("--environment", default="production")
        parser.add_argument("--days", type=float, help="only what was said in so many days; everything when left out")
        parser.add_argument("--sample", type=int, help="as many conversations, drawn by chance; all when left out")
        parser.add_argument("--repair", action="store_true", help="store the events that are missing here")

    def handle(self, *args: Any, **options: Any) -> None:
        environment = environment_named(options["assistant"], options["environment"])
        days: float | None = options["days"]
        try:
            run = request_check(
                actor=None,
                environment=environment,
                since=None if days is None else time.time() - days * 86400,
                sample=options["sample"],
                repairs=options["repair"],
                label="a command",
            )
        except DomainError as error:
            raise CommandError(error.message) from None
        self._follow(run)

    def _follow(self, run: CompletenessRun) -> None:
        """Here, or behind a background worker that was quicker."""
        while not run.is_ended:
            if not repair.work(run.pk, seconds=SLICE_SECONDS):
                time.sleep(0.2)
            run.refresh_from_db()
            self.stdout.write(f"{run.conversations_compared:,} of {run.conversations_total:,} conversations compared")
            self.stdout.flush()
        if run.state != CompletenessRun.State.DONE:
            raise CommandError(run.message)
        self.stdout.write(
            f"{share_of(run)}: {run.events_missing:,} of {run.events_there:,} events are missing here, "
            f"{run.events_extra:,} are here alone, {run.events_added:,} were stored."
        )
