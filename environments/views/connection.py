"""How a team connects its own Rasa server: what to put into which file, and a checklist that turns green by itself."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from environments.loaders import load_environment, load_modifiable
from environments.models import Environment
from environments.rights import may_modify
from environments.services.checks import checklist
from environments.services.connecting import connection_of
from environments.services.database import ensure_intake, sql_for_administrator
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.htmx import HtmxHttpRequest

_LOCAL = ("//127.0.0.1", "//localhost", "//[::1]")


@require_safe
def connection(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_environment(request, slug, name)
    may_change = may_modify(signed_in(request), environment)
    found = connection_of(environment, request.GET.get("broker", ""), may_see_secrets=may_change)
    access = found.access
    context = {
        "environment": environment,
        "may_modify": may_change,
        "endpoints": found.endpoints,
        "tabs": found.tabs,
        "chosen": found.chosen,
        "broker": found.broker,
        "credentials": found.credentials,
        "variables": found.variables,
        "start": found.start,
        "has_intake": access is not None,
        "may_see_intake": _may_see_intake(request, environment),
        "administrator_sql": _administrator_sql(environment) if may_change and access is None else "",
        "is_local": settings.INTERNAL_URL.partition(":")[2].startswith(_LOCAL),
        "internal_url": settings.INTERNAL_URL,
        "database_host": access.host if access else "",
        "database_is_local": access is not None and access.host in ("127.0.0.1", "localhost", "::1"),
    }
    return render(request, "environments/connection.html", context)


def _may_see_intake(request: HttpRequest, environment: Environment) -> bool:
    return signed_in(request).may(Permission.ENVIRONMENTS_VIEW, Scope(environment.assistant_id))


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
    found = checklist(environment)
    context = {"environment": environment, "checks": found, "all_good": all(check.is_good for check in found)}
    return render(request, "environments/_checks.html", context)
