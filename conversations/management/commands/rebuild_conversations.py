"""`manage.py rebuild_conversations`: make every fact and count of conversations again from their events, or compare."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.services.rebuild import Difference, rebuild_conversations
from conversations.services.recount import CountDifference, recount
from models_app.models import Assistant
from studio.command import BaseCommand

MOST_SHOWN = 100  # differences


class Command(BaseCommand):
    help = "Make the facts and counts of conversations again from their events; safe while ingestion goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--assistant", help="address (slug) of one assistant; all of them when left out")
        parser.add_argument("--check", action="store_true", help="change nothing, show what differs; fails if anything")

    def handle(self, *args: Any, **options: Any) -> None:
        slug: str | None = options["assistant"]
        assistant = Assistant.objects.current().filter(slug=slug).first() if slug else None
        if slug and assistant is None:
            raise CommandError(f"There is no assistant called {slug}.")
        check: bool = options["check"]
        found = self._go_through(assistant, check=check)
        counts = sum(self._count(one, check=check) for one in ([assistant] if assistant else Assistant.objects.all()))
        if check and (found or counts):
            raise CommandError(f"{found} facts of conversations and {counts} counts are not what their events say.")

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

    def _count(self, assistant: Assistant, *, check: bool) -> int:
        """The counts of hours, which the analytics page adds up."""
        differences: list[CountDifference] = []
        for one in recount(assistant, check=check):
            differences = one.differences
            self.stdout.write(f"{assistant.slug}: {one.done} conversations counted")
        for difference in differences[:MOST_SHOWN]:
            self.stdout.write(_count_line(difference))
        self.stdout.write(f"{assistant.slug}: {len(differences)} counts differed.")
        return len(differences)


def _count_line(one: CountDifference) -> str:
    _, hour, *place = one.key
    at = datetime.fromtimestamp(int(str(hour)) * 3600, UTC)
    return f"hour {at:%Y-%m-%d %H}h {place}: {one.name} is {abs(one.by)} too {'few' if one.by > 0 else 'many'}"


def _line(one: Difference) -> str:
    whose = f"conversation {one.conversation} ({one.sender_id[:60]!r})"
    return f"{whose}: {one.column} is {one.live!r}, not {one.rebuilt!r}"
