"""The only writer of how assistants are trained."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.forms.models import model_to_dict

from models_app.models import Assistant, TrainingSettings
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.rasa.services import runtime_named


@dataclass(frozen=True)
class Limits:
    """What one job may use; None is no limit."""

    seconds: int
    memory: int | None = None  # bytes
    disk: int | None = None  # bytes
    processes: int | None = None


def settings_of(assistant: Assistant) -> TrainingSettings:
    """As saved, or unsaved ones with the defaults."""
    found = TrainingSettings.objects.filter(assistant=assistant).first()
    return found or TrainingSettings(assistant=assistant)


def rasa_of(assistant: Assistant) -> str:
    """The version of the Rasa that its trainings take; of an own interpreter that was never asked, its name."""
    chosen = runtime_named(settings_of(assistant).rasa_version)
    return chosen.release or chosen.version


def limits_of(assistant: Assistant) -> Limits:
    own = settings_of(assistant)
    seconds = settings.TRAINING_SECONDS if own.minutes is None else own.minutes * 60
    return Limits(seconds, _bytes(own.memory_mb), _bytes(own.disk_mb), own.processes)


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 1024**2


@transaction.atomic
def save_settings(*, actor: User | None, assistant: Assistant, values: dict[str, object]) -> TrainingSettings:
    """Keep `values` (fields of TrainingSettings by name) and what changed in the audit."""
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    row = settings_of(assistant)
    before = model_to_dict(row)
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    after = model_to_dict(row)
    changed = [name for name, value in after.items() if before[name] != value]
    if changed:
        record(
            actor,
            Action.TRAINING_SETTINGS_CHANGED,
            assistant,
            assistant_id=assistant.pk,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
    return row
