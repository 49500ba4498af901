"""A real `rasa train` whose assistant has a component of its own that takes more than it may."""

from pathlib import Path

import pytest

from models_app.models import Assistant, TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.services.training_settings import save_settings
from models_app.training import folders, run
from studio.rasa.proc import marked
from studio.rasa.process import MARK

pytestmark = [pytest.mark.rasa, pytest.mark.django_db]

COMPONENT = """
import subprocess, time
from typing import Any, Dict, List
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER], is_trainable=True)
class Greedy(GraphComponent):
    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @classmethod
    def create(
        cls, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> "Greedy":
        return cls(resource)

    def train(self, training_data: TrainingData) -> Resource:
        hold = {greed}
        time.sleep(240)
        return self.resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        return messages
"""
CONFIG = b"""
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: greedy.Greedy
- name: KeywordIntentClassifier
policies:
- name: RulePolicy
"""
GREED = {
    "memory": ("b'x' * (3 * 2**30)", {"memory_mb": 2000}, "GB of memory; it may use 2 GB."),
    "disk": ("open('large', 'wb').write(b'x' * (200 * 2**20))", {"disk_mb": 100}, "of the disk"),
    "processes": (
        "[subprocess.Popen(['sleep', '60'], start_new_session=True) for _ in range(20)]",
        {"processes": 10},
        "processes at once; it may run 10.",
    ),
    "time": ("None", {}, "longer than the 40 s it may take"),
}


@pytest.fixture
def assistant(settings, tmp_path: Path, rasa_runtime) -> Assistant:
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = rasa_runtime.folder.parent
    return add_assistant(actor=None, slug="cafe", title="Café")


@pytest.mark.parametrize(("greed", "limits", "said"), GREED.values(), ids=GREED)
def test_what_a_component_of_the_assistant_takes_is_counted_and_ended(assistant, settings, greed, limits, said):
    settings.TRAINING_SECONDS = 1200 if limits else 40
    save_settings(actor=None, assistant=assistant, values={"validate_first": False, **limits})
    files = {
        "config.yml": CONFIG,
        "domain.yml": b'version: "3.1"\nintents: [greet, bye]\n',
        "data/nlu.yml": b'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n- intent: bye\n  examples: |\n    - bye\n    - goodbye\n',
        "data/rules.yml": b'version: "3.1"\nrules:\n- rule: wait\n  steps:\n  - intent: greet\n  - action: action_listen\n',
        "greedy.py": COMPONENT.replace("{greed}", greed).encode(),
    }
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    job = training.request_training(actor=None, assistant=assistant)
    run.run_training(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (TrainingJob.State.FAILED, 1)
    assert said in job.message
    assert marked(MARK, f"@{folders.folder_of(job)}") == []
    assert not folders.folder_of(job).exists()
