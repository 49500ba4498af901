"""Rasa servers behind an environment: what each runs, whether all is well, and what goes into their files."""

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from environments.api.environments import ENVIRONMENT
from environments.api.facts import ReplicaFacts, ServerOut, epoch, replica_facts, server_facts
from environments.loaders import load_environment, load_modifiable
from environments.models import Environment
from environments.presentation import replicas as presentation
from environments.rights import may_modify
from environments.services.checks import Check, checklist
from environments.services.connecting import connection_of
from environments.services.database import ensure_intake, missing_roles
from environments.services.managed import restart_server, start_server, stop_server
from environments.services.overview import replicas_of
from environments.services.server_logs import read_server_log
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.crypto import decrypt
from studio.web.api.paging import Paging, cut

router = Router(tags=["servers"])
_YAML = {
    "responses": {200: {"description": "The file.", "content": {"application/yaml": {"schema": {"type": "object"}}}}}
}
_STEERING = {"start": start_server, "stop": stop_server, "restart": restart_server}
LONGEST_OFFSET = 10**18


class ReplicaOut(ReplicaFacts):
    """`interval` is how many seconds pass between its polls."""

    rasa_version: str | None
    runs_since: float | None
    first_seen_at: float
    last_seen_at: float
    interval: float | None


class ServerCheckOut(Schema):
    """`status` is `running` where all is well, else `failed`, `warning`, `busy` or `silent`; `mend` says what to do,
    and `line` is what to copy for that."""

    status: str
    word: str
    message: str
    mend: str
    line: str
    at: float | None


class ChecksOut(Schema):
    good: bool
    checks: list[ServerCheckOut]


class BrokerOut(Schema):
    """Somewhere that events can go; `name` is what `?broker=` takes."""

    name: str
    title: str


class ConnectionOut(Schema):
    """`model_token` and the secrets in `variables` are told to who may modify the environment, else null and `…`."""

    endpoints_yml: str
    credentials_yml: str
    variables: str
    start: str
    model_token: str | None
    broker: str
    brokers: list[BrokerOut]


class EventTableOut(Schema):
    """`sql` is what an administrator has to run where our database role may not make the table."""

    ready: bool
    sql: str


class ServerLogOut(Schema):
    """`offset` is where to read on."""

    text: str
    offset: int


class LogPart(Schema):
    offset: int | None = Field(None, ge=0, le=LONGEST_OFFSET, description="In bytes; left out for the last lines.")


@router.get(f"{ENVIRONMENT}/replicas", summary="Servers that poll", url_name="replicas", response=list[ReplicaOut])
def replicas(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """Each with the model that it really runs. Those that polled within the last day, silent ones last."""
    environment = load_environment(request, slug, name)
    rows = presentation.rows(replicas_of(environment), environment.tag.model if environment.tag else None)
    return [_replica(row) for row in cut(request, response, rows, paging)]


def _replica(row: presentation.Row) -> dict[str, object]:
    replica = row.replica
    return {
        **replica_facts(row),
        "rasa_version": replica.rasa_version or None,
        "runs_since": epoch(replica.runs_since),
        "first_seen_at": replica.first_seen_at.timestamp(),
        "last_seen_at": replica.last_seen_at.timestamp(),
        "interval": replica.interval,
    }


@router.get(f"{ENVIRONMENT}/checks", summary="Is all well there?", url_name="environment-checks", response=ChecksOut)
def checks(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, object]:
    """Asks the server itself, which may take seconds, then what its polls and events have shown."""
    found = checklist(load_environment(request, slug, name))
    return {"good": all(check.is_good for check in found), "checks": [_check(check) for check in found]}


def _check(check: Check) -> dict[str, object]:
    return {
        "status": check.status,
        "word": check.word,
        "message": check.text,
        "mend": check.mend,
        "line": check.line,
        "at": epoch(check.at),
    }


# --- A server of the team's own ---------------------------------------------------------------------------------------


@router.get(
    f"{ENVIRONMENT}/connection", summary="How to connect a server", url_name="connection", response=ConnectionOut
)
def connection(request: HttpRequest, slug: Path[str], name: Path[str], broker: str = "") -> dict[str, object]:
    """Its two files, variables and start command. `?broker=` chooses where its events go."""
    environment = load_environment(request, slug, name)
    may_change = may_modify(signed_in(request), environment)
    found = connection_of(environment, broker, may_see_secrets=may_change)
    return {
        "endpoints_yml": found.endpoints,
        "credentials_yml": found.credentials,
        "variables": found.variables,
        "start": found.start,
        "model_token": decrypt(environment.model_token_encrypted) if may_change else None,
        "broker": found.chosen,
        "brokers": [{"name": tab.word, "title": tab.text} for tab in found.tabs],
    }


@router.get(f"{ENVIRONMENT}/endpoints.yml", summary="Its endpoints.yml", url_name="endpoints-yml", openapi_extra=_YAML)
def endpoints_yml(request: HttpRequest, slug: Path[str], name: Path[str], broker: str = "") -> HttpResponse:
    """With names of variables where a secret belongs."""
    return _file(connection_of(load_environment(request, slug, name), broker, may_see_secrets=False).endpoints)


@router.get(
    f"{ENVIRONMENT}/credentials.yml", summary="Its credentials.yml", url_name="credentials-yml", openapi_extra=_YAML
)
def credentials_yml(request: HttpRequest, slug: Path[str], name: Path[str]) -> HttpResponse:
    return _file(connection_of(load_environment(request, slug, name), may_see_secrets=False).credentials)


def _file(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="application/yaml")


@router.post(
    f"{ENVIRONMENT}/event-table",
    summary="Make the table for its events",
    url_name="event-table",
    response=EventTableOut,
)
def event_table(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, object]:
    """Rasa's SQL event broker writes to it; `endpoints.yml` names it from then on. Once is enough."""
    environment = load_modifiable(request, slug, name)
    is_ready = ensure_intake(environment) is not None
    return {"ready": is_ready, "sql": "" if is_ready else missing_roles(environment)}


# --- A server that runs here ------------------------------------------------------------------------------------------


@router.get(
    f"{ENVIRONMENT}/server/log",
    summary="The log of the server that runs here",
    url_name="server-log",
    response=ServerLogOut,
)
def server_log(request: HttpRequest, slug: Path[str], name: Path[str], part: Query[LogPart]) -> ServerLogOut:
    """Its last lines, or what came after `?offset=`. It can hold what people said: it asks the right to read that."""
    environment = load_environment(request, slug, name, Permission.CONVERSATIONS_VIEW)
    chunk = read_server_log(environment, part.offset)
    return ServerLogOut(text=chunk.text, offset=chunk.offset)


@router.post(
    f"{ENVIRONMENT}/server/{{action}}",
    summary="Start, stop or restart the server that runs here",
    url_name="server-action",
    response={202: ServerOut},
)
def steer(
    request: HttpRequest,
    response: HttpResponse,
    slug: Path[str],
    name: Path[str],
    action: Path[Literal["start", "stop", "restart"]],
) -> Status[dict[str, object] | None]:
    """It takes half a minute: look at the environment for `server.state`. 409 when it is so already."""
    environment = load_modifiable(request, slug, name)
    _STEERING[action](actor=signed_in(request), environment=environment)
    response["Location"] = f"/api/projects/{slug}/environments/{name}"
    return Status(202, server_facts(Environment.objects.select_related("server").get(pk=environment.pk)))
