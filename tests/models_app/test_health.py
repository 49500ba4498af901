"""What `/readyz` says of the Rasa of this installation, and of those that assistants chose."""

import pytest

from models_app.health import rasa
from models_app.services.training_settings import save_settings
from studio.health import Part
from studio.rasa.models import RasaRuntime
from studio.rasa.services import current_runtime
from tests.factories import make_assistant

pytestmark = pytest.mark.django_db


def test_a_runtime_that_failed_degrades_and_says_why() -> None:
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(
        state=RasaRuntime.State.FAILED, message="No Python 3.10.\nlong output"
    )
    assert rasa() == Part(
        "degraded",
        "Rasa 3.6.21 is failed. No Python 3.10.",
        "The controller installs it. `manage.py install_rasa 3.6.21` says what is missing.",
    )


def test_a_runtime_that_is_ready_is_fine() -> None:
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(state=RasaRuntime.State.READY)
    assert rasa().status == "ok"


def test_what_assistants_chose_has_to_be_ready_too() -> None:
    RasaRuntime.objects.filter(pk=current_runtime().pk).update(state=RasaRuntime.State.READY)
    save_settings(actor=None, assistant=make_assistant("shop"), values={"rasa_version": "3.6.20"})
    assert rasa() == Part(
        "degraded",
        "Rasa 3.6.20 is not ready, and assistants chose it.",
        "`manage.py rasa_versions` says who uses which; `manage.py install_rasa <version>` installs one.",
    )
    RasaRuntime.objects.create(version="3.6.20", state=RasaRuntime.State.READY)
    assert rasa() == Part("ok", "Rasa 3.6.21")
