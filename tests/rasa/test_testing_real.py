"""Tests of models with a real Rasa: our numbers are those of Rasa's own files."""

import json
from pathlib import Path

import pytest

from models_app.models import Confusion, LabelScore, Model, ModelTest, StoryFault, TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.training import run
from models_app.training import testing as job_of_test

pytestmark = [pytest.mark.rasa, pytest.mark.django_db]
STARTER = Path(__file__).resolve().parents[2] / "starter"
BROKEN = """
  - story: The waiter does not greet
    steps:
      - user: |
          good morning
        intent: greet
      - action: utter_goodbye
"""


@pytest.fixture
def assistant(settings, tmp_path, rasa_runtime):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = rasa_runtime.folder.parent
    return add_assistant(actor=None, slug="cafe", title="Café")


@pytest.fixture
def rasas_files(monkeypatch) -> dict[str, dict]:
    """What Rasa's reports said, kept before the attempt's folder is removed."""
    kept: dict[str, dict] = {}
    close = job_of_test.finish_test

    def keep(job, measured):
        (folder,) = [one for one in run.settings.JOBS_DIR.iterdir() if one.name.startswith(f"{job.pk}-")]
        kept["stories"] = json.loads((folder / "story-results" / "story_report.json").read_text())
        kept["intents"] = json.loads((folder / "nlu-results" / "intent_report.json").read_text())
        errors = folder / "nlu-results" / "intent_errors.json"
        kept["errors"] = json.loads(errors.read_text()) if errors.exists() else []
        return close(job, measured)

    monkeypatch.setattr(job_of_test, "finish_test", keep)
    return kept


def test_a_training_with_tests_is_measured_as_rasa_measures(assistant, rasas_files):
    files = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}
    files["tests/test_stories.yml"] += BROKEN.encode()
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    run.run_training(training.request_training(actor=None, assistant=assistant, test_after=True).pk)
    job = TrainingJob.objects.get(kind="test")
    assert job.tested == Model.objects.get()  # it is there before it is tested
    run.run_training(job.pk)
    job.refresh_from_db()
    assert (job.state, job.message) == ("done", "")
    result = ModelTest.objects.get(job=job)

    conversations, intents = rasas_files["stories"]["conversation_accuracy"], rasas_files["intents"]
    assert (result.stories, result.stories_correct) == (conversations["total"], conversations["correct"])
    assert result.stories == result.stories_correct + 1
    assert result.steps_accuracy == rasas_files["stories"]["accuracy"]
    assert result.accuracy == intents["accuracy"]
    assert result.macro_f1 == intents["macro avg"]["f1-score"]
    assert result.weighted_f1 == intents["weighted avg"]["f1-score"]
    assert result.held_out == intents["macro avg"]["support"]
    for score in LabelScore.objects.filter(test=result, kind="intent"):
        assert (score.precision, score.f1, score.support) == (
            intents[score.name]["precision"],
            intents[score.name]["f1-score"],
            intents[score.name]["support"],
        )
    counts = Confusion.objects.filter(test=result).values_list("count", flat=True)
    assert sum(counts) == len(rasas_files["errors"]) > 0

    fault = StoryFault.objects.get(test=result)
    assert (fault.name, fault.path) == ("The waiter does not greet", "tests/test_stories.yml")
    assert "utter_goodbye  # predicted: utter_greet" in fault.text
