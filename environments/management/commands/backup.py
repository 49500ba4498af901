"""`manage.py backup`: the database and all models, to a folder or a bucket, while Parley works."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from models_app.backup.making import make_backup
from models_app.backup.manifest import Manifest
from models_app.backup.places import place_at
from models_app.management.progress import teller
from models_app.storage import StoreFailed
from studio.command import BaseCommand
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
            self._tell(make_backup(place, tell=teller(self.stdout.write)))
        except StoreFailed as error:
            raise CommandError(f"{error.message} What was copied stays; run this again to go on.") from error
        except OSError as error:
            raise CommandError(f"{error}. What was copied stays; mend that, and run this again to go on.") from error
        except DomainError as error:
            raise CommandError(error.message) from error

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
