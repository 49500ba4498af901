"""The provider of single sign-on has another address: keep everybody who they are."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from studio.access.services.single_sign_on import move_issuer
from studio.command import BaseCommand
from studio.errors import DomainError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("old", help="PARLEY_OIDC_ISSUER as it was")
        parser.add_argument("new", help="PARLEY_OIDC_ISSUER as it is now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = move_issuer(old=options["old"], new=options["new"])
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"{count} {'person is' if count == 1 else 'people are'} known under the new address.")
