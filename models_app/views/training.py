"""Trainings: the list, the page of one with its live log, the Train button."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.data_loaders import may_see_data
from models_app.loaders import load_assistant, load_job, require_models, rights_on_models
from models_app.models import TrainingJob
from models_app.services.revisions import newest_revision
from models_app.services.training import cancel_training, changes_since_training
from models_app.services.validation import validation_of
from models_app.training import journal, reading_log
from models_app.training.outlook import Outlook, UnderWay, look_ahead, usual_words, workers
from studio.access.loaders import signed_in
from studio.access.permissions import EVERYWHERE, Permission
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

CANCELLED = {
    "training": "The training stops where it is and makes no model. Its log stays; the data can be trained again.",
    "test": "The test stops where it is and keeps no numbers. Its log stays; the model can be tested again.",
    "validation": "The validation stops where it is and says nothing of the data. Its log stays.",
}


@require_safe
def job_list(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    jobs = TrainingJob.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    page, under_way = page_of(jobs.named(), request), UnderWay(assistant)
    context = {
        "page": page,
        "rows": journal.rows_of(page.rows, under_way),
        "total": jobs.count(),
        "line": journal.look_at_line(assistant, under_way),
        "under_way": any(not job.is_ended for job in page.rows),
        "newest": newest_revision(assistant),
        "usual": usual_words(assistant, under_way),
        "workers": workers(under_way) if signed_in(request).may(Permission.ADMIN_VIEW, EVERYWHERE) else None,
        **rights_on_models(request, assistant),
    }
    is_poll = request.htmx.target == "jobs"
    return render(request, "models_app/training/_jobs.html" if is_poll else "models_app/training/list.html", context)


@require_safe
def job_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """`?q=` shows the lines of the log that hold these words, `?line=` what stands around that line."""
    job = load_job(request, slug, number)
    words, line = request.GET.get("q", "").strip()[:200], request.GET.get("line", "")
    log: dict[str, object]
    if words:
        log = {"found": reading_log.search(job, words)}
    else:
        log = {"log": reading_log.page(job, int(line) if line.isdigit() else None)}
    return render(request, "models_app/training/detail.html", {**log, **_live_context(request, job)})


@require_safe
def job_live(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """What changed since the log's piece `?after=`: states replace theirs, new lines are added to the log.

    `?line=` is the number of the next line. Without them only the states are asked for.
    """
    job = load_job(request, slug, number)
    after, line = request.GET.get("after", ""), request.GET.get("line", "1")
    context = {"is_poll": True, **_live_context(request, job)}
    if after.isdigit() and line.isdigit():
        context["log"] = reading_log.after(job, int(after), int(line))
    return render(request, "models_app/training/_live.html", context)


def _live_context(request: HttpRequest, job: TrainingJob) -> dict[str, object]:
    under_way = UnderWay(job.assistant)
    outlook = Outlook() if job.is_ended else look_ahead(under_way)
    return {
        "job": job,
        "state": journal.state_words(job, outlook),
        "outlook": outlook.words(job),
        "seconds": journal.seconds_of(job),
        "percent": journal.percent_of(job),
        "steps": journal.steps_of(job),
        "line": None if job.is_ended else journal.look_at_line(job.assistant, under_way),
        "is_newest": job.revision == newest_revision(job.assistant),
        "validation": validation_of(job),
        "may_see_data": may_see_data(signed_in(request), job.assistant_id),
        **rights_on_models(request, job.assistant),
    }


@require_safe
def job_log(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The whole log as a file."""
    job = load_job(request, slug, number)
    text = reading_log.whole(job)
    headers = {"Content-Disposition": f'attachment; filename="{slug}-training-{number}.log"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HtmxHttpRequest, slug: str, number: int) -> HttpResponse:
    job = load_job(request, slug, number, Permission.MODELS_MODIFY)
    refused = "This training has ended already." if job.is_ended else ""
    if request.method == "POST":
        try:
            cancel_training(actor=signed_in(request), job=job)
        except DomainError as error:
            refused = error.message
        else:
            return go(request, reverse("models:job", args=[slug, number]))
    context = {
        "heading": f"Cancel {job.title.lower()}",
        "text": CANCELLED.get(job.kind, CANCELLED["training"]),
        "confirm_label": f"Cancel the {job.kind}",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)


@require_safe
def changes(request: HttpRequest, slug: str) -> HttpResponse:
    """A fragment for other pages: how many files changed since the last training."""
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    newest = newest_revision(assistant)
    changed = changes_since_training(newest) if newest is not None else []
    return render(request, "models_app/training/_changes.html", {"changes": len(changed)})
