"""What people wish of the Rasa servers that we run. The controller reads these rows and makes it so."""

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from environments.models import Environment, ManagedServer
from environments.services.database import ensure_intake
from environments.services.environments import lock
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict


@transaction.atomic
def run_here(*, actor: User | None, environment: Environment) -> ManagedServer:
    """Let our controller run this environment's Rasa; one that the team ran before is no longer asked."""
    row = lock(actor, environment)
    if row.kind == Environment.Kind.MANAGED:
        raise Conflict(f"{row.name} is run here already.")
    before = {"kind": row.kind, "url": row.url}
    Environment.objects.filter(pk=row.pk).update(kind=Environment.Kind.MANAGED, url="", server_token_encrypted=b"")
    ensure_intake(row)
    server, _made = ManagedServer.objects.update_or_create(
        environment=row, defaults={"wanted": True, "failures": 0, "retry_at": None}
    )
    record(
        actor,
        Action.ENVIRONMENT_CHANGED,
        row,
        assistant_id=row.assistant_id,
        before=before,
        after={"kind": Environment.Kind.MANAGED, "url": ""},
    )
    environment.refresh_from_db()
    return server


@transaction.atomic
def start_server(*, actor: User | None, environment: Environment) -> None:
    """Also ends the pause after a crash: who presses Start wants it now."""
    server = _locked(actor, environment)
    if server.wanted and server.retry_at is None:
        raise Conflict(f"The server of {environment.name} is started already.")
    server.wanted, server.failures, server.retry_at = True, 0, None
    server.save(update_fields=["wanted", "failures", "retry_at"])
    record(actor, Action.SERVER_STARTED, environment, assistant_id=environment.assistant_id)


@transaction.atomic
def stop_server(*, actor: User | None, environment: Environment) -> None:
    server = _locked(actor, environment)
    if not server.wanted:
        raise Conflict(f"The server of {environment.name} is stopped already.")
    server.wanted = False
    server.save(update_fields=["wanted"])
    record(actor, Action.SERVER_STOPPED, environment, assistant_id=environment.assistant_id)


@transaction.atomic
def restart_server(*, actor: User | None, environment: Environment) -> None:
    """A fresh process with fresh files; starts it when it was stopped."""
    server = _locked(actor, environment)
    server.wanted, server.failures, server.retry_at = True, 0, None
    server.restart_requested_at = timezone.now()
    server.save(update_fields=["wanted", "failures", "retry_at", "restart_requested_at"])
    record(actor, Action.SERVER_RESTARTED, environment, assistant_id=environment.assistant_id)


def folder_of(environment: Environment) -> Path:
    """Where the server of a managed environment runs; named by a key that no renaming changes."""
    return Path(settings.SERVERS_DIR) / str(environment.pk)


def log_path(environment: Environment) -> Path:
    return folder_of(environment) / "rasa.log"


def _locked(actor: User | None, environment: Environment) -> ManagedServer:
    row = lock(actor, environment)
    server = ManagedServer.objects.select_for_update().filter(environment=row).first()
    if server is None or row.kind != Environment.Kind.MANAGED:
        raise Conflict(f"No server runs here for {environment.name}.")
    return server
