"""A model that exists already is named before it is trained once more; what a model is made of is kept and shown."""

import hashlib
from typing import Any

import pytest
from django.test import Client

from models_app.models import Assistant, Model, PackageLock, TrainingJob, TrainingSettings
from models_app.services import training
from models_app.services.models import delete_model
from models_app.services.revisions import newest_revision, save_revision
from models_app.services.same_training import Finetuning, TrainedAlready
from models_app.training import facts
from models_app.training.finetune import candidates
from models_app.training.project import read_project
from studio.errors import Conflict
from studio.web import formats
from tests.factories import make_model, make_person

CONFIG = b"""recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: DIETClassifier
  epochs: 20
  random_seed: 42
policies:
- name: RulePolicy
- name: TEDPolicy
  epochs: 5
"""
FILES = {"config.yml": CONFIG, "domain.yml": b"intents: [greet]\n", "data/nlu.yml": b"nlu: []\n"}


def save(assistant: Assistant, **changes: bytes) -> None:
    newest = newest_revision(assistant)
    files = FILES | {"config.yml": changes.get("config", CONFIG), "data/nlu.yml": changes.get("nlu", b"nlu: []\n")}
    number = newest.number if newest else None
    save_revision(actor=None, assistant=assistant, files=files, message="Menu", parent_number=number)


def trained(assistant: Assistant, name: str, finetuning: Finetuning | None = None) -> TrainingJob:
    """A training that ended well, with what its worker keeps."""
    job = training.request_training(actor=make_person("admin"), assistant=assistant, finetuning=finetuning)
    attempt = training.claim(worker="w", versions=["3.6.21", "3.6.20"])
    assert attempt is not None
    config = read_project(FILES | {"config.yml": CONFIG})
    training.keep_facts(attempt, packages="rasa==3.6.21\ntensorflow==2.12.0\n", **facts.facts_of(config, CONFIG))
    training.beat(attempt, step="", done=0, total=0, peak_memory=700_000_000)
    training.finish(attempt, make_model(assistant, name))
    job.refresh_from_db()
    return job


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


@pytest.fixture
def otter(assistant: Assistant) -> TrainingJob:
    save(assistant)
    return trained(assistant, "otter")


def ask(assistant: Assistant, **how: Any) -> TrainingJob:
    return training.request_training(actor=None, assistant=assistant, **how)


def test_equal_data_of_another_revision_is_the_same_model(assistant: Assistant, otter: TrainingJob):
    save(assistant, nlu=b"nlu: [a]\n")
    save(assistant)
    with pytest.raises(TrainedAlready, match="otter") as refused:
        ask(assistant)
    assert refused.value.job == otter
    assert ask(assistant, known=otter.number).revision.number == 3


@pytest.mark.parametrize("what", ["data", "rasa", "deleted", "failed"])
def test_another_model_is_trained_without_a_question(assistant: Assistant, otter: TrainingJob, what: str):
    if what == "data":
        save(assistant, nlu=b"nlu: [a]\n")
    elif what == "rasa":
        TrainingSettings.objects.create(assistant=assistant, rasa_version="3.6.20")
    elif what == "deleted":
        assert otter.model is not None
        delete_model(actor=None, model=otter.model)
    else:
        TrainingJob.objects.update(state="failed", model=None)
    assert ask(assistant).state == "queued"


def test_a_second_click_on_train_all_the_same_makes_no_third_model(assistant: Assistant, otter: TrainingJob):
    ask(assistant, known=otter.number)
    with pytest.raises(Conflict):
        ask(assistant, known=otter.number)
    assert training.claim(worker="w", versions=["3.6.21"]) is not None
    with pytest.raises(TrainedAlready, match="just now"):
        ask(assistant, known=otter.number)


def test_going_on_from_a_model_is_another_training(assistant: Assistant, otter: TrainingJob):
    assert otter.model is not None
    half = Finetuning(otter.model, 0.5)
    trained(assistant, "heron", half)
    with pytest.raises(TrainedAlready, match="heron"):
        ask(assistant, finetuning=half)
    assert ask(assistant, finetuning=Finetuning(otter.model, 0.2)).epoch_percent == 20


# --- The dialog ---------------------------------------------------------------------------------------------------


def test_the_button_names_the_model_and_offers_to_train_all_the_same(admin: Client, otter: TrainingJob):
    answer = admin.post("/a/cafe/train")
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "This model exists already" in shown
    assert 'name="percent" value="50"' in shown
    assert "/a/cafe/models/otter" in shown
    assert TrainingJob.objects.count() == 1
    assert admin.post("/a/cafe/train", {"known": "1"})["Location"] == "/a/cafe/training/2"


def test_from_htmx_the_answer_is_the_dialog_alone(admin: Client, otter: TrainingJob):
    shown = admin.post("/a/cafe/train", headers={"HX-Request": "true"}).content.decode()
    assert "Train all the same" in shown
    assert "<html" not in shown
    assert admin.post("/a/cafe/train", {"known": "1"}, headers={"HX-Request": "true"})["HX-Redirect"]


def test_the_dialog_chooses_a_model_to_go_on_from(admin: Client, assistant: Assistant, otter: TrainingJob):
    save(assistant, nlu=b"nlu: [a]\n")
    shown = admin.get("/a/cafe/train?from=otter").content.decode()
    assert '<option value="otter" selected>' in shown
    admin.post("/a/cafe/train", {"finetune": "otter", "percent": "25"})
    job = TrainingJob.objects.get(number=2)
    assert (job.finetune_from, job.epoch_fraction) == (otter.model, 0.25)
    assert "goes on from" in admin.get("/a/cafe/training/2").content.decode()


@pytest.mark.parametrize("form", [{"finetune": "nobody"}, {"finetune": "otter", "percent": "0"}, {"known": "x"}])
def test_what_cannot_be_is_said_and_nothing_is_queued(admin: Client, otter: TrainingJob, form: dict[str, str]):
    answer = admin.post("/a/cafe/train", form)
    assert answer.status_code == 422
    assert TrainingJob.objects.count() == 1


def test_a_failed_one_that_went_on_is_tried_again_the_same_way(admin: Client, assistant: Assistant, otter: TrainingJob):
    assert otter.model is not None
    ask(assistant, finetuning=Finetuning(otter.model, 0.3))
    attempt = training.claim(worker="w", versions=["3.6.21"])
    assert attempt is not None
    training.fail(attempt, "Cannot finetune")
    shown = admin.get("/a/cafe/training/2").content.decode()
    assert '<input type="hidden" name="finetune" value="otter"><input type="hidden" name="percent" value="30">' in shown


def test_models_that_do_not_fit_are_named_with_why(assistant: Assistant, otter: TrainingJob):
    revision = newest_revision(assistant)
    assert revision is not None
    assert [one.why_not for one in candidates(assistant, revision, "3.6.21")] == [""]
    assert [one.why_not for one in candidates(assistant, revision, "3.6.20")] == ["made with Rasa 3.6.21"]
    save(assistant, config=CONFIG.replace(b"epochs: 20", b"epochs: 90"))
    newer = newest_revision(assistant)
    assert newer is not None
    assert [one.why_not for one in candidates(assistant, newer, "3.6.21")] == [""]
    save(assistant, config=CONFIG.replace(b"random_seed: 42", b"random_seed: 43"))
    newest = newest_revision(assistant)
    assert newest is not None
    assert [one.why_not for one in candidates(assistant, newest, "3.6.21")] == ["another configuration"]


# --- What a model is made of --------------------------------------------------------------------------------------


def test_the_models_page_tells_how_it_was_made(admin: Client, assistant: Assistant, otter: TrainingJob):
    assert otter.model is not None
    trained(assistant, "heron", Finetuning(otter.model, 0.5))
    shown = admin.get("/a/cafe/models/heron").content.decode()
    assert "How it was made" in shown
    assert "DIETClassifier 42; not fixed in TEDPolicy" in shown
    assert hashlib.sha256(CONFIG).hexdigest()[:12] in shown
    assert hashlib.sha256(b"rasa==3.6.21\ntensorflow==2.12.0\n").hexdigest() in shown
    assert formats.size(700_000_000) in shown
    assert "/a/cafe/models/otter" in shown
    assert "Gone on to" in admin.get("/a/cafe/models/otter").content.decode()


def test_an_uploaded_model_has_no_making(admin: Client, assistant: Assistant):
    make_model(assistant, "crane")
    assert "How it was made" not in admin.get("/a/cafe/models/crane").content.decode()


def test_equal_runtimes_share_a_lock_and_another_tensorflow_is_another(assistant: Assistant, otter: TrainingJob):
    ask(assistant, known=otter.number)
    attempt = training.claim(worker="w", versions=["3.6.21"])
    assert attempt is not None
    training.keep_facts(attempt, packages="rasa==3.6.21\ntensorflow==2.13.0\n")
    assert PackageLock.objects.count() == 2
    assert attempt.lock_id != otter.lock_id


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([], "nothing in it depends on chance"),
        ([("DIETClassifier", 42), ("TEDPolicy", 42)], "42"),
        ([("DIETClassifier", None)], "not fixed"),
        ([("DIETClassifier", 1), ("TEDPolicy", 2)], "DIETClassifier 1, TEDPolicy 2"),
        ([("DIETClassifier", 1), ("TEDPolicy", None)], "DIETClassifier 1; not fixed in TEDPolicy"),
    ],
)
def test_seeds_in_words(seeds: list[tuple[str, int | None]], said: str):
    assert facts.seed_words(seeds) == said


def test_a_worker_that_dies_before_the_end_leaves_no_model(assistant: Assistant, otter: TrainingJob):
    import io

    from models_app.services.models import add_model
    from tests.models_app.archives import model_archive

    def die(_model: Model) -> None:
        raise training.Superseded

    with pytest.raises(training.Superseded):
        add_model(
            actor=None,
            assistant=assistant,
            source=io.BytesIO(model_archive(model_id="x")),
            file_name="x.tar.gz",
            origin=Model.Origin.TRAINED,
            also=die,
        )
    assert list(Model.objects.values_list("name", flat=True)) == ["otter"]
