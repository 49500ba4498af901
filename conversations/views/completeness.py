"""How complete an environment's events are: its runs, what each found, and bringing in what is missing."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations.forms.completeness import CheckForm
from conversations.loaders import load_compared, load_comparison, load_incident_of
from conversations.models import CompletenessRun
from conversations.presentation.completeness import FindingLine, RunLine
from conversations.services import completeness
from environments.models import Environment
from environments.rights import may_modify
from studio.access.loaders import signed_in
from studio.errors import DomainError
from studio.jobs import heartbeat
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

METHODS = ["GET", "HEAD", "POST"]


@require_safe
def completeness_page(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """The runs of an environment, newest first; for htmx only what changes by itself."""
    environment = load_compared(request, slug, name)
    runs = environment.completeness_runs.select_related("environment", "requested_by")
    page = page_of(runs, request)
    context = {
        "environment": environment,
        "page": page,
        "lines": [RunLine(run) for run in page.rows],
        "nights": _nights(),
        **_state(request, environment),
    }
    return render(request, f"conversations/completeness.html{'#live' if request.htmx else ''}", context)


@require_safe
def run_page(request: HtmxHttpRequest, slug: str, name: str, pk: int) -> HttpResponse:
    environment = load_compared(request, slug, name)
    run = load_comparison(environment, pk)
    page = page_of(run.findings.select_related("conversation"), request, by="pk")
    context = {
        "environment": environment,
        "line": RunLine(run),
        "run": run,
        "page": page,
        "findings": [FindingLine(one) for one in page.rows],
        **_state(request, environment),
    }
    return render(request, f"conversations/completeness_run.html{'#live' if request.htmx else ''}", context)


@require_http_methods(METHODS)
def check(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_compared(request, slug, name, to_change=True)
    form = CheckForm(request.POST or None)
    if form.is_valid():
        try:
            run = completeness.request_check(
                actor=signed_in(request), environment=environment, since=form.since(), sample=form.sample()
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go(request, _address(run))
    return form_dialog(request, form, f"Compare the events of {environment.name}", "Compare")


@require_http_methods(METHODS)
def backfill(request: HtmxHttpRequest, slug: str, name: str, pk: int) -> HttpResponse:
    environment = load_compared(request, slug, name, to_change=True)
    run = load_comparison(environment, pk)
    text = (
        "The Rasa server is asked again for what is missing here, and it is stored as if its event broker had brought "
        "it. Nothing that is stored already changes."
    )
    if run.sample is not None:
        text += " The check saw only a sample: all conversations of its period are compared, which takes longer."
    return _confirmed(
        request,
        heading=f"Bring in what {environment.name} lacks",
        text=text,
        service=lambda: completeness.request_backfill(actor=signed_in(request), run=run),
    )


@require_http_methods(METHODS)
def repair_incident(request: HtmxHttpRequest, slug: str, name: str, pk: int) -> HttpResponse:
    """For the time in which a source lost records; the page of the incident leads here."""
    environment = load_compared(request, slug, name, to_change=True)
    incident = load_incident_of(environment, pk)
    return _confirmed(
        request,
        heading=f"Repair {environment.name}",
        text=f"{incident.count:,} records were gone before they were taken. All conversations of that time, and an "
        "hour around it, are compared with the Rasa server, and what is missing here is stored.",
        service=lambda: completeness.request_repair_of_incident(
            actor=signed_in(request), environment=environment, incident=incident
        ),
    )


def _confirmed(
    request: HtmxHttpRequest, *, heading: str, text: str, service: Callable[[], CompletenessRun]
) -> HttpResponse:
    refused = ""
    if request.method == "POST":
        try:
            return go(request, _address(service()))
        except DomainError as error:
            refused = error.message
    context: dict[str, Any] = {"heading": heading, "text": text, "confirm_label": "Backfill", "refused": refused}
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_POST
def stop_run(request: HtmxHttpRequest, slug: str, name: str, pk: int) -> HttpResponse:
    environment = load_compared(request, slug, name, to_change=True)
    run = load_comparison(environment, pk)
    try:
        completeness.stop(actor=signed_in(request), run=run)
    except DomainError as error:
        messages.error(request, error.message)
    return go(request, _address(run))


def _address(run: CompletenessRun) -> str:
    names = [run.environment.assistant.slug, run.environment.name, run.pk]
    return reverse("conversations:completeness-run", args=names)


def _nights() -> str:
    """What comes by itself."""
    if not settings.COMPLETENESS_SAMPLE:
        return "Comparing asks the Rasa server for conversations, and says which of their events are missing here."
    return f"Each night {settings.COMPLETENESS_SAMPLE} conversations are compared with the Rasa server."


def _state(request: HttpRequest, environment: Environment) -> dict[str, object]:
    under_way = environment.completeness_runs.filter(
        state__in=(CompletenessRun.State.WAITING, CompletenessRun.State.RUNNING)
    ).first()
    return {
        "may_modify": may_modify(signed_in(request), environment),
        "under_way": under_way,
        "has_server": environment.kind != Environment.Kind.UNSET,
        "has_worker": under_way is None or heartbeat.live(completeness.WORKER) > 0,
    }
