"""Which Rasa loads a model."""

from models_app.models import Model
from models_app.services.rasa_uses import chosen_by
from studio.rasa.compatibility import can_load
from studio.rasa.runtime import Runtime
from studio.rasa.services import find_runtime, ready_runtimes


class NoRasa(Exception):
    """None that is installed would load the model; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def loads(runtime: Runtime, model: Model | None) -> bool:
    if model is None or not model.rasa_version:
        return True
    return can_load(model.rasa_version, runtime.minimum_compatible_version) is not False


def runtime_for(model: Model) -> Runtime:
    """What the assistant chose when it loads the model, else the one that made it, else any that loads it."""
    ready = [row.version for row in ready_runtimes()]
    own = [model.rasa_version] if model.rasa_version in ready else []
    wanted = [chosen_by().get(model.assistant_id, ""), *own, *ready]
    found = [runtime for name in dict.fromkeys(wanted) if (runtime := find_runtime(name)) is not None]
    for runtime in found:
        if loads(runtime, model):
            return runtime
    if not found:
        raise NoRasa("Rasa is not installed, and no server can start without it. The page of Rasa versions says more.")
    raise NoRasa(
        f"{model.name} was trained with Rasa {model.rasa_version}, and none of the installed ones loads it: "
        f"{', '.join(runtime.label for runtime in found)}. Install Rasa {model.rasa_version}, or train it again."
    )
