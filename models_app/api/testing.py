"""What tests measured of models."""

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema, Status
from pydantic import BaseModel

from models_app.api.facts import epoch, revision_named
from models_app.api.trainings import TrainingOut, asked_for
from models_app.loaders import load_job, load_model
from models_app.models import ModelTest, TrainingJob
from models_app.services.testing import request_test
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.web.api.paging import Paging, page

router = Router(tags=["tests"])


class TestOut(Schema):
    """Shares are from 0 to 1, as Rasa has them. Numbers of a part that was not measured are null, and its note says
    why. `stories_correct` counts those that warned too."""

    number: int
    model: str
    revision: int
    at: float
    stories: int | None
    stories_correct: int | None
    stories_warned: int | None
    steps_accuracy: float | None
    stories_note: str
    accuracy: float | None
    macro_f1: float | None
    weighted_f1: float | None
    held_out_percent: int | None
    learned: int | None
    held_out: int | None
    nlu_note: str


class ScoreOut(Schema):
    """`kind` is intent, entity or response; `support` the number of held-out examples, of an entity of words."""

    kind: str
    name: str
    extractor: str
    precision: float
    recall: float
    f1: float
    support: int


class ConfusionOut(Schema):
    """`predicted` is empty where no intent was told. `examples` are only for who may see NLU data."""

    expected: str
    predicted: str
    count: int
    examples: list[object]


class FaultOut(Schema):
    """A test story that did not go as written: Rasa marks with `# predicted:` where."""

    name: str
    path: str
    is_warning: bool
    text: str


class TestDetailOut(TestOut):
    """`faults` is empty for who may not see stories."""

    only_learned: list[str]
    scores: list[ScoreOut]
    confusions: list[ConfusionOut]
    faults: list[FaultOut]


class NewTest(BaseModel):
    """With the data that the model learned when `revision` is left out."""

    revision: int | None = None


@router.get(
    "/projects/{slug}/models/{model}/tests", summary="Tests of a model", url_name="model-tests", response=list[TestOut]
)
def tests(
    request: HttpRequest, response: HttpResponse, slug: Path[str], model: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """The newest first."""
    rows = load_model(request, slug, model).test_results.named()
    return [_facts(row) for row in page(request, response, rows, paging)]


@router.post(
    "/projects/{slug}/models/{model}/tests",
    summary="Test a model",
    url_name="model-tests",
    response={202: TrainingOut},
)
def test(
    request: HttpRequest, response: HttpResponse, slug: Path[str], model: Path[str], body: NewTest | None = None
) -> Status[dict[str, object]]:
    """In the line of the trainings. 409 while the same test is under way."""
    row = load_model(request, slug, model, Permission.MODELS_MODIFY)
    number = body.revision if body else None
    revision = None if number is None else revision_named(row.assistant, number)
    return asked_for(response, request_test(actor=signed_in(request), model=row, revision=revision), slug)


@router.get(
    "/projects/{slug}/training/{number}/tests",
    summary="What the tests of a training measured",
    url_name="training-tests",
    response=list[TestDetailOut],
)
def of_training(request: HttpRequest, slug: Path[str], number: Path[int]) -> list[dict[str, object]]:
    """Of a training the tests of its model, of a test its own result; empty before there is one."""
    job = load_job(request, slug, number)
    rows = ModelTest.objects.visible_to(signed_in(request)).named()
    mine = rows.filter(job=job) if job.kind == TrainingJob.Kind.TEST else rows.filter(model=job.model or 0)
    found = mine.prefetch_related("scores", "confusions", "faults")
    return [_details(row, signed_in(request)) for row in found[:20]]


def _facts(row: ModelTest) -> dict[str, object]:
    measured = (
        "stories", "stories_correct", "stories_warned", "steps_accuracy", "stories_note", "accuracy", "macro_f1",
        "weighted_f1", "held_out_percent", "learned", "held_out", "nlu_note",
    )  # fmt: skip
    return {
        "number": row.job.number,
        "model": row.model.name,
        "revision": row.revision.number,
        "at": epoch(row.at),
        **{name: getattr(row, name) for name in measured},
    }


def _details(row: ModelTest, viewer: User) -> dict[str, object]:
    assistant = row.model.assistant_id
    sees_examples = viewer.may_somewhere(Permission.NLU_VIEW, assistant)
    sees_stories = viewer.may_somewhere(Permission.STORIES_VIEW, assistant)
    return {
        **_facts(row),
        "only_learned": row.only_learned,
        "scores": list(row.scores.all()),
        "confusions": [
            {
                "expected": pair.expected,
                "predicted": pair.predicted,
                "count": pair.count,
                "examples": pair.examples if sees_examples else [],
            }
            for pair in row.confusions.all()
        ],
        "faults": list(row.faults.all()) if sees_stories else [],
    }
