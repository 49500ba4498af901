"""How a team connects its own Rasa server: what to put into which file, and a checklist that turns green by itself."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from environments.loaders import load_environment, load_modifiable, may_modify
from environments.models import Environment, Replica
from environments.services.checks import channel_url, check_facts, check_server
from environments.services.database import SqlAccess, ensure_intake, events_access, is_made, sql_for_administrator
from environments.services.overview import overview
from studio.access.loaders import signed_in
from studio.crypto import decrypt
from studio.rasa.files import Database, Env, ModelServer, credentials_yml, endpoints_yml
from studio.web.htmx import HtmxHttpRequest

TOKEN = Env("RASA_X_TOKEN")
EVENTS_PASSWORD = Env("PARLEY_EVENTS_PASSWORD")
START = """PARLEY_REPLICA=$(hostname) rasa run --enable-api --auth-token "$RASA_AUTH_TOKEN" \\
  --endpoints endpoints.yml --credentials credentials.yml"""
RASA_PORT = 5005
_LOCAL = ("//127.0.0.1", "//localhost", "//[::1]")


@require_safe
def connection(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_environment(request, slug, name)
    may_change = may_modify(signed_in(request), environment)
    access = events_access(environment) if is_made(environment) else None
    context = {
        "environment": environment,
        "may_modify": may_change,
        "endpoints": _endpoints(environment, access),
        "credentials": credentials_yml(channel_url=channel_url(environment)),
        "variables": _variables(environment, access, may_see_secrets=may_change),
        "start": START + _port(environment),
        "has_intake": access is not None,
        "administrator_sql": _administrator_sql(environment) if may_change and access is None else "",
        "is_local": settings.INTERNAL_URL.partition(":")[2].startswith(_LOCAL),
        "internal_url": settings.INTERNAL_URL,
        "database_host": access.host if access else "",
        "database_is_local": access is not None and access.host in ("127.0.0.1", "localhost", "::1"),
    }
    return render(request, "environments/connection.html", context)


def _endpoints(environment: Environment, access: SqlAccess | None) -> str:
    base = f"{settings.INTERNAL_URL}/api/projects/{environment.assistant.slug}"
    models = ModelServer(url=f"{base}/models/tags/{environment.name}", token=TOKEN)
    broker = None
    if access is not None:
        broker = Database(access.host, access.port, access.name, access.username, EVENTS_PASSWORD)
    return endpoints_yml(models=models, event_broker=broker)


def _variables(environment: Environment, access: SqlAccess | None, *, may_see_secrets: bool) -> str:
    """For the shell or the container that starts Rasa. Rasa does not start while one of them is unset."""
    secret = "export {}={}".format if may_see_secrets else (lambda name, _value: f"export {name}=…")
    lines = [
        f"export RASA_ENVIRONMENT={environment.name}",
        secret(TOKEN.name, decrypt(environment.model_token_encrypted)),
    ]
    if access is not None:
        lines.append(secret(EVENTS_PASSWORD.name, access.password))
    return "\n".join([*lines, "export RASA_AUTH_TOKEN=  # your own: the server token that you entered here"])


def _port(environment: Environment) -> str:
    """The option for a port of its own; behind https something else listens there."""
    parts = urlsplit(environment.url)
    return f" --port {parts.port}" if parts.scheme == "http" and parts.port not in (None, RASA_PORT) else ""


def _administrator_sql(environment: Environment) -> str:
    """Only once somebody asked for the event table: until then a button offers it."""
    return sql_for_administrator(environment) if environment.database_key else ""


@require_POST
def prepare_events(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Make the table that the server's event broker writes to; without the right to, the page shows the SQL."""
    environment = load_modifiable(request, slug, name)
    if ensure_intake(environment) is None:
        messages.warning(request, "Parley's database role may not make roles. Let an administrator run the SQL below.")
    else:
        messages.success(request, "The event table is ready. Add its block to endpoints.yml.")
    return redirect("environments:connection", slug=slug, name=name)


@require_safe
def checks(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """The checklist, which asks for itself again; it calls the server and may take seconds."""
    environment = load_environment(request, slug, name)
    server = check_server(environment)
    environment.refresh_from_db()
    replicas = list(Replica.objects.filter(environment=environment))
    found = [*server, *check_facts(overview(environment), replicas)]
    context = {"environment": environment, "checks": found, "all_good": all(check.is_good for check in found)}
    return render(request, "environments/_checks.html", context)
