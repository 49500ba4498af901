"""`manage.py backup`: the database and all models, to a folder or a bucket, while Parley works."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from models_app.backup.making import Progress, make_backup
from models_app.backup.manifest import Manifest
from models_app.backup.places import place_at
from models_app.management.progress import Teller, line_of
from models_app.storage import StoreFailed
from studio.errors import DomainError
from studio.web.formats import size


class Command(BaseCommand):
    help = "Back the database and all models up. Never overwrites; one that was killed goes on at the same place."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("to", help="a folder that is new or empty, or s3://bucket/name-of-the-backup")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            place = place_at(options["to"])
            self.stdout.write(f"To {place.label}")
            self._tell(make_backup(place, tell=self._teller()))
        except StoreFailed as error:
            raise CommandError(f"{error.message} What was copied stays; run this again to go on.") from error
        except OSError as error:
            raise CommandError(f"{error}. What was copied stays; mend that, and run this again to go on.") from error
        except DomainError as error:
            raise CommandError(error.message) from error

    def _teller(self) -> Callable[[Progress], None]:
        tell, began = Teller(self.stdout.write), time.monotonic()

        def say(now: Progress) -> None:
            tell(lambda: line(now.step, now.done, now.total, now.done_bytes, now.total_bytes, time.monotonic() - began))

        return say

    def _tell(self, made: Manifest) -> None:
        rows = f"{sum(made.rows.values())} rows of {len(made.rows)} tables"
        self.stdout.write(f"{len(made.artifacts)} files of models and {rows}, {size(made.size)}, as of {made.made_at}.")
        self.stdout.write("It holds no keys: keep PARLEY_SECRET_KEY and PARLEY_ENCRYPTION_KEYS in another safe place.")
        for sha256 in made.missing:
            self.stderr.write(f"{sha256} is missing or damaged in the artifact store, and so not in the backup.")
        if made.missing:
            raise CommandError(
                f"The backup is made, without {len(made.missing)} files that the store has lost: "
                "manage.py verify_artifacts names their models, and says what to do.",
                returncode=2,
            )


def line(step: str, done: int, total: int, done_bytes: int, total_bytes: int, seconds: float) -> str:
    """`models: 12 of 40, …`; of a database nobody knows the size before its end."""
    if not total:
        return f"{step}: {size(done_bytes)}"
    return f"{step}: {line_of(done, total, done_bytes, total_bytes, seconds)}"
