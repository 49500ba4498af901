"""Which models are kept: the mark on a model, and the rule of an assistant with what it would delete."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.forms.models import KeepForm, ModelRetentionForm
from models_app.loaders import load_model, load_model_retention, visible_tags
from models_app.models import Model
from models_app.services.model_retention import (
    Plan,
    change_rule,
    keep_model,
    keep_model_no_longer,
    plan_of,
    rule_of,
)
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web import formats
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

METHODS = ["GET", "HEAD", "POST"]
STAY_SHOWN = 50


@require_safe
def retention_page(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """The rule and what it would delete; `?newest=` tries another number without saving it."""
    assistant = load_model_retention(request, slug)
    rule = rule_of(assistant)
    trial = ModelRetentionForm(request.GET if "newest" in request.GET else None, initial={"newest": rule.newest})
    newest = trial.cleaned_data["newest"] if trial.is_valid() else rule.newest
    plan = plan_of(assistant, newest)
    doomed = Model.objects.filter(pk__in=plan.doomed).select_related("job", "revision").defer("domain")
    context = {
        "rule": rule,
        "trial": trial,
        "newest": newest,
        "plan": plan,
        "stay": plan.stay[:STAY_SHOWN],
        "stay_more": len(plan.stay) - STAY_SHOWN,
        "page": page_of(doomed.prefetch_related(visible_tags(signed_in(request))), request),
    }
    return render(request, "models_app/model_retention.html", context)


@require_http_methods(METHODS)
def edit(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_model_retention(request, slug)
    form = ModelRetentionForm(request.POST or None, initial={"newest": _number(request, rule_of(assistant).newest)})
    if form.is_valid():
        change_rule(actor=signed_in(request), assistant=assistant, newest=form.cleaned_data["newest"])
        return go(request, _address(slug))
    return form_dialog(request, form, "Which models are kept")


def _number(request: HtmxHttpRequest, otherwise: int) -> int:
    """The number that was tried on the page."""
    form = ModelRetentionForm(request.GET)
    return int(form.cleaned_data["newest"]) if form.is_valid() else otherwise


@require_http_methods(METHODS)
def switch(request: HtmxHttpRequest, slug: str, to: str) -> HttpResponse:
    assistant = load_model_retention(request, slug)
    if to not in ("on", "off"):
        raise Http404("A rule is on or off.")
    rule = rule_of(assistant)
    if request.method == "POST":
        change_rule(actor=signed_in(request), assistant=assistant, is_on=to == "on")
        return go(request, _address(slug))
    text = "No model is deleted by rule any more."
    if to == "on":
        text = (
            f"{_would_go(plan_of(assistant, rule.newest))} From the coming night on, what the rule keeps no longer is "
            "deleted. Nobody is asked again."
        )
    context = {
        "heading": f"Switch the rule {to}: {rule} stay",
        "text": text,
        "confirm_label": f"Switch {to}",
        "danger": to == "on",
    }
    return render(request, "components/confirm.html", context)


def _would_go(plan: Plan) -> str:
    count = len(plan.doomed)
    if not count:
        return "No model would go now."
    models = "1 model" if count == 1 else f"{count:,} models"
    return f"{models} would go now, which frees {formats.size(plan.freed)}."


@require_http_methods(METHODS)
def keep(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    model = load_model(request, slug, name, Permission.MODELS_MODIFY)
    form = KeepForm(request.POST if request.method == "POST" else None, initial={"reason": model.kept_reason})
    if form.is_valid():
        try:
            _mark(request, model, form)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go(request, reverse("models:detail", args=[slug, name]))
    context = {"heading": f"Keep {model.name}", "form": form, "model": model}
    return render(request, "models_app/keep_dialog.html", context, status=422 if form.is_bound else 200)


def _mark(request: HtmxHttpRequest, model: Model, form: KeepForm) -> None:
    if form.cleaned_data["drop"]:
        keep_model_no_longer(actor=signed_in(request), model=model)
        messages.info(request, f"{model.name} may be deleted again.")
    else:
        keep_model(actor=signed_in(request), model=model, reason=form.cleaned_data["reason"])
        messages.success(request, f"{model.name} is kept: nobody and no rule deletes it.")


def _address(slug: str) -> str:
    return reverse("models:retention", args=[slug])
