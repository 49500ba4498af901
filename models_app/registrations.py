"""What this app adds to the house: periodic work, health parts, entries of the navigation."""

from models_app import health, metrics
from models_app.models import Assistant
from models_app.services import artifacts, model_retention, rasa_uses, training, uploads
from models_app.training import folders, run
from studio import doctor
from studio import health as parts
from studio.access import scopes
from studio.access.permissions import Permission, Scope
from studio.jobs import schedule
from studio.rasa import uses
from studio.web import navigation

SWEEP_SECONDS = 600
FOLDER_SECONDS = 20
REAP_SECONDS = 5
QUEUE_SECONDS = 1  # the first training waits for Rasa's installation, and begins with this

# Pages of models, by the beginnings of their URLs' names.
MODELS = (
    "models:list",
    "models:detail",
    "models:upload",
    "models:compare",
    "models:tags",
    "models:delete",
    "models:tests",
)


def register() -> None:
    schedule.every(SWEEP_SECONDS, artifacts.sweep, name="sweep the artifact store")
    schedule.every(SWEEP_SECONDS, uploads.sweep, name="sweep uploads that nobody went on with")
    schedule.every(SWEEP_SECONDS, model_retention.request_nightly, name="begin the retention of models")
    schedule.every(REAP_SECONDS, training.reap, name="reap silent trainings")
    schedule.every(QUEUE_SECONDS, run.requeue_forgotten, name="queue forgotten trainings")
    schedule.every(FOLDER_SECONDS, folders.sweep, name="sweep training folders")
    parts.register("training workers", health.training_workers)
    parts.register("artifact store", health.artifact_store)
    parts.register("rasa", health.rasa)
    doctor.register("artifact store", "models_app.examinations.written_to")
    scopes.register("assistants", _places)
    metrics.register()
    _register_uses_of_rasa()
    _enter_navigation()


def _enter_navigation() -> None:
    navigation.register(
        navigation.Entry(
            key="models",
            label="Models",
            icon="cube",
            url_name="models:list",
            permission=Permission.MODELS_VIEW,
            order=20,
            per_assistant=True,
            shortcut="m",
            match=MODELS,
        )
    )
    navigation.register(
        navigation.Entry(
            key="training",
            label="Training",
            icon="bolt",
            url_name="models:training",
            permission=Permission.MODELS_VIEW,
            order=30,
            per_assistant=True,
            shortcut="t",
            match=("models:training", "models:job", "models:cancel"),
        )
    )
    navigation.register(
        navigation.Entry(
            key="data",
            label="Data",
            icon="document-text",
            url_name="models:data",
            permission=Permission.NLU_VIEW,
            order=40,
            per_assistant=True,
            shortcut="d",
            match=("models:data", "conversations:examples"),
        )
    )


def _register_uses_of_rasa() -> None:
    uses.register("assistants", rasa_uses.uses_by_assistants)
    uses.register("trainings", rasa_uses.uses_by_jobs)
    uses.count_models(rasa_uses.models_by_version)


def _places() -> list[scopes.Place]:
    """Where roles can be given."""
    return [scopes.Place(Scope(one.pk), one.title, "", one.slug) for one in Assistant.objects.current()]
