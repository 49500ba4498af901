"""The parts of `/readyz` that this app knows."""

import time

from django.conf import settings

from models_app.models import Artifact, TrainingJob
from models_app.services.rasa_uses import chosen_by
from models_app.storage import ArtifactStore, StoreFailed, store
from studio.health import Part
from studio.jobs import heartbeat
from studio.rasa.models import RasaRuntime
from studio.rasa.services import current_runtime

STORE_SECONDS = 10  # probes that come more often are told what the last one was
_store: dict[object, tuple[float, Part]] = {}


def artifact_store() -> Part:
    asked = store()
    until, part = _store.get(asked, (0.0, Part("ok")))
    if time.monotonic() >= until:
        part = _ask(asked)
        _store[asked] = time.monotonic() + STORE_SECONDS, part
    return part


def _ask(asked: ArtifactStore) -> Part:
    try:
        asked.check()
    except StoreFailed as error:
        return Part("degraded", error.message, "docs/artifacts.md says what to do.")
    problems = Artifact.objects.filter(freed_at=None).exclude(problem="").count()
    if problems:
        files = "1 model file is" if problems == 1 else f"{problems} model files are"
        message = f"{files} damaged or missing. manage.py verify_artifacts names them."
        return Part("degraded", message, "It also says what to do about each.")
    return Part("ok")


def training_workers() -> Part:
    live = heartbeat.live("training-worker")
    waiting = TrainingJob.objects.filter(state=TrainingJob.State.QUEUED).count()
    if live == 0 and settings.TRAINING_WORKERS > 0:
        message = f"No training worker is running; {waiting} trainings wait."
        return Part("degraded", message, "Start `manage.py worker training`, or set PARLEY_TRAINING_WORKERS=0.")
    return Part("ok", f"{live} running, {waiting} trainings wait.")


def rasa() -> Part:
    runtime = current_runtime()
    if runtime.is_usable:
        return _rasa_of_assistants() or Part("ok", str(runtime))
    why = runtime.message.partition("\n")[0] or runtime.step
    message = f"{runtime} is {runtime.get_state_display()}. {why}".strip()
    mend = f"The controller installs it. `manage.py install_rasa {runtime.version}` says what is missing."
    return Part("degraded", message, mend)


def _rasa_of_assistants() -> Part | None:
    """Degraded when assistants chose what is not ready. Nobody signs in here, so it names none of them."""
    chosen = set(chosen_by().values())
    if not chosen:
        return None
    ready = {row.version for row in RasaRuntime.objects.filter(version__in=chosen) if row.is_usable}
    missing = sorted(chosen - ready)
    message = f"Rasa {', '.join(missing)} is not ready, and assistants chose it."
    mend = "`manage.py rasa_versions` says who uses which; `manage.py install_rasa <version>` installs one."
    return Part("degraded", message, mend) if missing else None
