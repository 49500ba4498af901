"""Rasa's validation of the training data: asking for it, how it stands, and what it found."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from models_app.data_loaders import Data, load_data
from models_app.findings import Findings
from models_app.models import Finding
from models_app.services.validation import request_validation
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

ROWS = 50
NO_FILE = "-"  # in the address: findings without a place


@require_POST
def validate(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """Validate the revision that is looked at."""
    data = load_data(request, slug)
    if not data.may_validate:
        raise PermissionDenied("Your roles do not include changing training data or training models.")
    try:
        request_validation(actor=data.user, assistant=data.assistant, revision=data.revision)
    except DomainError as error:
        messages.info(request, error.message)
    return go(request, reverse("models:data", args=[slug]) + at(data))


@require_safe
def banner(request: HttpRequest, slug: str) -> HttpResponse:
    """A fragment: how it stands with the validity of the data. Asks for itself again while a validation runs."""
    data = load_data(request, slug)
    return render(request, "models_app/data/_validation.html", {"data": data, **banner_context(data)})


@require_safe
def finding_list(request: HttpRequest, slug: str) -> HttpResponse:
    data = load_data(request, slug)
    findings = Findings(data)
    rows = findings.seen
    severity, file = request.GET.get("severity", ""), request.GET.get("file", "")
    if severity in Finding.Severity.values:
        rows = rows.filter(severity=severity)
    if file:
        rows = rows.filter(path="" if file == NO_FILE else file)
    page = page_of(rows, request, ROWS, by="pk")
    context = {
        "data": data,
        "page": page,
        "rows": [(row, findings.places_of(row)) for row in page.rows],
        "severity": severity,
        "file": file,
        "severities": _severities(findings),
        "files": [(path or NO_FILE, sum(numbers.values())) for path, numbers in sorted(findings.by_path.items())],
        **banner_context(data, findings),
    }
    return render(request, "models_app/data/findings.html", context)


def _severities(findings: Findings) -> list[tuple[str, str, int]]:
    counted = [(one, sum(numbers.get(one, 0) for numbers in findings.by_path.values())) for one in Finding.Severity]
    return [(one.value, f"{one.label}s", number) for one, number in counted if number]


def banner_context(data: Data, findings: Findings | None = None) -> dict[str, object]:
    return {
        "findings": findings or Findings(data),
        "may_validate": data.may_validate,
        "may_see_jobs": data.user.may_somewhere(Permission.MODELS_VIEW, data.assistant.pk),
        "may_cancel": data.user.may(Permission.MODELS_MODIFY, Scope(data.assistant.pk)),
        "at": at(data),
    }


def at(data: Data) -> str:
    """The query that keeps an older revision in the address."""
    return "" if data.is_newest or data.revision is None else f"?revision={data.revision.number}"
