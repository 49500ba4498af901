"""What another Rasa of the assistant means for its environments, and which of them still run one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from environments.models import Environment, ManagedServer, Slot
from models_app.services.rasa_uses import chosen_by
from studio.rasa.compatibility import can_load
from studio.rasa.models import RasaRuntime
from studio.rasa.uses import Use, Uses


@dataclass(frozen=True, slots=True)
class Effect:
    """What choosing a Rasa does to one environment. `status` is a kind of the `{% status %}` tag."""

    environment: Environment
    status: str
    word: str
    text: str


def effects(environments: Iterable[Environment], rasa: RasaRuntime) -> list[Effect]:
    """For each environment that has a server; `tag__model` and `server` are read."""
    return [effect for row in environments for effect in _effect(row, rasa)]


def _effect(environment: Environment, rasa: RasaRuntime) -> Iterator[Effect]:
    if environment.kind == Environment.Kind.MANAGED:
        yield Effect(environment, *_of_managed(environment, rasa))
    elif environment.kind == Environment.Kind.CONNECTED:
        yield Effect(environment, *_of_connected(environment, rasa))


def _of_managed(environment: Environment, rasa: RasaRuntime) -> tuple[str, str, str]:
    server: ManagedServer | None = getattr(environment, "server", None)
    runs = server.rasa_version if server is not None else ""
    model = environment.tag.model if environment.tag is not None else None
    if not rasa.is_usable:
        return "warning", "Waits", f"{rasa} is not ready. What runs here goes on as it does until it is."
    if server is not None and (server.rasa, runs) == (rasa.version, rasa.release):
        return "running", "Stays", f"It runs {rasa}."
    if model is not None and not _loads(rasa.minimum_compatible_version, model.rasa_version):
        why = (
            f"{model.name} was trained with Rasa {model.rasa_version}, and {rasa} loads models of "
            f"{rasa.minimum_compatible_version} and later."
        )
        if runs:
            return "warning", "Waits", f"It goes on with Rasa {runs} until a newer model is promoted: {why}"
        return "warning", "Would not load", f"Promote a newer model first: {why}"
    loads = f", which loads {model.name}" if model is not None else ""
    return "busy", "Restarts" if runs else "Starts", f"Its server starts {'again ' if runs else ''}with {rasa}{loads}."


def _of_connected(environment: Environment, rasa: RasaRuntime) -> tuple[str, str, str]:
    version, minimum = environment.server_version, environment.server_minimum_version
    if not minimum:
        return "silent", "Not known", "Its own server has not said yet which Rasa it runs."
    if not _loads(minimum, rasa.release or rasa.version):
        return (
            "warning",
            "Would not load",
            (
                f"Its own server runs Rasa {version}, which loads models of {minimum} and later. A model trained with "
                f"{rasa} cannot be promoted here."
            ),
        )
    return "running", "Loads", f"Its own server runs Rasa {version}, which loads models trained with {rasa}."


def _loads(minimum: str, trained_with: str) -> bool:
    return not (minimum and trained_with) or can_load(trained_with, minimum) is not False


def uses_by_slots() -> Uses:
    found: dict[str, list[Use]] = defaultdict(list)
    held = Slot.objects.filter(state__in=Slot.HELD).exclude(rasa="").select_related("model__assistant")
    for slot in held.defer("log", "model__domain"):
        label = f"{slot.model.name} of {slot.model.assistant.title}"
        found[slot.rasa].append(
            Use(f"the slot of {label}", f"{label}, tried now", reverse("environments:slot", args=[slot.pk]))
        )
    return found


def uses_by_servers() -> Uses:
    """Managed servers that run, or would start again with, another Rasa than their assistant chose."""
    chosen = chosen_by()
    found: dict[str, list[Use]] = defaultdict(list)
    kept = Q(handle__isnull=False) | Q(
        wanted=True, environment__removed_at=None, environment__kind=Environment.Kind.MANAGED
    )
    for server in ManagedServer.objects.filter(kept).exclude(rasa="").select_related("environment__assistant"):
        environment = server.environment
        is_gone = environment.assistant.deleted_at is not None
        if is_gone or server.rasa != (chosen.get(environment.assistant_id) or settings.RASA_VERSION):
            url = "" if is_gone else reverse("environments:detail", args=[environment.assistant.slug, environment.name])
            label = f"{environment.name} of {environment.assistant.title}"
            found[server.rasa].append(Use(f"the environment {label}", f"{label}, still", url))
    return found
