"""`manage.py prepare`: all that has to be done before the first request; run at every start."""

import io
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Update the database, collect static files, make the first account, apply declared environments."
    # migrate runs the checks that matter before there are tables; here they would only run twice.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """One process for all of it: starting Django takes longer than most of the steps.

        The last line of its output is bootstrap's JSON; those before it say how far it is.
        """
        self.stdout.write("updating the database")
        call_command("migrate", interactive=False, stdout=self.stdout)
        self.stdout.write("collecting static files")
        call_command("collectstatic", interactive=False, verbosity=0)
        self.stdout.write("checking the first account")
        facts = io.StringIO()
        call_command("bootstrap", json=True, stdout=facts)
        if settings.ENVIRONMENTS_FILE:
            self.stdout.write("applying the declared environments")
            call_command("apply_environments", stdout=self.stdout)
        self.stdout.write(facts.getvalue().strip())
