"""What Rasa servers and scripts ask of environments."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja import Path, Router

from environments.models import Environment
from environments.services.environments import environment_named
from models_app.services.assistants import DEFAULT_SLUG
from studio.rasa.signing import published_keys

router = Router(tags=["environments"])


@router.get("/version", summary="Versions, and the key of default's production", url_name="version")
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
    """What its server last said of itself, ours where we run it; None for one that nobody has asked yet."""
    if environment.kind == Environment.Kind.MANAGED:
        return settings.RASA_VERSION
    return environment.server_version or None


@router.get(
    "/projects/{slug}/environments/{name}/version", summary="An environment's key", url_name="environment-version"
)
def environment_version(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, Any]:
    """Public: the `rasa` channel of the environment's servers checks our chat tokens with this key."""
    environment = environment_named(slug=slug, name=name)
    if environment is None:
        raise Http404("There is no such environment.")
    return {"rasa-x": settings.VERSION, "enterprise": True, **published_keys(environment.public_key)}
