"""Trainings, tests and validations: asking for one, following it, ending it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status
from pydantic import BaseModel

from models_app.api.facts import address_of, as_file, epoch, revision_named
from models_app.loaders import load_assistant, load_job, require_models
from models_app.models import Assistant, Revision, TrainingJob
from models_app.services.revisions import newest_revision
from models_app.services.same_training import Finetuning, TrainedAlready
from models_app.services.training import cancel_training, request_training
from models_app.services.training_settings import rasa_of
from models_app.training import journal, reading_log
from models_app.training.estimate import Spread
from models_app.training.finetune import finetuning_of
from models_app.training.outlook import Outlook, look_ahead
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.web.api.paging import Paging, page

router = Router(tags=["trainings"])

Kind = Literal["training", "test", "validation"]
State = Literal["queued", "preparing", "training", "packaging", "done", "failed", "cancelled", "lost"]
WHOLE = 5  # seconds: estimates are rounded to this, so that a poll says something new only when there is something new


class SpreadOut(Schema):
    """Seconds. Half of all cases lie below `middle`, four of five between `low` and `high`."""

    low: float
    middle: float
    high: float


class TrainingOut(Schema):
    """`state` goes queued → preparing → training → packaging → done, failed, cancelled or lost (its worker vanished).

    `progress` is percent, null until the first component. `place` is 1 for what is taken next, null when it does not
    wait. `starts_in` and `left` are null where nothing is known. `tested` is the model that a test is of.
    """

    id: int = Field(description="The number, under the name that Rasa Enterprise's clients read.")
    number: int
    kind: Kind
    state: State
    state_text: str
    is_ended: bool
    is_cancelling: bool
    step: str
    step_done: int
    step_total: int
    progress: int | None
    place: int | None
    starts_in: SpreadOut | None
    left: SpreadOut | None
    outlook: str
    message: str
    revision: int
    model: str | None
    tested: str | None
    with_tests: bool
    finetune_from: str | None
    epochs_percent: int | None
    is_automatic: bool
    attempt: int
    rasa_version: str
    requested_by: str
    requested_at: float
    started_at: float | None
    finished_at: float | None
    url: str


class NewTraining(BaseModel):
    """`force` trains what was trained already once more. `epochs_percent` counts with `finetune_from`."""

    revision: int | None = Field(None, description="The newest when left out.")
    with_tests: bool = False
    finetune_from: str | None = Field(None, description="A model that was trained here.")
    epochs_percent: int = Field(50, ge=1, le=100)
    force: bool = False


class TrainingsWanted(Schema):
    kind: Kind | None = None
    state: State | None = None


class After(Schema):
    after: str = Field("", pattern=r"^([0-9]{1,18}\.[0-9]{1,9})?$", description="`next` of an answer before.")


class LineOut(Schema):
    """`number` counts from 1; 0 for a line that stands for lines which were left out."""

    number: int
    text: str


class TrainingLogOut(Schema):
    """`next` is asked for as `?after=`. `is_ended`: nothing comes any more once an answer has no lines."""

    lines: list[LineOut]
    next: str
    is_ended: bool
    state: State


@router.get(
    "/projects/{slug}/training",
    summary="Trainings, tests and validations",
    url_name="trainings",
    response=list[TrainingOut],
)
def trainings(
    request: HttpRequest, response: HttpResponse, slug: Path[str], which: Query[TrainingsWanted], paging: Query[Paging]
) -> list[dict[str, object]]:
    """The newest first."""
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    wanted = {name: value for name, value in which.model_dump().items() if value}
    jobs = TrainingJob.objects.visible_to(signed_in(request)).filter(assistant=assistant, **wanted)
    return facts_of(page(request, response, jobs.named(), paging), slug)


def _train(
    request: HttpRequest, response: HttpResponse, slug: str, body: NewTraining | None
) -> Status[dict[str, object]]:
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    wanted = body or NewTraining.model_validate({})
    revision = newest_revision(assistant) if wanted.revision is None else revision_named(assistant, wanted.revision)
    ask = partial(
        request_training,
        actor=signed_in(request),
        assistant=assistant,
        revision=revision,
        finetuning=_finetuning(assistant, revision, wanted),
        test_after=wanted.with_tests,
    )
    return asked_for(response, _insisting(ask) if wanted.force else ask(), slug)


def _insisting(ask: Callable[..., TrainingJob]) -> TrainingJob:
    """Train the same once more, with the eyes open."""
    try:
        return ask()
    except TrainedAlready as error:
        return ask(known=error.job.number)


def _finetuning(assistant: Assistant, revision: Revision | None, wanted: NewTraining) -> Finetuning | None:
    if wanted.finetune_from is None or revision is None:
        return None
    fraction = wanted.epochs_percent / 100
    return finetuning_of(assistant, revision, rasa_of(assistant), name=wanted.finetune_from, epoch_fraction=fraction)


@router.post("/projects/{slug}/training", summary="Train", url_name="trainings", response={202: TrainingOut})
def train(
    request: HttpRequest, response: HttpResponse, slug: Path[str], body: NewTraining | None = None
) -> Status[dict[str, object]]:
    """409 when the same was trained already, with `details.model`, or is in line, with `details.job`."""
    return _train(request, response, slug, body)


@router.post(
    "/projects/{slug}/models/jobs", summary="Train, as Rasa Enterprise", url_name="jobs", response={202: TrainingOut}
)
def train_as_job(
    request: HttpRequest, response: HttpResponse, slug: Path[str], body: NewTraining | None = None
) -> Status[dict[str, object]]:
    return _train(request, response, slug, body)


def asked_for(response: HttpResponse, job: TrainingJob, slug: str) -> Status[dict[str, object]]:
    """202 with where to look."""
    facts = facts_of([job], slug)[0]
    response["Location"] = str(facts["url"])
    return Status(202, facts)


@router.get("/projects/{slug}/training/{number}", summary="One training", url_name="training", response=TrainingOut)
def training(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, object]:
    return facts_of([load_job(request, slug, number)], slug)[0]


@router.get(
    "/projects/{slug}/training/{number}/log",
    summary="A training's log",
    url_name="training-log",
    response=TrainingLogOut,
)
def log(request: HttpRequest, slug: Path[str], number: Path[int], wanted: Query[After]) -> dict[str, object]:
    """From the beginning, or what came after `?after=`."""
    job = load_job(request, slug, number)
    last, line = map(int, wanted.after.split(".")) if wanted.after else (0, 1)
    found = reading_log.after(job, last, line)
    return {
        "lines": [{"number": one.number, "text": one.text} for one in found.lines],
        "next": f"{found.last}.{found.following}",
        "is_ended": job.is_ended,
        "state": job.state,
    }


@router.get(
    "/projects/{slug}/training/{number}/log.txt",
    summary="A training's log as plain text",
    url_name="training-log-text",
    response={200: None},
    openapi_extra=as_file("text/plain"),
)
def log_text(request: HttpRequest, slug: Path[str], number: Path[int]) -> HttpResponse:
    text = reading_log.whole(load_job(request, slug, number))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@router.post(
    "/projects/{slug}/training/{number}/cancel",
    summary="Cancel a training",
    url_name="training-cancel",
    response={202: TrainingOut},
)
def cancel(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int]
) -> Status[dict[str, object]]:
    """One that waits ends at once; a running one is stopped by its worker. 409 when it has ended."""
    cancel_training(actor=signed_in(request), job=load_job(request, slug, number, Permission.MODELS_MODIFY))
    return asked_for(response, load_job(request, slug, number), slug)


# --- Facts --------------------------------------------------------------------------------------------------------


def facts_of(jobs: Sequence[TrainingJob], slug: str) -> list[dict[str, object]]:
    outlook = look_ahead() if any(not job.is_ended for job in jobs) else Outlook()
    return [_facts(job, slug, outlook) for job in jobs]


def _facts(job: TrainingJob, slug: str, outlook: Outlook) -> dict[str, object]:
    return {
        "id": job.number,
        "number": job.number,
        "kind": job.kind,
        "state": job.state,
        "state_text": journal.state_words(job, outlook),
        "is_ended": job.is_ended,
        "is_cancelling": job.cancel_requested_at is not None and not job.is_ended,
        "step": job.step,
        "step_done": job.step_done,
        "step_total": job.step_total,
        "progress": journal.percent_of(job),
        "place": outlook.place(job) or None,
        "starts_in": _rounded(outlook.starts.get(job.pk)),
        "left": _rounded(outlook.left(job)),
        "outlook": outlook.words(job),
        "message": job.message,
        "revision": job.revision.number,
        "model": _name(job.model),
        "tested": _name(job.tested),
        "with_tests": job.test_after,
        "finetune_from": _name(job.finetune_from),
        "epochs_percent": job.epoch_percent,
        "is_automatic": job.is_automatic,
        "attempt": job.attempt,
        "rasa_version": job.rasa_version,
        "requested_by": job.requested_by_label,
        "requested_at": epoch(job.requested_at),
        "started_at": epoch(job.started_at),
        "finished_at": epoch(job.finished_at),
        "url": address_of("training", slug, job.number),
    }


def _name(model: object) -> str | None:
    return None if model is None else str(model)


def _rounded(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    parts = {"low": spread.low, "middle": spread.middle, "high": spread.high}
    return {name: float(WHOLE * round(value / WHOLE)) for name, value in parts.items()}
