"""Which Rasa the assistants choose, and what that keeps installed."""

from collections import defaultdict

from django.conf import settings
from django.db.models import Count
from django.urls import reverse

from models_app.models import Assistant, Model, TrainingJob, TrainingSettings
from studio.rasa.uses import Use, Uses


def chosen_by() -> dict[int, str]:
    """By assistant, the name of the Rasa that it chose; those that follow the installation are left out."""
    chosen = TrainingSettings.objects.filter(assistant__deleted_at=None).exclude(rasa_version="")
    return dict(chosen.values_list("assistant_id", "rasa_version"))


def uses_by_assistants() -> Uses:
    found: dict[str, list[Use]] = defaultdict(list)
    rows = Assistant.objects.current().values_list("slug", "title", "training_settings__rasa_version")
    for slug, title, chosen in rows:
        use = Use(f"the assistant {title}", title, reverse("models:training-settings", args=[slug]))
        found[chosen or settings.RASA_VERSION].append(use)
    return found


def uses_by_jobs() -> Uses:
    """Running ones; what waits in line takes the Rasa that its assistant has when it begins."""
    found: dict[str, list[Use]] = defaultdict(list)
    for job in TrainingJob.objects.filter(state__in=TrainingJob.ACTIVE).select_related("assistant"):
        url = reverse("models:job", args=[job.assistant.slug, job.number])
        text = f"{job.kind} {job.number} of {job.assistant.title}"
        found[job.rasa_version].append(Use(text, f"{job.title} of {job.assistant.title}", url))
    return found


def models_by_version() -> dict[str, int]:
    models = Model.objects.current().filter(origin=Model.Origin.TRAINED).exclude(rasa_version="")
    return dict(models.order_by().values_list("rasa_version").annotate(number=Count("pk")))
