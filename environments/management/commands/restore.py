"""`manage.py restore`: bring a backup back, here or elsewhere."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.services.restored import make_roles
from models_app.backup.manifest import Manifest
from models_app.backup.places import place_at
from models_app.backup.restoring import restore
from models_app.management.progress import teller
from models_app.storage import StoreFailed
from studio import rotation
from studio.errors import DomainError


class Command(BaseCommand):
    help = "Bring a backup back. Checks all of it first; safe to repeat. Stop every process of Parley before."
    requires_system_checks = []  # they ask the database, which may be empty

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="from", help="the folder or s3://bucket/name that backup was given")
        parser.add_argument("--replace", action="store_true", help="delete what is in the database now")
        parser.add_argument(
            "--same-store", action="store_true", help="the artifact store's files are of no other Parley"
        )
        parser.add_argument("--other-keys", action="store_true", help="go on although the keys do not fit")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            place = place_at(options["source"])
            self.stdout.write(f"From {place.label}")
            found = restore(
                place,
                replaces=options["replace"],
                other_keys=options["other_keys"],
                same_store=options["same_store"],
                tell=teller(self.stdout.write),
            )
        except StoreFailed as error:
            raise CommandError(f"{error.message} The database is as it was; run this again to go on.") from error
        except OSError as error:
            raise CommandError(f"{error}. The database is as it was; mend that, and run this again.") from error
        except DomainError as error:
            raise CommandError(error.message) from error
        call_command("migrate", interactive=False, verbosity=0)
        self._tell(found)

    def _tell(self, found: Manifest) -> None:
        """Also what only the restored rows can tell."""
        rows = sum(found.rows.values())
        self.stdout.write(f"{len(found.artifacts)} files of models and {rows} rows are here, as of {found.made_at}.")
        made, waiting = make_roles()
        if made:
            self.stdout.write(f"{made} environments have their roles in PostgreSQL.")
        for name in waiting:
            self.stderr.write(f"{name}: its page prints the SQL that an administrator of PostgreSQL has to run.")
        for sha256 in found.missing:
            self.stderr.write(f"{sha256} was lost before the backup was made: upload the same file again.")
        if lost := rotation.lost_ones():
            self.stderr.write(f"{lost} stored secrets cannot be opened with PARLEY_ENCRYPTION_KEYS: enter them anew.")
        self.stdout.write("Start all processes. What happened since then is in Kafka, or in your Rasa servers.")
