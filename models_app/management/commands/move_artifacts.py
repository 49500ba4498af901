"""`manage.py move_artifacts`: from a folder to a bucket or back, while Parley works on."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from models_app.management.progress import Teller, line_of
from models_app.services.moving import Outcome, Progress, look_ahead, move_artifacts
from models_app.storage import MovingStore, StoreFailed, store
from studio.command import BaseCommand
from studio.errors import Conflict
from studio.web.formats import size

UNSET = (
    "PARLEY_ARTIFACTS_MOVE is not set. Set it to to-s3 or from-s3 for every process of Parley, start them anew, and "
    "run this again: docs/artifacts.md."
)


class Command(BaseCommand):
    help = "Bring all models from the old artifact store to the new one. May be stopped and run again: it goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be moved")
        parser.add_argument(
            "--delete-source",
            action="store_true",
            help="delete from the old store what was read back from the new one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stores = store()
        if not isinstance(stores, MovingStore):
            raise CommandError(UNSET)
        self.stdout.write(f"From {stores.old.label}\nto {stores.new.label}")
        try:
            self._handle(stores, options)
        except Conflict as error:
            raise CommandError(error.message) from error
        except StoreFailed as error:
            raise CommandError(f"{error.message} What was moved stays moved; run this again to go on.") from error

    def _handle(self, stores: MovingStore, options: dict[str, Any]) -> None:
        delete_source: bool = options["delete_source"]
        if options["dry_run"]:
            self._look_ahead(look_ahead(stores), delete_source=delete_source)
        else:
            self._tell(move_artifacts(stores, delete_source=delete_source, tell=self._teller()))

    def _teller(self) -> Callable[[Progress], None]:
        tell, began = Teller(self.stdout.write), time.monotonic()

        def say(now: Progress) -> None:
            tell(lambda: _line(now, time.monotonic() - began))

        return say

    def _look_ahead(self, found: Outcome, *, delete_source: bool) -> None:
        self.stdout.write(f"{found.total} artifacts, {size(found.total_bytes)}.")
        self.stdout.write(f"{found.there} are moved and read back already.")
        self.stdout.write(f"{found.moved} would be moved, {size(found.moved_bytes)}.")
        if delete_source:
            self.stdout.write(f"{found.deleted} would be deleted from the old store, {size(found.deleted_bytes)}.")
        self._name("is in neither store", found.missing)

    def _tell(self, done: Outcome) -> None:
        self.stdout.write(f"{done.moved} moved, {size(done.moved_bytes)}; {done.there} had been moved before.")
        if done.deleted:
            self.stdout.write(f"{done.deleted} deleted from the old store, {size(done.deleted_bytes)}.")
        self._name("is in neither store", done.missing)
        self._name("is damaged", done.damaged)
        if left := len(done.missing) + len(done.damaged):
            raise CommandError(
                f"{left} of {done.total} could not be moved. verify_artifacts names their models, and says what to do.",
                returncode=2,
            )
        self.stdout.write("All are in the new store. Take PARLEY_ARTIFACTS_MOVE away and start all processes anew.")

    def _name(self, what: str, names: list[str]) -> None:
        for sha256 in names:
            self.stderr.write(f"{sha256} {what}")


def _line(now: Progress, seconds: float) -> str:
    return line_of(
        now.done, now.total, now.done_bytes, now.total_bytes, seconds, known_bytes=now.known_bytes, step=now.step
    )
