"""Deployment environments: which there are, whose server each has, and what Rasa servers ask of them."""

from typing import Any, Literal

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Status

from environments.api.facts import EnvironmentOut, environment_facts
from environments.loaders import load_environment, load_modifiable
from environments.models import Environment
from environments.rights import modify_permission, scope_of
from environments.services.environments import checked_action_server, environment_named, remove_environment
from environments.services.overview import overview, overviews
from environments.services.setting_up import Address, add_environment, change_environment, put_addresses
from models_app.loaders import load_assistant
from models_app.models import Assistant
from models_app.services.assistants import DEFAULT_SLUG
from studio.access.loaders import require, signed_in
from studio.access.permissions import MissingPermission, Permission, Scope
from studio.errors import Invalid
from studio.rasa.signing import published_keys
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, cut

router = Router(tags=["environments"])
Kind = Environment.Kind
ENVIRONMENTS = "/projects/{slug}/environments"
ENVIRONMENT = f"{ENVIRONMENTS}/{{name}}"
MOST = 200  # environments in one list

_TOKEN = Field("", max_length=500, description="What its HTTP API asks for; an empty one keeps what is there.")


class AddressIn(Body):
    """`url` and `token` may be empty, as GET gives them: what is there stays."""

    name: str
    url: str = Field("", max_length=500)
    token: str = _TOKEN


class NewEnvironment(Body):
    """`kind` left out: `connected` with a `url`, else `unset`. `protected` asks the right to modify protected ones."""

    name: str
    kind: Literal["connected", "managed", "unset"] | None = None
    url: str = Field("", max_length=500)
    token: str = _TOKEN
    protected: bool = False


class Change(Body):
    """What is left out stays as it is. With another name goes the tag, and servers that ask for the old one are
    answered until none does any more."""

    name: str | None = None
    kind: Literal["connected", "managed"] | None = None
    url: str | None = Field(None, max_length=500)
    token: str = _TOKEN
    action_server_url: str | None = Field(None, max_length=500)


# --- What Rasa servers and Rasa Enterprise's scripts know -------------------------------------------------------------


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
    ours = settings.RASA_VERSION if environment.kind == Kind.MANAGED else None
    return environment.server_version or ours


@router.get(f"{ENVIRONMENT}/version", auth=None, summary="An environment's key", url_name="environment-version")
def environment_version(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, Any]:
    """Public: the `rasa` channel of the environment's servers checks our chat tokens with this key."""
    environment = environment_named(slug=slug, name=name)
    if environment is None:
        raise Http404("There is no such environment.")
    return {"rasa-x": settings.VERSION, "enterprise": True, **published_keys(environment.public_key)}


@router.get(
    "/environments",
    summary="Environments of default",
    url_name="default-environments",
    response=list[EnvironmentOut],
)
def default_environments(
    request: HttpRequest, response: HttpResponse, paging: Query[Paging]
) -> list[dict[str, object]]:
    return _listed(request, response, DEFAULT_SLUG, paging)


@router.put(
    "/environments",
    summary="Say where servers of default are",
    url_name="default-environments",
    response={201: list[EnvironmentOut]},
)
def put_environments(request: HttpRequest, body: list[AddressIn]) -> Status[list[dict[str, object]]]:
    """Adds and updates by name, all or none; nothing is removed. An address makes an environment a connected one."""
    if len(body) > MOST:
        raise Invalid(f"One request changes at most {MOST} environments.")
    assistant = load_assistant(request, DEFAULT_SLUG)
    _require_modify(request, assistant, {one.name for one in body})
    addresses = [Address(one.name, one.url, one.token) for one in body]
    put_addresses(actor=signed_in(request), assistant=assistant, addresses=addresses)
    return Status(201, [environment_facts(row) for row in overviews(assistant, signed_in(request))])


def _require_modify(request: HttpRequest, assistant: Assistant, names: set[str]) -> None:
    """Each name asks its own right, whether or not one sees who has it; a new one that to modify the assistant's."""
    known = {row.name: row for row in Environment.objects.current().filter(assistant=assistant)}
    for row in (known.get(name) for name in names):
        permission = modify_permission(row) if row else Permission.ENVIRONMENTS_MODIFY
        require(signed_in(request), permission, scope_of(row) if row else Scope(assistant.pk))


# --- The environments of any assistant --------------------------------------------------------------------------------


@router.get(
    ENVIRONMENTS, summary="Environments of an assistant", url_name="environments", response=list[EnvironmentOut]
)
def environments(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """Those that the token may see, protected ones first."""
    return _listed(request, response, slug, paging)


def _listed(request: HttpRequest, response: HttpResponse, slug: str, paging: Paging) -> list[dict[str, object]]:
    assistant, user = load_assistant(request, slug), signed_in(request)
    if not user.may_somewhere(Permission.ENVIRONMENTS_VIEW, assistant.pk):
        raise MissingPermission(Permission.ENVIRONMENTS_VIEW)
    return [environment_facts(row) for row in cut(request, response, overviews(assistant, user), paging)]


@router.post(ENVIRONMENTS, summary="Add an environment", url_name="environments", response={201: EnvironmentOut})
def add(request: HttpRequest, slug: Path[str], body: NewEnvironment) -> Status[dict[str, object]]:
    """A free tag of its name becomes its tag, and the model that it points at is live there."""
    assistant = load_assistant(request, slug, Permission.ENVIRONMENTS_MODIFY)
    if body.protected:
        require(signed_in(request), Permission.ENVIRONMENTS_MODIFY_PROTECTED, Scope(assistant.pk))
    made = add_environment(
        actor=signed_in(request),
        assistant=assistant,
        name=body.name,
        kind=body.kind or (Kind.CONNECTED if body.url else Kind.UNSET),
        url=body.url,
        server_token=body.token,
        protected=body.protected,
    )
    return Status(201, environment_facts(overview(made)))


@router.get(ENVIRONMENT, summary="One environment", url_name="environment", response=EnvironmentOut)
def environment(request: HttpRequest, slug: Path[str], name: Path[str]) -> dict[str, object]:
    return environment_facts(overview(load_environment(request, slug, name)))


@router.put(ENVIRONMENT, summary="Change an environment", url_name="environment", response=EnvironmentOut)
def change(request: HttpRequest, slug: Path[str], name: Path[str], body: Change) -> dict[str, object]:
    """`kind` says whose server it has from now on: `managed` one that runs here, `connected` your team's at `url`."""
    row, actions = load_modifiable(request, slug, name), body.action_server_url
    changed = change_environment(
        actor=signed_in(request),
        environment=row,
        name=body.name,
        kind=body.kind,
        url=body.url,
        server_token=body.token,
        action_server_url=None if actions is None else checked_action_server(actions, resolve=True),
    )
    return environment_facts(overview(changed))


@router.delete(ENVIRONMENT, summary="Remove an environment", url_name="environment", response={204: None})
def remove(request: HttpRequest, slug: Path[str], name: Path[str]) -> Status[None]:
    """A server that runs here for it is stopped, others can no longer ask for its model. Its history stays."""
    remove_environment(actor=signed_in(request), environment=load_modifiable(request, slug, name))
    return Status(204, None)
