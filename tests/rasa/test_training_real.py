"""Training with a real Rasa: the starter's files become a model; data that does not train says why."""

from pathlib import Path

import pytest

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.training import run

pytestmark = [pytest.mark.rasa, pytest.mark.django_db]
STARTER = Path(__file__).resolve().parents[2] / "starter"


@pytest.fixture
def assistant(settings, tmp_path, rasa_runtime):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = rasa_runtime.folder.parent
    return add_assistant(actor=None, slug="cafe", title="Café")


def train(assistant, files):
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    job = training.request_training(actor=None, assistant=assistant)
    run.run_training(job.pk)
    return TrainingJob.objects.get(pk=job.pk)


def test_the_starter_becomes_a_model_with_facts_and_a_log(assistant, settings):
    files = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}
    job = train(assistant, files)
    assert (job.state, job.message) == ("done", "")
    assert job.model.rasa_version == "3.6.21"
    assert len(job.model.domain["intents"]) >= 12
    assert "RulePolicy" in "".join(job.log.values_list("text", flat=True))
    assert job.step_total > 5
    assert list(job.validation.findings.values_list("message", flat=True)) == []
    assert not (settings.JOBS_DIR / f"{job.pk}-1").exists()


def test_data_that_rasa_refuses_fails_with_rasas_own_words(assistant):
    files = {
        "config.yml": b"recipe: default.v1\nlanguage: en\npipeline:\n- name: NoSuchComponent\npolicies:\n- name: RulePolicy\n",
        "domain.yml": b'version: "3.1"\nintents: [greet]\n',
        "data/nlu.yml": b'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n',
    }
    job = train(assistant, files)
    assert job.state == "failed"
    assert "NoSuchComponent" in job.message
