"""One attempt of a test, with a Rasa that leaves recorded files. The real one is in tests/rasa."""

import shutil
from pathlib import Path

import pytest

from models_app.models import Model, ModelTest, TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.models import delete_model
from models_app.services.revisions import save_revision
from models_app.services.testing import request_test
from models_app.training import attempt as following
from models_app.training import run
from models_app.training.testing import move_single_examples, story_file_names
from studio.rasa.process import Handle, LogChunk, Spec, Status
from studio.rasa.runtime import Runtime
from tests.factories import make_model

RECORDED = Path(__file__).parent / "rasa_results"
State = TrainingJob.State
NLU = b"""\
nlu:
- intent: greet
  examples: |
    - hi
    - hello
- intent: bye
  examples: |
    - bye
    - see you
- intent: rare
  examples: |
    - once
"""
SPLIT = {
    "training_data.yml": "nlu:\n- intent: greet\n  examples: |\n    - hi\n- intent: bye\n  examples: |\n    - bye\n",
    "test_data.yml": "nlu:\n- intent: greet\n  examples: |\n    - hello\n- intent: rare\n  examples: |\n    - once\n"
    "- intent: bye\n  examples: |\n    - see you\n",
}
FILES = {
    "config.yml": b"pipeline:\n- name: WhitespaceTokenizer\npolicies:\n- name: RulePolicy\n",
    "domain.yml": b"intents: [greet, bye, rare]\n",
    "data/nlu.yml": NLU,
    "tests/conversations.yml": b"stories:\n- story: x\n  steps:\n  - intent: greet\n",
}


class RecordedRasa:
    """Leaves what Rasa leaves for each command, unless the command is one of `broken`."""

    def __init__(self, *broken: str):
        self.broken, self.commands, self.seen = broken, [], {}

    def start(self, spec: Spec) -> Handle:
        words = " ".join(spec.arguments[:3])
        command = next(one for one in ("test core", "data split", "train nlu", "test nlu") if words.startswith(one))
        self.commands.append(command)
        self.code = 1 if command in self.broken else 0
        if self.code == 0:
            self._leave(command, spec)
        return Handle(1, "now", str(spec.log))

    def _leave(self, command: str, spec: Spec) -> None:
        if command == "test core":
            self.seen["stories"] = sorted(
                str(p.relative_to(spec.folder)) for p in spec.folder.glob("test-stories/**/*.yml")
            )
            self.seen["model"] = (spec.folder / "tested.tar.gz").stat().st_size
            shutil.copytree(RECORDED / "stories", spec.folder / "story-results")
        elif command == "data split":
            self.seen["split"] = spec.arguments
            (spec.folder / "split").mkdir()
            for name, text in SPLIT.items():
                (spec.folder / "split" / name).write_text(text)
        elif command == "test nlu":
            self.seen["held out"] = (spec.folder / "split" / "test_data.yml").read_text()
            self.seen["learned"] = (spec.folder / "split" / "training_data.yml").read_text()
            shutil.copytree(RECORDED / "nlu", spec.folder / "nlu-results")

    def poll(self, handle):
        return Status(running=False, code=self.code)

    def stop(self, handle, grace=10.0):
        return Status(running=False, code=self.code)

    def read_log(self, handle, offset=0, limit=65536):
        text = "InvalidDomain: twice.\n" if self.code else "fine\n"
        return LogChunk(text[offset:], len(text))


@pytest.fixture
def model(db, settings, tmp_path, monkeypatch) -> Model:
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    return trained_from(FILES)


def trained_from(files: dict[str, bytes]) -> Model:
    assistant = add_assistant(actor=None, slug="cafe", title="Café")
    model = make_model(assistant, "otter")
    model.revision = save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    model.save()
    return model


def attempt(model: Model, monkeypatch, settings, rasa: RecordedRasa | None = None) -> TrainingJob:
    rasa = rasa or RecordedRasa()
    monkeypatch.setattr(run, "processes_of", lambda *_: rasa)
    request_test(actor=None, model=model)
    job = training.claim(worker="w", versions=["3.6.21"])
    run._attempt(job, Runtime("3.6.21", Path("/rasa"), "3.6.21"), settings.JOBS_DIR / "1-1")
    job.refresh_from_db()
    return job


def test_a_test_plays_the_stories_and_measures_the_twin(model: Model, monkeypatch, settings):
    rasa = RecordedRasa()
    job = attempt(model, monkeypatch, settings, rasa)
    assert (job.state, job.message) == (State.DONE, "")
    assert rasa.commands == ["test core", "data split", "train nlu", "test nlu"]
    assert rasa.seen["stories"] == ["test-stories/tests/test_conversations.yml"]
    assert rasa.seen["model"] == model.size
    result = ModelTest.objects.get(job=job)
    assert (result.stories, result.held_out_percent, result.model) == (5, 20, model)


def test_the_split_is_seeded_and_follows_the_settings(model: Model, monkeypatch, settings):
    from models_app.services.training_settings import save_settings

    save_settings(actor=None, assistant=model.assistant, values={"held_out_percent": 35})
    rasa = RecordedRasa()
    job = attempt(model, monkeypatch, settings, rasa)
    words = rasa.seen["split"]
    assert words[words.index("--training-fraction") + 1] == "0.65"
    assert words[words.index("--random-seed") + 1] == "42"
    assert job.result.held_out_percent == 35


def test_an_intent_with_one_example_is_learned_and_not_measured(model: Model, monkeypatch, settings):
    rasa = RecordedRasa()
    job = attempt(model, monkeypatch, settings, rasa)
    assert "rare" not in rasa.seen["held out"]
    assert "- intent: rare\n  examples: |\n    - once\n" in rasa.seen["learned"]
    assert (job.result.only_learned, job.result.learned, job.result.held_out) == (["rare"], 3, 2)


@pytest.mark.parametrize("broken", ["test core", "data split", "train nlu", "test nlu"])
def test_a_command_that_fails_fails_the_test_with_rasas_words(model: Model, monkeypatch, settings, broken: str):
    job = attempt(model, monkeypatch, settings, RecordedRasa(broken))
    assert (job.state, job.message) == (State.FAILED, "InvalidDomain: twice.")
    assert not ModelTest.objects.exists()


def test_a_model_that_was_deleted_meanwhile_fails_the_test(model: Model, monkeypatch, settings):
    asked = request_test

    def ask_and_delete(**words):
        job = asked(**words)
        delete_model(actor=None, model=words["model"])
        return job

    monkeypatch.setitem(globals(), "request_test", ask_and_delete)
    job = attempt(model, monkeypatch, settings)
    assert job.state == State.FAILED
    assert "deleted" in job.message


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"data/nlu.yml": b"stories: []\n"}, "no NLU examples"),
        ({"data/nlu.yml": b"nlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n"}, "Too few examples"),
    ],
)
def test_too_little_nlu_data_is_no_failure(db, settings, tmp_path, monkeypatch, change, note):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    rasa = RecordedRasa()
    job = attempt(trained_from({**FILES, **change}), monkeypatch, settings, rasa)
    assert (job.state, rasa.commands) == (State.DONE, ["test core"])
    assert note in job.result.nlu_note
    assert job.result.accuracy is None


def test_without_test_stories_nlu_alone_is_measured(db, settings, tmp_path, monkeypatch):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    files = {path: data for path, data in FILES.items() if not path.startswith("tests/")}
    rasa = RecordedRasa()
    job = attempt(trained_from(files), monkeypatch, settings, rasa)
    assert rasa.commands == ["data split", "train nlu", "test nlu"]
    assert "no test stories" in job.result.stories_note
    assert job.result.accuracy is not None


def test_an_uploaded_model_has_its_stories_played_alone(model: Model, monkeypatch, settings):
    Model.objects.update(revision=None)
    job = attempt(Model.objects.get(), monkeypatch, settings)
    assert job.result.stories == 5
    assert "not trained here" in job.result.nlu_note


@pytest.mark.parametrize(("kind", "field"), [("nlu", "stories_note"), ("core", "nlu_note")])
def test_a_model_of_one_kind_is_measured_in_that(model: Model, monkeypatch, settings, kind: str, field: str):
    Model.objects.update(training_type=kind)
    job = attempt(Model.objects.get(), monkeypatch, settings)
    assert "The model holds no" in getattr(job.result, field)


def test_every_file_of_test_stories_gets_a_name_that_rasa_knows():
    names = story_file_names(["tests/a.yml", "tests/test_a.yml", "data/test_b.yml"])
    assert names == {
        "tests/test_a.yml": "tests/test_a.yml",
        "tests/test__a.yml": "tests/a.yml",
        "data/test_b.yml": "data/test_b.yml",
    }


def test_nothing_is_moved_where_every_intent_is_in_both_parts(tmp_path: Path):
    held_out, learned = tmp_path / "held.yml", tmp_path / "learned.yml"
    held_out.write_text(SPLIT["training_data.yml"])
    learned.write_text(SPLIT["training_data.yml"])
    assert move_single_examples(held_out, learned) == ()
    assert learned.read_text() == SPLIT["training_data.yml"]
