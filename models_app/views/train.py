"""The Train button and its dialog: which data, anew or going on from a model, and what is there already."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from models_app.forms.training import TrainForm
from models_app.loaders import load_assistant
from models_app.models import Assistant, Revision, TrainingJob
from models_app.services.revisions import newest_revision
from models_app.services.same_training import TrainedAlready, same_trainings
from models_app.services.training import request_training
from models_app.services.training_settings import rasa_of, settings_of
from models_app.training.finetune import Candidate, candidates
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go


@require_http_methods(["GET", "HEAD", "POST"])
def train(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """Train the newest revision, or the one that `revision` names. A bare POST is the Train button: no questions."""
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    revision = _revision(request, assistant)
    offered = candidates(assistant, revision, rasa_of(assistant)) if revision else []
    form = TrainForm(
        request.POST if request.method == "POST" else None,
        initial={"finetune": request.GET.get("from", "")},
        models=[one.model for one in offered if one.fits],
    )
    if not form.is_valid():
        done = _done(assistant, revision) if revision and not form.is_bound else None
        return _dialog(request, assistant, form, revision, offered, done)
    try:
        job = request_training(
            actor=signed_in(request),
            assistant=assistant,
            revision=revision,
            finetuning=form.finetuning(),
            known=form.cleaned_data["known"],
            test_after=form.cleaned_data["test"],
        )
    except TrainedAlready as error:
        return _dialog(request, assistant, form, revision, offered, error.job)
    except DomainError as error:
        return _elsewhere(request, slug, error)
    return go(request, reverse("models:job", args=[slug, job.number]))


def _revision(request: HttpRequest, assistant: Assistant) -> Revision | None:
    number = (request.POST if request.method == "POST" else request.GET).get("revision", "")
    if number.isascii() and number.isdigit() and len(number) < 10:
        return Revision.objects.filter(assistant=assistant, number=int(number)).first()
    return newest_revision(assistant)


def _done(assistant: Assistant, revision: Revision) -> TrainingJob | None:
    same = same_trainings(assistant, revision, None)
    return same[0] if same else None


def _dialog(
    request: HttpRequest,
    assistant: Assistant,
    form: TrainForm,
    revision: Revision | None,
    offered: list[Candidate],
    same: TrainingJob | None,
) -> HttpResponse:
    context = {
        "heading": f"Train revision {revision.number}" if revision else "Train",
        "form": form,
        "revision": revision,
        "candidates": offered,
        "chosen": form["finetune"].value() or "",
        "same": same,
        "is_tested_anyway": settings_of(assistant).test_after,
    }
    return render(request, "models_app/training/train_dialog.html", context, status=422 if form.is_bound else 200)


def _elsewhere(request: HtmxHttpRequest, slug: str, error: DomainError) -> HttpResponse:
    """To the job that waits already, or to the list, with why."""
    messages.warning(request, error.message)
    known = error.details.get("job")
    where = reverse("models:job", args=[slug, known]) if known else reverse("models:training", args=[slug])
    return go(request, where)
