"""Who talks to a model now, told by the app above that keeps the talks: nobody stops a slot that others use."""

from collections.abc import Callable
from datetime import timedelta

from environments.services import slots
from models_app.models import Model
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import Forbidden

IN_USE = "Others talk to it now. Whoever may modify environments can stop it all the same."

# Whether somebody other than the person said something to the model's slot within that time.
Source = Callable[[User, Model, timedelta], bool]
_sources: list[Source] = []


def provide(source: Source) -> None:
    """Register who knows; apps above call it in AppConfig.ready(). The last one counts."""
    _sources[:] = [source]


def may_stop(person: User, model: Model) -> bool:
    """Of those who may talk to the model: whoever may modify environments, and everybody while no other talks."""
    if person.may(Permission.ENVIRONMENTS_MODIFY, Scope(model.assistant_id)):
        return True
    return not any(others_speak(person, model, slots.IN_USE) for others_speak in _sources)


def stop_slot_of(*, actor: User, model: Model) -> None:
    """Stop the model's slot, if it has one; all who talk to it are told who did. Raises Forbidden."""
    found = slots.usable_of(model.pk)
    if found is None:
        return
    if not may_stop(actor, model):
        raise Forbidden(IN_USE)
    slots.stop(actor=actor, slot=found, why=f"{actor.username} stopped it.")
