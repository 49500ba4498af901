"""Environments declared in a file (PARLEY_ENVIRONMENTS): added and updated, never removed.

YAML, of which JSON is a part:

    - assistant: default          # default when left out
      name: staging
      kind: connected             # or managed
      url: https://rasa.staging.example.com
      server_token_env: STAGING_RASA_TOKEN   # the variable with it, or with its file in …_FILE; or server_token: …
      action_server_url: http://actions:5055/webhook
      protected: false
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from environments.models import Environment
from environments.services.birth import create_environment
from environments.services.environments import update_environment
from environments.services.managed import run_here
from models_app.models import Assistant
from models_app.services.assistants import DEFAULT_SLUG
from studio import env
from studio.access.models import User
from studio.checks import is_of_an_example
from studio.errors import Invalid

Kind = Environment.Kind
FIELDS = {"assistant", "name", "kind", "url", "server_token", "server_token_env", "action_server_url", "protected"}


@dataclass(frozen=True)
class Declaration:
    """One entry. `server_token` empty keeps the token that is there."""

    name: str
    assistant: str = DEFAULT_SLUG
    kind: str = Kind.CONNECTED
    url: str = ""
    server_token: str = ""
    action_server_url: str = ""
    protected: bool = False


def read_file(path: Path) -> list[Declaration]:
    """What the file declares. Invalid, with the entry's number, for what cannot be meant."""
    try:
        data = YAML(typ="safe").load(path.read_text())
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not YAML: {error}") from None
    entries = data.get("environments") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise Invalid(f"{path} must hold a list of environments.")
    return [_declaration(f"{path}, entry {number}", entry) for number, entry in enumerate(entries, start=1)]


@transaction.atomic
def apply(*, actor: User | None, declarations: list[Declaration]) -> list[str]:
    """Make the environments so, all of them or none; returns a line for each."""
    return list(_applied(actor, declarations))


def _applied(actor: User | None, declarations: list[Declaration]) -> Iterator[str]:
    for declared in declarations:
        assistant = Assistant.objects.current().filter(slug=declared.assistant).first()
        if assistant is None:
            raise Invalid(f"{declared.name}: there is no assistant {declared.assistant}.")
        known = Environment.objects.current().filter(assistant=assistant, name=declared.name).first()
        environment = known or create_environment(
            actor=actor, assistant=assistant, name=declared.name, protected=declared.protected
        )
        _update(actor, environment, declared)
        yield f"{declared.assistant}/{declared.name}: {'updated' if known else 'added'}"


def _update(actor: User | None, environment: Environment, declared: Declaration) -> None:
    if declared.kind == Kind.MANAGED:
        if environment.kind != Kind.MANAGED:
            run_here(actor=actor, environment=environment)
        update_environment(actor=actor, environment=environment, action_server_url=declared.action_server_url)
        return
    update_environment(
        actor=actor,
        environment=environment,
        kind=declared.kind,
        url=declared.url,
        server_token=declared.server_token,
        action_server_url=declared.action_server_url,
    )


def _declaration(where: str, entry: Any) -> Declaration:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise Invalid(f"{where}: give each environment a name.")
    unknown = sorted(str(key) for key in entry.keys() - FIELDS)
    if unknown:
        raise Invalid(f"{where}: {', '.join(unknown)} is not known. Known are {', '.join(sorted(FIELDS))}.")
    values = {key: value for key, value in entry.items() if value is not None and key != "server_token_env"}
    if not isinstance(values.get("protected", False), bool):
        raise Invalid(f"{where}: protected is true or false.")
    if any(not isinstance(value, str) for key, value in values.items() if key != "protected"):
        raise Invalid(f"{where}: every value but protected is a text.")
    if values.get("kind", Kind.CONNECTED) not in {Kind.CONNECTED, Kind.MANAGED}:
        raise Invalid(f"{where}: kind is connected or managed.")
    declared = Declaration(**(values | _token(where, entry.get("server_token_env"))))
    if is_of_an_example(declared.server_token or ""):
        raise Invalid(
            f"{where}: the token of the Rasa server is that of an example, which everybody can read. "
            "`openssl rand -hex 32` makes one; start the server with it, too."
        )
    return declared


def _token(where: str, variable: object) -> dict[str, Any]:
    """A file that is under version control names the variable instead of holding the token."""
    if variable is None:
        return {}
    try:
        token = env.secret(str(variable), "")
    except env.SettingError as error:
        raise Invalid(f"{where}: {error}") from None
    if not token:
        raise Invalid(f"{where}: the variable {variable} is not set.")
    return {"server_token": token}
