"""`/healthz` says that the process lives; `/readyz` says, part by part, what works."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from studio import redis
from studio.metrics import door

log = structlog.get_logger()


@dataclass(frozen=True)
class Part:
    """`ok`, `degraded` (works without it, worse) or `down` (nothing works without it)."""

    status: str
    message: str = ""

    def as_json(self) -> dict[str, str]:
        return {"status": self.status, **({"message": self.message} if self.message else {})}


_migrated = threading.Event()
_parts: dict[str, Callable[[], Part]] = {}


def register(name: str, check: Callable[[], Part]) -> None:
    """Add a part to `/readyz`; apps call it from AppConfig.ready()."""
    _parts[name] = check


def check_all() -> dict[str, Part]:
    """Every part's state, `database` first; without a database the others that need it are not asked."""
    database = _database()
    parts = {"database": database, "redis": _redis()}
    for name, check in _parts.items():
        if database.status == "down":
            parts[name] = Part("degraded", "Not known without the database.")
            continue
        try:
            parts[name] = check()
        except (DatabaseError, RedisError):
            parts[name] = Part("degraded", "Could not be asked.")
    return parts


def _pending() -> tuple[int, int]:
    """How many migrations are not applied, and how many there are."""
    connection.ensure_connection()
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes())), len(executor.loader.graph.nodes)


def migrated_percent() -> float:
    """How far the database is brought to this version. Once it is, this process asks no more: nothing takes it back."""
    if not _migrated.is_set():
        pending, total = _pending()
        if pending:
            return round(100 * (total - pending) / total, 1)
        _migrated.set()
    return 100.0


def _database() -> Part:
    try:
        pending, _total = _pending()
    except DatabaseError:
        return Part("down", "PostgreSQL does not answer.")
    if pending:
        return Part("down", f"{pending} migrations are not applied. Run manage.py migrate.")
    return Part("ok")


def _redis() -> Part:
    try:
        redis.client().ping()
    except RedisError:
        return Part("degraded", "Redis does not answer: new jobs wait, polls are answered from the database.")
    return Part("ok")


class ProbeMiddleware:
    """Answers probes whose Host header is an address that nobody could list; the others go the usual way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = {"/healthz": healthz, "/readyz": readyz, "/metrics": door.metrics}.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        try:
            request.get_host()
        except DisallowedHost:
            return probe(request)
        return self.get_response(request)


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """503 only without a database or with migrations not applied; a missing Rasa never takes the web out of service."""
    parts = check_all()
    down = any(part.status == "down" for part in parts.values())
    status = "down" if down else "degraded" if any(p.status != "ok" for p in parts.values()) else "ok"
    body = {"status": status, "parts": {name: part.as_json() for name, part in parts.items()}}
    return JsonResponse(body, status=503 if down else 200, json_dumps_params={"indent": 1})
