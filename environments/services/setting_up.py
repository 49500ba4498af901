"""Whose server an environment has: one that is added or changed, whole or not at all."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import transaction

from environments.models import Environment
from environments.services.birth import create_environment
from environments.services.database import ensure_intake
from environments.services.environments import update_environment
from environments.services.managed import run_here
from models_app.models import Assistant
from studio.access.models import User
from studio.errors import Invalid

Kind = Environment.Kind


class Address(NamedTuple):
    """Where a team's server is. An empty `url` leaves the one that is there, an empty `token` too."""

    name: str
    url: str
    token: str


@transaction.atomic
def add_environment(
    *,
    actor: User | None,
    assistant: Assistant,
    name: str,
    kind: str = Kind.UNSET,
    url: str = "",
    server_token: str = "",
    protected: bool = False,
) -> Environment:
    """A new one. Where the team runs the server, the table for its events is there as well."""
    _check_address(kind, url, given=bool(url or server_token))
    made = create_environment(
        actor=actor,
        assistant=assistant,
        name=name,
        kind=kind,
        url=url,
        server_token=server_token,
        protected=protected,
    )
    if kind == Kind.CONNECTED:
        ensure_intake(made)
    return made


@transaction.atomic
def change_environment(
    *,
    actor: User | None,
    environment: Environment,
    name: str | None = None,
    kind: str | None = None,
    url: str | None = None,
    server_token: str = "",
    action_server_url: str | None = None,
) -> Environment:
    """Change what is given, as `update_environment`; with another `kind` somebody else runs its server from now on."""
    is_other = kind is not None and kind != environment.kind
    address = environment.url if url is None else url
    _check_address(kind or environment.kind, address, given=bool(url or server_token))
    if kind == Kind.MANAGED and is_other:
        run_here(actor=actor, environment=environment)
        kind = url = None
    changed = update_environment(
        actor=actor,
        environment=environment,
        name=name,
        kind=kind,
        url=url,
        server_token=server_token,
        action_server_url=action_server_url,
    )
    if kind == Kind.CONNECTED and is_other:
        ensure_intake(changed)
    return changed


@transaction.atomic
def put_addresses(*, actor: User | None, assistant: Assistant, addresses: Iterable[Address]) -> None:
    """Add and update by name, all or none; nothing is removed. An address makes an environment a connected one."""
    for name, url, token in addresses:
        known = Environment.objects.current().filter(assistant=assistant, name=name).first()
        kind = Kind.CONNECTED if url else None
        if known is None:
            add_environment(
                actor=actor, assistant=assistant, name=name, kind=kind or Kind.UNSET, url=url, server_token=token
            )
        elif url or token:
            change_environment(actor=actor, environment=known, kind=kind, url=url or None, server_token=token)


def _check_address(kind: str, url: str, *, given: bool) -> None:
    """`given`: an address or a token is among what shall be changed."""
    if kind == Kind.CONNECTED and not url:
        raise Invalid("Give the address of the server that your team runs.", field="url")
    if kind != Kind.CONNECTED and given:
        raise Invalid("An address and a token are of a server that your team runs: kind connected.", field="kind")
