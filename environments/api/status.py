"""What runs where, whether it is well, and what Rasa Enterprise's clients ask before anything else."""

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Path, Router, Schema, Status

from environments.api.facts import LastPromotion, LiveModelOut, ReplicaFacts, environment_facts, replica_facts
from environments.models import Environment, ManagedServer
from environments.presentation import replicas
from environments.querysets import EnvironmentQuerySet
from environments.services.overview import Overview, overviews_of
from environments.services.whereabouts import Whereabouts, whereabouts
from models_app.loaders import load_assistant
from models_app.services.assistants import DEFAULT_SLUG
from studio.access.loaders import signed_in
from studio.access.permissions import MissingPermission, Permission
from studio.health import migrated
from studio.web.api.bodies import Body

router = Router(tags=["status"])


class EnvironmentHealth(Schema):
    """`status` is 200 while a server polls or runs here, 503 while none does, 404 where there is no such environment;
    the versions are empty until a server has told them."""

    version: str
    minimum_compatible_version: str
    status: int


class Migration(Schema):
    """`status` is `completed` or `in_progress`; then `pending` migrations are to come, and `message` says whether one
    is under way, which, and how far."""

    status: str
    progress_in_percent: float
    pending: int
    message: str


class HealthOut(Schema):
    production: EnvironmentHealth
    worker: EnvironmentHealth
    database_migration: Migration


class StatusOut(Schema):
    """`status` and `message` say how the last promotion stands, `health` and `health_message` the worst that is known
    of the environment: both are `running`, `busy`, `warning`, `silent` or `failed`."""

    project: str
    environment: str
    kind: str
    protected: bool
    model: LiveModelOut | None
    status: str
    message: str
    live: int
    running: int
    promotion: LastPromotion | None
    replicas: list[ReplicaFacts]
    health: str
    health_message: str


class License(Body):
    license: str = Field("", max_length=100_000)


class LicenseOut(Schema):
    valid: bool
    expires: float | None
    message: str


@router.get("/health", auth=None, summary="Health, as Rasa Enterprise tells it", url_name="health", response=HealthOut)
def health(request: HttpRequest) -> dict[str, object]:
    """Public. Of the assistant `default`; `/readyz` says more."""
    rows = Environment.objects.current().filter(assistant__slug=DEFAULT_SLUG, name__in=("production", "worker"))
    found = {row.environment.name: row for row in overviews_of(rows)}
    now = migrated()
    return {
        **{name: _health(found.get(name)) for name in ("production", "worker")},
        "database_migration": {
            "status": "in_progress" if now.pending else "completed",
            "progress_in_percent": now.percent,
            "pending": now.pending,
            "message": now.message,
        },
    }


def _health(now: Overview | None) -> dict[str, object]:
    if now is None:
        return {"version": "", "minimum_compatible_version": "", "status": 404}
    environment = now.environment
    server = getattr(environment, "server", None) if environment.kind == Environment.Kind.MANAGED else None
    runs = server is not None and server.state == ManagedServer.State.RUNNING
    return {
        "version": environment.server_version,
        "minimum_compatible_version": environment.server_minimum_version,
        "status": 200 if runs or now.live else 503,
    }


@router.get("/status", summary="What runs where, everywhere", url_name="status", response=list[StatusOut])
def status(request: HttpRequest) -> list[dict[str, object]]:
    """Every environment that one sees, by assistant."""
    _require_environments(request)
    rows = Environment.objects.visible_to(signed_in(request))
    return _status(rows.order_by("assistant__slug", "-protected", "name"))


@router.get("/projects/{slug}/status", summary="What runs where", url_name="project-status", response=list[StatusOut])
def project_status(request: HttpRequest, slug: Path[str]) -> list[dict[str, object]]:
    assistant = load_assistant(request, slug)
    _require_environments(request, assistant.pk)
    return _status(Environment.objects.visible_to(signed_in(request)).filter(assistant=assistant))


def _require_environments(request: HttpRequest, assistant_id: int | None = None) -> None:
    if not signed_in(request).may_somewhere(Permission.ENVIRONMENTS_VIEW, assistant_id):
        raise MissingPermission(Permission.ENVIRONMENTS_VIEW)


def _status(rows: EnvironmentQuerySet) -> list[dict[str, object]]:
    return [_facts(one) for one in whereabouts(rows)]


def _facts(one: Whereabouts) -> dict[str, object]:
    facts = environment_facts(one.overview)
    taken = ("kind", "protected", "model", "status", "message", "live", "running", "promotion")
    return {
        "project": one.overview.environment.assistant.slug,
        "environment": one.overview.environment.name,
        **{name: facts[name] for name in taken},
        "replicas": [replica_facts(row) for row in replicas.rows(one.replicas, one.overview.model)],
        "health": one.health.status,
        "health_message": one.health.text,
    }


# --- What Rasa Enterprise's clients do before anything else: see whether a token holds, put a licence in --------------


class ConfigOut(Schema):
    """`username` is whose token it is."""

    version: str
    enterprise: bool
    username: str


@router.get("/config", summary="Whether a token holds", url_name="config", response=ConfigOut)
def config(request: HttpRequest) -> dict[str, object]:
    """`rasactl` asks here with the token that it kept: 401 makes it ask for a password."""
    return {"version": settings.VERSION, "enterprise": True, "username": signed_in(request).username}


@router.get("/license", summary="The licence that nobody needs", url_name="license", response=LicenseOut)
def license_(request: HttpRequest) -> dict[str, object]:
    return _free()


@router.post("/license", summary="Put a licence in", url_name="license", response={201: LicenseOut})
def put_license(request: HttpRequest, body: License) -> Status[dict[str, object]]:
    """Nothing is kept: clients written for Rasa Enterprise go on."""
    return Status(201, _free())


@router.delete("/license", summary="Take a licence out", url_name="license", response={204: None})
def delete_license(request: HttpRequest) -> Status[None]:
    return Status(204, None)


def _free() -> dict[str, object]:
    return {"valid": True, "expires": None, "message": "Parley needs no licence."}
