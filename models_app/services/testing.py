"""Tests of models: asking for one, and the only writer of what it measured."""

from dataclasses import asdict, dataclass

from django.db import transaction

from models_app.models import (
    Assistant,
    Confusion,
    LabelScore,
    Model,
    ModelTest,
    Revision,
    StoryFault,
    TrainingJob,
)
from models_app.services import training
from models_app.services.revisions import newest_revision
from models_app.training.results import Nlu, Stories
from studio.access.models import User
from studio.audit.actions import Action
from studio.errors import Conflict, Invalid

State = TrainingJob.State


@dataclass(frozen=True, slots=True)
class Measured:
    """What one test found. A part that is None has a note that says why."""

    stories: Stories | None = None
    stories_note: str = ""
    nlu: Nlu | None = None
    nlu_note: str = ""
    held_out_percent: int | None = None
    learned: int | None = None
    held_out: int | None = None
    only_learned: tuple[str, ...] = ()


@transaction.atomic
def request_test(
    *, actor: User | None, model: Model, revision: Revision | None = None, actor_label: str = ""
) -> TrainingJob:
    """Queue a test of `model` with `revision`: when it is left out, the one it learned, else the newest."""
    assistant = Assistant.objects.select_for_update().get(pk=model.assistant_id)
    if Model.objects.current().filter(pk=model.pk).first() is None:
        raise Conflict(f"The model {model.name} was deleted meanwhile.", code="model-deleted")
    revision = revision or model.revision or newest_revision(assistant)
    if revision is None:
        raise Invalid("There is no training data to test it with. Upload a project on the Data page first.")
    under_way = TrainingJob.objects.exclude(state__in=TrainingJob.ENDED)
    known = under_way.filter(kind=TrainingJob.Kind.TEST, tested=model, revision=revision).first()
    if known is not None:
        raise Conflict(f"Test {known.number} of this model is under way already.", job=known.number)
    return training.put_in_line(
        Action.TEST_REQUESTED,
        actor=actor,
        actor_label=actor_label,
        revision=revision,
        after={"model": model.name, "revision": revision.number},
        kind=TrainingJob.Kind.TEST,
        tested=model,
    )


@transaction.atomic
def finish_training(job: TrainingJob, model: Model) -> None:
    """End the training with its model, and, when it was to be tested, ask for that in the same breath.

    Raises what training.finish does.
    """
    is_new = TrainingJob.objects.select_for_update().get(pk=job.pk).state != State.DONE
    training.finish(job, model)
    if job.test_after and is_new:
        request_test(actor=job.requested_by, actor_label=job.requested_by_label, model=model, revision=job.revision)


@transaction.atomic
def finish_test(job: TrainingJob, measured: Measured) -> ModelTest:
    """Keep what was measured and end the job. Raises Superseded or CancelRequested, and keeps nothing then."""
    if job.tested is None:
        raise ValueError(f"{job} is no test of a model")
    kept = ModelTest.objects.filter(job=job, job__attempt=job.attempt).first()
    if kept is not None:
        return kept  # written already: the database went away before it could say so
    training.finish(job, None)
    test = ModelTest.objects.create(
        job=job,
        model=job.tested,
        revision=job.revision,
        stories_note=measured.stories_note,
        nlu_note=measured.nlu_note,
        **_story_numbers(measured.stories),
        **_nlu_numbers(measured),
    )
    if measured.stories is not None:
        StoryFault.objects.bulk_create(StoryFault(test=test, **asdict(fault)) for fault in measured.stories.faults)
    if measured.nlu is not None:
        LabelScore.objects.bulk_create(LabelScore(test=test, **asdict(score)) for score in measured.nlu.scores)
        Confusion.objects.bulk_create(Confusion(test=test, **asdict(pair)) for pair in measured.nlu.pairs)
    return test


def _story_numbers(stories: Stories | None) -> dict[str, float | None]:
    if stories is None:
        return {}
    return {
        "stories": stories.total,
        "stories_correct": stories.correct,
        "stories_warned": stories.warned,
        "steps_accuracy": stories.steps_accuracy,
    }


def _nlu_numbers(measured: Measured) -> dict[str, object]:
    if measured.nlu is None:
        return {}
    return {
        "accuracy": measured.nlu.accuracy,
        "macro_f1": measured.nlu.macro_f1,
        "weighted_f1": measured.nlu.weighted_f1,
        "held_out_percent": measured.held_out_percent,
        "learned": measured.learned,
        "held_out": measured.held_out,
        "only_learned": list(measured.only_learned),
    }
