"""The base of our management commands."""

from django.core.checks import Tags
from django.core.management import base


class BaseCommand(base.BaseCommand):
    """Django's, that starts in half the time: of the checks it runs those of security, which refuse unsafe settings.

    The others look at code, not at an installation, and load every page of the web for it. `manage.py check` runs all.
    """

    requires_system_checks = (Tags.security,)
