"""How long conversations are kept, and what was deleted."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from conversations.forms.retention import DaysForm, RuleForm
from conversations.loaders import load_retention, load_rule
from conversations.models import ErasureRun, RetentionRule
from conversations.presentation.runs import ErasureLine, many
from conversations.services import retention
from environments.models import Environment
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.errors import DomainError
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

METHODS = ["GET", "HEAD", "POST"]


@require_safe
def retention_page(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_retention(request, slug)
    rules = list(assistant.retention_rules.select_related("assistant", "environment", "changed_by"))
    due = retention.due_now(rules)
    runs = ErasureRun.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    page = page_of(runs.select_related("environment"), request)
    lines = [ErasureLine(run) for run in page.rows]
    context = {
        "rules": [(rule, due[rule.pk]) for rule in rules],
        "counted": retention.COUNTED,
        "may_add": _is_place_free(assistant),
        "page": page,
        "lines": lines,
        "is_busy": any(line.run.is_under_way for line in lines),
    }
    return render(request, f"conversations/retention.html{'#live' if request.htmx else ''}", context)


def _free_places(assistant: Assistant) -> tuple[list[Environment], bool]:
    """Environments without a rule of their own, and whether there is none for everywhere else."""
    ruled = set(assistant.retention_rules.values_list("environment_id", flat=True))
    environments = Environment.objects.in_use().filter(assistant=assistant).order_by("name")
    return [one for one in environments if one.pk not in ruled], None not in ruled


def _is_place_free(assistant: Assistant) -> bool:
    environments, is_rest_free = _free_places(assistant)
    return bool(environments) or is_rest_free


@require_http_methods(METHODS)
def add(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_retention(request, slug)
    environments, is_rest_free = _free_places(assistant)
    form = RuleForm(request.POST or None, environments=environments, is_rest_free=is_rest_free)

    def save() -> None:
        days = form.cleaned_data["days"]
        actor = signed_in(request)
        retention.add_rule(actor=actor, assistant=assistant, environment=form.environment, days=days)
        messages.info(request, "Added, and switched off. Look at what it would delete before you switch it on.")

    return _form(request, slug, form, "Add a retention rule", "Add", save)


@require_http_methods(METHODS)
def edit(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    rule = load_rule(request, slug, pk)
    form = DaysForm(request.POST or None, initial={"days": rule.days})

    def save() -> None:
        retention.change_rule(actor=signed_in(request), rule=rule, days=form.cleaned_data["days"])

    return _form(request, slug, form, f"Retention: {rule.place}", "Save", save)


def _form(
    request: HtmxHttpRequest, slug: str, form: forms.Form, heading: str, label: str, save: Callable[[], None]
) -> HttpResponse:
    if form.is_valid():
        try:
            save()
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go(request, _address(slug))
    return form_dialog(request, form, heading, label)


@require_http_methods(METHODS)
def switch(request: HtmxHttpRequest, slug: str, pk: int, to: str) -> HttpResponse:
    rule = load_rule(request, slug, pk)
    if to not in ("on", "off"):
        raise Http404("A rule is on or off.")
    is_on = to == "on"

    def save() -> None:
        retention.switch_rule(actor=signed_in(request), rule=rule, is_on=is_on)

    if is_on:
        text = (
            f"{_due(rule)} older than {many(rule.days, 'day')} in this moment. They are deleted in the coming night, "
            "and each night what has become as old. Nobody is asked again."
        )
        return _confirmed(request, slug, f"Switch on: {rule.place}", text, "Switch on", save, is_dangerous=True)
    text = "Nothing is deleted there any more, also not by the rule for everywhere."
    return _confirmed(request, slug, f"Switch off: {rule.place}", text, "Switch off", save)


def _due(rule: RetentionRule) -> str:
    due = retention.due_now([rule])[rule.pk]
    if due > retention.COUNTED:
        return f"More than {retention.COUNTED:,} conversations are"
    return "1 conversation is" if due == 1 else f"{due:,} conversations are"


@require_http_methods(METHODS)
def remove(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    rule = load_rule(request, slug, pk)

    def save() -> None:
        retention.remove_rule(actor=signed_in(request), rule=rule)

    text = "Nothing is deleted by it any more."
    if rule.environment is not None and rule.assistant.retention_rules.filter(environment=None).exists():
        text = f"From then on {rule.place} falls under the rule for everywhere."
    return _confirmed(request, slug, f"Remove the rule: {rule.place}", text, "Remove", save, is_dangerous=True)


def _confirmed(
    request: HtmxHttpRequest,
    slug: str,
    heading: str,
    text: str,
    label: str,
    save: Callable[[], None],
    *,
    is_dangerous: bool = False,
) -> HttpResponse:
    refused = ""
    if request.method == "POST":
        try:
            save()
            return go(request, _address(slug))
        except DomainError as error:
            refused = error.message
    context = {"heading": heading, "text": text, "confirm_label": label, "danger": is_dangerous, "refused": refused}
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_http_methods(METHODS)
def dry_run(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    """Count exactly what a rule would delete now, on a page of its own."""
    rule = load_rule(request, slug, pk)
    if request.method == "POST":
        run = retention.request_dry_run(actor=signed_in(request), rule=rule)
        return go(request, reverse("conversations:erasure", args=[slug, run.pk]))
    context = {
        "heading": f"Dry run: {rule.place}",
        "text": f"{_due(rule)} older than {many(rule.days, 'day')}. Count what would go with them, and look at some. "
        "Nothing is deleted by that.",
        "confirm_label": "Count",
    }
    return render(request, "components/confirm.html", context)


def _address(slug: str) -> str:
    return reverse("conversations:retention", args=[slug])
