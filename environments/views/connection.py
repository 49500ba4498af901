"""How a team connects its own Rasa server: what to put into which file, and a checklist that turns green by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from environments.loaders import load_environment, load_modifiable, may_modify
from environments.models import Environment, Replica
from environments.services.arrivals import Broker, arrivals_of, brokers_of
from environments.services.checks import channel_url, check_facts, check_server
from environments.services.database import SqlAccess, ensure_intake, events_access, is_made, sql_for_administrator
from environments.services.overview import overview
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.crypto import decrypt
from studio.rasa.files import Database, Env, Kafka, ModelServer, credentials_yml, endpoints_yml
from studio.web.htmx import HtmxHttpRequest

TOKEN = Env("RASA_X_TOKEN")
EVENTS_PASSWORD = Env("PARLEY_EVENTS_PASSWORD")
START = """PARLEY_REPLICA=$(hostname) rasa run --enable-api --auth-token="$RASA_AUTH_TOKEN" \\
  --endpoints endpoints.yml --credentials credentials.yml"""
RASA_PORT = 5005
SQL, KAFKA, OTHER = "sql", "kafka", "other"
_LOCAL = ("//127.0.0.1", "//localhost", "//[::1]")


@dataclass(frozen=True, slots=True)
class Tab:
    """One broker to write events to; `word` is the URL's."""

    word: str
    text: str
    is_chosen: bool = False


@require_safe
def connection(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_environment(request, slug, name)
    may_change = may_modify(signed_in(request), environment)
    access = events_access(environment) if is_made(environment) else None
    brokers = brokers_of(environment.assistant)
    broker, chosen = _chosen(request, environment, access, brokers)
    context = {
        "environment": environment,
        "may_modify": may_change,
        "endpoints": _endpoints(environment, broker.block if broker else _table(access)),
        "tabs": _tabs(brokers, chosen),
        "chosen": chosen,
        "broker": broker,
        "credentials": credentials_yml(channel_url=channel_url(environment)),
        "variables": _variables(environment, access, broker, may_see_secrets=may_change),
        "start": START + _port(environment),
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


def _chosen(
    request: HttpRequest, environment: Environment, access: SqlAccess | None, brokers: Sequence[Broker]
) -> tuple[Broker | None, str]:
    """The Kafka whose block is shown, None for the table, and the tab: `?broker=sql`, `kafka-3`, `other`."""
    known = {f"kafka-{one.key}": one for one in brokers}
    word = request.GET.get("broker", "")
    if word not in {*known, SQL, KAFKA, OTHER}:
        word = _usual(environment, access, list(known)) if known else SQL
    if word == KAFKA:
        word = next(iter(known), KAFKA)
    return known.get(word), word


def _usual(environment: Environment, access: SqlAccess | None, kafkas: Sequence[str]) -> str:
    """The tab of what brought the newest events. Before any came: Kafka, which somebody has set up on purpose, unless
    the server is ours, which writes into the table."""
    came_by = arrivals_of(environment).came_by
    if came_by and f"kafka-{came_by}" in kafkas:
        return f"kafka-{came_by}"
    is_ours = environment.kind == Environment.Kind.MANAGED
    return SQL if access is not None and (is_ours or came_by is not None) else kafkas[0]


def _tabs(brokers: Sequence[Broker], chosen: str) -> list[Tab]:
    kafkas = [Tab(f"kafka-{one.key}", f"Kafka: {one.name}") for one in brokers] or [Tab(KAFKA, "Kafka")]
    tabs = [Tab(SQL, "Parley’s table"), *kafkas, Tab(OTHER, "RabbitMQ or another")]
    return [replace(tab, is_chosen=tab.word == chosen) for tab in tabs]


def _table(access: SqlAccess | None) -> Database | None:
    if access is None:
        return None
    return Database(access.host, access.port, access.name, access.username, EVENTS_PASSWORD)


def _endpoints(environment: Environment, broker: Database | Kafka | None) -> str:
    base = f"{settings.INTERNAL_URL}/api/projects/{environment.assistant.slug}"
    models = ModelServer(url=f"{base}/models/tags/{environment.name}", token=TOKEN)
    return endpoints_yml(models=models, event_broker=broker)


def _variables(
    environment: Environment, access: SqlAccess | None, broker: Broker | None, *, may_see_secrets: bool
) -> str:
    """For the shell or the container that starts Rasa. Rasa does not start while one of them is unset."""
    secret = "export {}={}".format if may_see_secrets else (lambda name, _value: f"export {name}=…")
    lines = [
        f"export RASA_ENVIRONMENT={environment.name}",
        secret(TOKEN.name, decrypt(environment.model_token_encrypted)),
    ]
    if broker is not None:
        asked = [one for one in (broker.block.username, broker.block.password) if isinstance(one, Env)]
        lines += [f"export {one.name}=  # of the user as whom Rasa writes to the topic" for one in asked]
    elif access is not None:
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
