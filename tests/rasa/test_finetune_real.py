"""Going on from a model with the real Rasa: a quicker training, a parent that is named, and Rasa's refusals."""

import pytest

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import newest_revision, save_revision
from models_app.services.same_training import Finetuning, TrainedAlready
from models_app.storage import store
from models_app.training import run
from models_app.training.finetune import candidates
from studio.rasa.packages import installed_packages

pytestmark = [pytest.mark.rasa, pytest.mark.django_db]
NLU = """version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
    - hello there
    - good morning
- intent: goodbye
  examples: |
    - bye
    - see you later
    - good night
"""
FILES = {
    "config.yml": b"""recipe: default.v1
language: en
assistant_id: cafe
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 20
  random_seed: 7
policies:
- name: RulePolicy
""",
    "domain.yml": b"""version: "3.1"
intents: [greet, goodbye]
responses:
  utter_greet:
  - text: Hello!
""",
    "data/nlu.yml": NLU.encode(),
    "data/rules.yml": b"""version: "3.1"
rules:
- rule: Greet
  steps:
  - intent: greet
  - action: utter_greet
""",
}


@pytest.fixture
def assistant(settings, tmp_path, rasa_runtime):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = rasa_runtime.folder.parent
    return add_assistant(actor=None, slug="cafe", title="Café")


def train(assistant, files, finetuning=None):
    newest = newest_revision(assistant)
    number = newest.number if newest else None
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=number)
    job = training.request_training(actor=None, assistant=assistant, finetuning=finetuning)
    run.run_training(job.pk)
    return TrainingJob.objects.select_related("model", "lock").get(pk=job.pk)


def log_of(job):
    return "".join(job.log.values_list("text", flat=True))


def with_nlu(more):
    return {**FILES, "data/nlu.yml": (NLU + more).encode()}


def test_a_model_is_gone_on_from_and_named_as_the_parent(assistant, rasa_runtime):
    first = train(assistant, FILES)
    assert (first.state, first.message) == ("done", "")
    assert first.seeds == [["DIETClassifier", 7]]
    assert first.lock.packages == installed_packages(rasa_runtime.python)
    assert "tensorflow==" in first.lock.packages
    assert first.peak_memory > 100 * 1024**2
    with pytest.raises(TrainedAlready, match=first.model.name):
        training.request_training(actor=None, assistant=assistant)

    more = with_nlu("    - take care\n")
    save_revision(actor=None, assistant=assistant, files=more, message="", parent_number=1)
    (offered,) = candidates(assistant, newest_revision(assistant), "3.6.21")
    assert offered.fits
    second = train(assistant, more, Finetuning(first.model, 0.5))
    assert (second.state, second.message) == ("done", "")
    assert second.finetune_from == first.model
    assert "20/20" in log_of(first)
    assert "10/10" in log_of(second)

    refused = train(
        assistant,
        with_nlu("- intent: ask_menu\n  examples: |\n    - what is there to eat\n    - the menu please\n"),
        Finetuning(first.model, 0.5),
    )
    assert refused.state == "failed"
    assert "new labels" in refused.message


def test_an_archive_that_is_not_what_was_kept_trains_nothing(assistant):
    first = train(assistant, FILES)
    place = next(store().folder.rglob(f"*{first.model.artifact_id}*"))
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:-1])
    again = train(assistant, with_nlu("    - take care\n"), Finetuning(first.model, 0.5))
    assert again.state == "failed"
    assert "is damaged in the artifact store" in again.message
