"""What tests measured of a model: its page, and the button that asks for one."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.loaders import load_model, rights_on_models
from models_app.models import Model, ModelTest, TrainingJob
from models_app.services.testing import request_test
from models_app.testing.page import sections_of
from models_app.training import journal
from models_app.training.outlook import Outlook, UnderWay, look_ahead
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go

TESTS_SHOWN = 20  # of one model, to choose from


@require_safe
def test_results(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """The newest test of the model, or the one that `?test=` names by its number."""
    model = load_model(request, slug, name)
    tests = list(model.test_results.named().select_related("model__assistant")[:TESTS_SHOWN])
    chosen = _chosen(model, tests, request.GET.get("test", ""))
    context = {
        "model": model,
        "tests": tests,
        "test": chosen,
        **_latest(model),
        **(sections_of(chosen, signed_in(request), request.GET) if chosen else {}),
        **rights_on_models(request, model.assistant),
    }
    return render(request, "models_app/testing/page.html", context)


def _chosen(model: Model, tests: Sequence[ModelTest], number: str) -> ModelTest | None:
    if not number:
        return tests[0] if tests else None
    found = model.test_results.filter(job__number=int(number)).first() if _is_number(number) else None
    if found is None:
        raise Http404("There is no such test of this model.")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _latest(model: Model) -> dict[str, object]:
    """The last test that was asked for, unless it ended well: then its result is on the page."""
    job = model.tests.filter(kind=TrainingJob.Kind.TEST).select_related("revision").order_by("-pk").first()
    if job is None or job.state == TrainingJob.State.DONE:
        return {"job": None}
    under_way = UnderWay()
    outlook = Outlook() if job.is_ended else look_ahead(under_way)
    return {
        "job": job,
        "state": journal.state_words(job, outlook),
        "outlook": outlook.words(job),
        "percent": journal.percent_of(job),
        "line": None if job.is_ended else journal.look_at_line(model.assistant, under_way),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def test_model(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """Test the model with the data it learned."""
    model = load_model(request, slug, name, Permission.MODELS_MODIFY)
    if request.method == "POST":
        try:
            request_test(actor=signed_in(request), model=model)
        except DomainError as error:
            messages.warning(request, error.message)
        return go(request, reverse("models:tests", args=[slug, name]))
    context = {
        "heading": f"Test {model.name}",
        "text": "The test stories of its data are played, and its NLU is measured with examples that a twin of it has "
        "not seen. That takes about as long as a training, in the same line.",
        "confirm_label": "Test the model",
    }
    return render(request, "components/confirm.html", context)
