"""Where an environment's Rasa server is, for everybody who calls it: chat, checks, repair."""

from dataclasses import dataclass

from django.conf import settings

from environments.models import Environment, ManagedServer, Slot
from environments.services import slots
from models_app.models import Model
from studio.crypto import decrypt
from studio.errors import DomainError
from studio.rasa.client import RasaClient

State = ManagedServer.State
WAKING = "waking"  # the code of a NoSlot whose slot will soon answer


@dataclass(frozen=True)
class ServerAddress:
    """`token` is what its HTTP API asks for; never for a browser's eyes. `hosts` as in studio.web.outgoing."""

    url: str
    token: str
    hosts: tuple[str, ...] | None = None

    def client(self, timeout: float) -> RasaClient:
        return RasaClient(self.url, self.token, timeout=timeout, hosts=self.hosts)


class NoServer(DomainError):
    """There is nothing to call now."""

    code = "no-server"


class NoSlot(NoServer):
    """No slot serves the model now; one can be asked for."""

    code = "no-slot"


def server_of(environment: Environment) -> ServerAddress:
    """The address of a connected or a managed environment alike; NoServer says why there is none."""
    if environment.kind == Environment.Kind.MANAGED:
        return _managed(environment)
    if environment.kind == Environment.Kind.CONNECTED and environment.url:
        return ServerAddress(environment.url, decrypt(environment.server_token_encrypted))
    raise NoServer(f"{environment.name} is not set up: no Rasa server is connected to it, and none runs here for it.")


def slot_of(model: Model) -> ServerAddress:
    """The address of the slot that serves the model, which is in use now; NoSlot says why there is none."""
    slot = slots.usable_of(model.pk)
    if slot is None or slot.state != Slot.State.RUNNING or slot.port is None:
        raise NoSlot(_why_no_slot(model, slot), code=WAKING if slot is not None else None)
    slots.touch(slot)
    return ServerAddress(f"http://{slot.host}:{slot.port}", decrypt(slot.token_encrypted), (slot.host,))


def _why_no_slot(model: Model, slot: Slot | None) -> str:
    if slot is not None:
        return f"{model.name} is not ready yet. Your message is kept: send it again when it is."
    last = slots.last_of(model.pk)
    why = f" {last.message}" if last is not None and last.message else ""
    return f"{model.name} does not run any more.{why} Start it again, and the conversation goes on."


def _managed(environment: Environment) -> ServerAddress:
    server = _server(environment)
    if server is not None and server.state == State.RUNNING and server.port is not None:
        host = server.host if server.host not in ("", "127.0.0.1") else settings.SERVER_HOST
        return ServerAddress(f"http://{host}:{server.port}", decrypt(server.token_encrypted), (host,))
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
