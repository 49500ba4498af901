"""`/healthz` says that the process lives; `/readyz` says, part by part, what works."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from studio import migrating, redis, schema
from studio.jobs import heartbeat
from studio.metrics import door

log = structlog.get_logger()


@dataclass(frozen=True)
class Part:
    """`ok`, `degraded` (works without it, worse) or `down` (nothing works without it). `mend` is for
    `manage.py doctor` alone: anybody may read /readyz."""

    status: str
    message: str = ""
    mend: str = ""

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
    if database.status == "down":
        unknown = Part("degraded", "Not known without the database.", "Mend that first.")
        return parts | dict.fromkeys(_parts, unknown)
    with heartbeat.counted_once():
        return parts | {name: _asked(name, check) for name, check in _parts.items()}


def _asked(name: str, check: Callable[[], Part]) -> Part:
    """One that breaks takes no other with it. What an exception says may hold a secret: the log has it."""
    try:
        return check()
    except (DatabaseError, RedisError):
        return Part("degraded", "Could not be asked.", "Look at the database and at Redis.")
    except Exception:
        log.exception("a part could not be asked how it is", part=name)
        return Part("degraded", "Could not be asked.", "The log has the whole story.")


@dataclass(frozen=True, slots=True)
class Migrated:
    """How far the database is brought to this version: percent, migrations to come, and what is done just now."""

    percent: float
    pending: int = 0
    message: str = ""


def migrated() -> Migrated:
    """Once the database is up to date, this process asks no more: nothing takes it back."""
    if _migrated.is_set():
        return Migrated(100.0)
    found = schema.read()
    if not found.pending:
        _migrated.set()
        return Migrated(100.0)
    now = migrating.running(connection)
    done = found.total - len(found.pending) + (now.percent / 100 if now else 0)
    message = _what_goes_on(now) if now else "It waits for manage.py migrate."
    return Migrated(round(100 * done / found.total, 1), len(found.pending), message)


def schema_in_words() -> str:
    """`up to date`, or what is missing or newer, and the migration that runs; for those who run Parley."""
    found, now = schema.read(), migrating.running(connection)
    return f"{found.in_words}{f'; in use: {now.in_words}' if now else ''}"


def _database() -> Part:
    """A newer schema is well: that is a rolling update, seen from a process that is still to be replaced."""
    try:
        found = schema.read()
        now = migrating.running(connection) if found.pending else None
    except DatabaseError:
        return Part("down", "PostgreSQL does not answer.", "Look whether it runs, and at DATABASE_URL.")
    if not found.pending:
        return Part("ok")
    mend = _what_goes_on(now) if now else "Run manage.py migrate."
    return Part("down", f"{len(found.pending)} migrations are not applied. {mend}", "Run `manage.py migrate`.")


def _what_goes_on(now: migrating.Running) -> str:
    """A backup has the schema without migrating it; so has, for a moment, a migration that only begins."""
    return f"Migrating: {now.in_words}." if now.migration else f"The schema is in use: {now.in_words}."


def _redis() -> Part:
    try:
        redis.client().ping()
    except RedisError:
        message = "Redis does not answer: new jobs wait, polls are answered from the database."
        return Part("degraded", message, "Look whether it runs, and at REDIS_URL.")
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
