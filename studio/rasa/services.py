"""The Rasa runtime of this installation: what its row says, and the wish to have it installed."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict
from studio.rasa.models import RasaRuntime
from studio.rasa.runtime import Runtime, Runtimes

State = RasaRuntime.State


def runtimes() -> Runtimes:
    return Runtimes(settings.RASA_DIR, settings.RASA_PYTHON)


def find_runtime() -> Runtime | None:
    """The runtime that trains and serves here, or None while it is not installed."""
    return runtimes().find(settings.RASA_VERSION)


def current_runtime() -> RasaRuntime:
    """The row of the version that the settings name."""
    row, _made = RasaRuntime.objects.get_or_create(version=settings.RASA_VERSION)
    return row


@transaction.atomic
def request_install(*, actor: User | None) -> RasaRuntime:
    """Ask for the runtime; the controller installs it and writes into the row how far it is."""
    row = current_runtime()
    asked = RasaRuntime.objects.filter(pk=row.pk, state__in=[State.MISSING, State.FAILED]).update(
        state=State.WANTED, step="", done=0, total=0, message="", mend="", changed_at=timezone.now()
    )
    if not asked:
        raise Conflict(f"{row} is {row.get_state_display()}.")
    record(actor, Action.RASA_INSTALL_REQUESTED, row)
    row.refresh_from_db()
    return row
