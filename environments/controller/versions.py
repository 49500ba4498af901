"""Which Rasa a managed server is to run."""

from dataclasses import dataclass

from django.conf import settings

from environments.models import ManagedServer
from environments.serving.rasa import loads
from models_app.models import Model
from studio.rasa.runtime import Runtime
from studio.rasa.services import find_runtime


@dataclass(frozen=True)
class Choice:
    """`runtime` is None when there is none that could; `why` is for people when it is not what the assistant chose,
    or will not load the model."""

    runtime: Runtime | None
    why: str = ""

    def is_what_runs(self, server: ManagedServer) -> bool:
        runtime = self.runtime
        return runtime is None or (runtime.name, runtime.version) == (server.rasa, server.rasa_version)


def choose(server: ManagedServer, model: Model | None, wanted: str) -> Choice:
    """What the assistant chose (`wanted`, empty for the installation's own).

    The one that the server ran before stays as long as the other is not installed, or does not load the live model
    and the former does: choosing a version must not take an environment out of service.
    """
    name = wanted or settings.RASA_VERSION
    chosen = find_runtime(name)
    former = find_runtime(server.rasa) if server.rasa and server.rasa != name else None
    if chosen is None:
        if former is None:
            return Choice(None, f"Rasa {name} is not installed, and the server cannot start without it.")
        return Choice(former, f"It runs Rasa {former.label} until Rasa {name} is installed.")
    if loads(chosen, model):
        return Choice(chosen)
    assert model is not None
    old = f"{model.name} was trained with Rasa {model.rasa_version}, which Rasa {chosen.label} does not load."
    if former is None or not loads(former, model):
        return Choice(chosen, f"{old} Promote a model that it loads.")
    return Choice(former, f"{old} It runs Rasa {former.label} until a newer model is promoted.")
