"""`manage.py rebuild_conversations`: make every fact of conversations again from their events, or compare."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.services.rebuild import Difference, rebuild_conversations
from models_app.models import Assistant

MOST_SHOWN = 100  # differences


class Command(BaseCommand):
    help = "Make the facts of conversations again from their events; safe while ingestion goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--assistant", help="address (slug) of one assistant; all of them when left out")
        parser.add_argument("--check", action="store_true", help="change nothing, show what differs; fails if anything")

    def handle(self, *args: Any, **options: Any) -> None:
        slug: str | None = options["assistant"]
        assistant = Assistant.objects.current().filter(slug=slug).first() if slug else None
        if slug and assistant is None:
            raise CommandError(f"There is no assistant called {slug}.")
        found = self._go_through(assistant, check=options["check"])
        if found and options["check"]:
            raise CommandError(f"{found} facts of conversations are not what their events say.")

    def _go_through(self, assistant: Assistant | None, *, check: bool) -> int:
        done = found = 0
        for one in rebuild_conversations(assistant, check=check):
            done = one.done
            for difference in one.differences[: max(0, MOST_SHOWN - found)]:
                self.stdout.write(_line(difference))
            found += len(one.differences)
            self.stdout.write(f"{done} conversations {'compared' if check else 'rebuilt'}")
        self.stdout.write("Nothing to rebuild." if done == 0 else f"Done: {found} facts differed.")
        return found


def _line(one: Difference) -> str:
    whose = f"conversation {one.conversation} ({one.sender_id[:60]!r})"
    return f"{whose}: {one.column} is {one.live!r}, not {one.rebuilt!r}"
