"""Tests of models as rows, with the files recorded from a real Rasa."""

from dataclasses import replace
from pathlib import Path

from models_app.models import Model, ModelTest, TrainingJob
from models_app.services import training
from models_app.services.revisions import newest_revision, save_revision
from models_app.services.testing import Measured, finish_test, request_test
from models_app.training.results import read_nlu, read_stories

RECORDED = Path(__file__).parent / "rasa_results"


def measured() -> Measured:
    return Measured(
        stories=read_stories(RECORDED / "stories"),
        nlu=read_nlu(RECORDED / "nlu"),
        held_out_percent=20,
        learned=1000,
        held_out=266,
        only_learned=("rare",),
    )


def better() -> Measured:
    """One whose stories all went as written, with a higher F1."""
    found = measured()
    assert found.stories is not None and found.nlu is not None
    return replace(
        found,
        stories=replace(found.stories, correct=5, steps_accuracy=1.0, faults=()),
        nlu=replace(found.nlu, macro_f1=0.99, pairs=()),
    )


def waiting_test(model: Model) -> TrainingJob:
    """Of a model with data; it gets some when its assistant has none."""
    if newest_revision(model.assistant) is None:
        files = {"domain.yml": b"{}\n"}
        save_revision(actor=None, assistant=model.assistant, files=files, message="", parent_number=None)
    return request_test(actor=None, model=model)


def running_test(model: Model) -> TrainingJob:
    waiting = waiting_test(model)
    TrainingJob.objects.filter(pk=waiting.pk).update(priority=0)  # before whatever else waits
    job = training.claim(worker="w", versions=["3.6.21"])
    assert job is not None and job == waiting
    return job


def result_of(model: Model, found: Measured | None = None) -> ModelTest:
    return finish_test(running_test(model), found or measured())
