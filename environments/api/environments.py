"""What Rasa servers and scripts ask of environments."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja import Path, Router, Schema

from environments.loaders import load_environment
from environments.models import Environment
from environments.services.environments import environment_named
from models_app.loaders import load_assistant
from models_app.models import Model
from models_app.services.assistants import DEFAULT_SLUG
from studio.access.loaders import signed_in
from studio.rasa.signing import published_keys

router = Router(tags=["environments"])


class ModelOut(Schema):
    model: str
    hash: str
    trained_at: float | None
    version: str


class EnvironmentOut(Schema):
    """`model` is the one that its tag points at, null while there is none."""

    name: str
    url: str
    kind: str
    protected: bool
    model: ModelOut | None


@router.get("/version", auth=None, summary="Versions, and the key of default's production", url_name="version")
def version(request: HttpRequest) -> dict[str, Any]:
    """Public: Rasa servers whose credentials.yml names `<base>/api` fetch the key here."""
    environments = {row.name: row for row in Environment.objects.current().filter(assistant__slug=DEFAULT_SLUG)}
    production = environments.get("production")
    return {
        "rasa": {name: _rasa_version(environments[name]) for name in ("production", "worker") if name in environments},
        "rasa-x": settings.VERSION,
        "enterprise": True,
        "keys": published_keys(production.public_key)["keys"] if production else [],
    }


def _rasa_version(environment: Environment) -> str | None:
    """What its server last said of itself; that of the installation for one of ours that never ran, else None."""
    ours = settings.RASA_VERSION if environment.kind == Environment.Kind.MANAGED else None
    return environment.server_version or ours


@router.get(
    "/projects/{slug}/environments/{name}/version",
    auth=None,
    summary="An environment's key",
    url_name="environment-version",
)
def environment_version(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, Any]:
    """Public: the `rasa` channel of the environment's servers checks our chat tokens with this key."""
    environment = environment_named(slug=slug, name=name)
    if environment is None:
        raise Http404("There is no such environment.")
    return {"rasa-x": settings.VERSION, "enterprise": True, **published_keys(environment.public_key)}


@router.get(
    "/projects/{slug}/environments",
    summary="Environments of an assistant",
    url_name="environments",
    response=list[EnvironmentOut],
)
def environments(request: HttpRequest, slug: Path[str]) -> list[dict[str, object]]:
    """Those that the token may see, with the model that is live in each."""
    assistant = load_assistant(request, slug)
    seen = Environment.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    return [_facts(row) for row in seen.select_related("tag__model")]


@router.get(
    "/projects/{slug}/environments/{name}",
    summary="One environment",
    url_name="environment",
    response=EnvironmentOut,
)
def environment(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, object]:
    return _facts(load_environment(request, slug, name))


def _facts(row: Environment) -> dict[str, object]:
    model = row.tag.model if row.tag else None
    return {
        "name": row.name,
        "url": row.url,
        "kind": row.kind,
        "protected": row.protected,
        "model": _model_facts(model) if model else None,
    }


def _model_facts(model: Model) -> dict[str, object]:
    return {
        "model": model.name,
        "hash": model.artifact_id,
        "trained_at": model.trained_at.timestamp() if model.trained_at else None,
        "version": model.rasa_version,
    }
