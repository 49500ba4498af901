"""Where an environment's Rasa server is, for everybody who calls it: chat, checks, repair."""

from dataclasses import dataclass

from environments.models import Environment, ManagedServer
from studio.crypto import decrypt
from studio.errors import DomainError

State = ManagedServer.State


@dataclass(frozen=True)
class ServerAddress:
    """`token` is what its HTTP API asks for; never for a browser's eyes."""

    url: str
    token: str


class NoServer(DomainError):
    """There is nothing to call now."""

    code = "no-server"


def server_of(environment: Environment) -> ServerAddress:
    """The address of a connected or a managed environment alike; NoServer says why there is none."""
    if environment.kind == Environment.Kind.MANAGED:
        return _managed(environment)
    if environment.kind == Environment.Kind.CONNECTED and environment.url:
        return ServerAddress(environment.url, decrypt(environment.server_token_encrypted))
    raise NoServer(f"{environment.name} is not set up: no Rasa server is connected to it, and none runs here for it.")


def _managed(environment: Environment) -> ServerAddress:
    server = _server(environment)
    if server is not None and server.state == State.RUNNING and server.port is not None:
        return ServerAddress(f"http://127.0.0.1:{server.port}", decrypt(server.token_encrypted))
    raise NoServer(f"The Rasa server of {environment.name} does not run now. {_why(server)}".strip())


def _server(environment: Environment) -> ManagedServer | None:
    """As it came with the environment's row, when it was asked for with that; read now otherwise."""
    if Environment.server.is_cached(environment):
        return getattr(environment, "server", None)
    return ManagedServer.objects.filter(environment=environment).first()


def _why(server: ManagedServer | None) -> str:
    if server is None or server.state == State.STOPPED:
        return "Somebody stopped it: press Start on the environment's page."
    if server.state == State.STARTING:
        return "It is starting; that takes about half a minute."
    return server.message
