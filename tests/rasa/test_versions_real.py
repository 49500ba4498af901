"""Two real versions of Rasa side by side, and an own interpreter: each trains what chose it."""

import pytest

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.services.training_settings import save_settings
from models_app.training import run
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.services import find_runtime, request_install, runtime_named
from tests.rasa_fixtures import OLDER, SMALL, STARTER, VERSION

pytestmark = [pytest.mark.rasa, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def both(settings, tmp_path, older_runtime):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = older_runtime.folder.parent
    return older_runtime


def train(slug, rasa, files):
    assistant = add_assistant(actor=None, slug=slug, title=slug)
    save_settings(actor=None, assistant=assistant, values={"rasa_version": rasa})
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    job = training.request_training(actor=None, assistant=assistant)
    run.run_training(job.pk)
    return TrainingJob.objects.select_related("model").get(pk=job.pk)


def test_the_starter_is_trained_by_the_version_that_its_assistant_chose():
    """By that of the installation: test_training_real.py."""
    files = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}
    job = train("cafe", OLDER, files)
    assert (job.state, job.message) == ("done", "")
    assert (job.rasa_version, job.model.rasa_version) == (OLDER, OLDER)
    assert len(job.model.domain["intents"]) >= 12


def test_an_own_interpreter_says_what_it_is_and_trains(both, settings):
    settings.RASA_OWN = [("mine", str(both.python))]
    settings.RASA_VERSION = "mine"
    request_install(actor=None, name="mine")
    Installer().do_now(runtime_named("mine"))
    row = RasaRuntime.objects.get(version="mine")
    assert (row.state, row.release, row.minimum_compatible_version) == ("ready", OLDER, "3.5.0")
    assert row.python.startswith("3.")
    job = train("cafe", "", SMALL)
    assert (job.state, job.message) == ("done", "")
    assert (job.rasa_version, job.model.rasa_version) == (OLDER, OLDER)


def test_the_controller_lists_and_measures_both(both):
    installer = Installer()
    installer.look()
    for version in (OLDER, VERSION):
        installer.do_now(runtime_named(version))
        row = runtime_named(version)
        assert (row.state, row.release) == ("ready", version)
        assert row.size is not None and row.size > 2 * 1024**3
        found = find_runtime(version)
        assert found is not None and found.python_version == row.python
    assert runtime_named(VERSION).minimum_compatible_version == VERSION
