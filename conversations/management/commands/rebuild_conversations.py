"""`manage.py rebuild_conversations`: make every counter of conversations again from their events."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.services.rebuild import rebuild_conversations
from models_app.models import Assistant


class Command(BaseCommand):
    help = "Make the counters of conversations again from their events; safe while ingestion goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--assistant", help="address (slug) of one assistant; all of them when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        slug: str | None = options["assistant"]
        assistant = Assistant.objects.current().filter(slug=slug).first() if slug else None
        if slug and assistant is None:
            raise CommandError(f"There is no assistant called {slug}.")
        done = 0
        for done in rebuild_conversations(assistant):
            self.stdout.write(f"{done} conversations rebuilt")
        self.stdout.write("Nothing to rebuild." if done == 0 else "Done.")
