"""The page of the Rasa versions of this installation. Whoever may change every assistant looks after them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.jobs.heartbeat import live
from studio.rasa.forms import VersionForm
from studio.rasa.models import RasaRuntime
from studio.rasa.presentation import lines, what_becomes_free
from studio.rasa.services import add_version, current_runtime, request_install, request_removal, why_kept
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go, toast


def _load(request: HttpRequest, name: str) -> RasaRuntime:
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    return get_object_or_404(RasaRuntime, version=name)


@require_safe
def version_list(request: HtmxHttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    return _page(request, "#live" if request.htmx.target == "live" else "")


def _page(request: HttpRequest, part: str = "") -> HttpResponse:
    current_runtime()
    rows = lines()
    context = {
        "rows": rows,
        "failed": [line for line in rows if line.row.state == RasaRuntime.State.FAILED],
        "under_way": any(line.under_way for line in rows),
        "size": sum(line.row.size or 0 for line in rows),
        "controller_lives": live("controller") > 0,
    }
    return render(request, f"rasa/versions.html{part}", context)


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HtmxHttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    form = VersionForm(request.POST or None)
    if form.is_valid():
        try:
            row = add_version(actor=signed_in(request), version=form.cleaned_data["version"])
        except DomainError as error:
            form.add_error("version", error.message)
        else:
            messages.success(request, f"{row} is being installed.")
            return go(request, reverse("rasa:versions"))
    return form_dialog(request, form, "Add a version", "Install it")


@require_POST
def install(request: HtmxHttpRequest, name: str) -> HttpResponse:
    """Try again one that failed, ask an own one again."""
    row = _load(request, name)
    try:
        request_install(actor=signed_in(request), name=row.version)
    except DomainError as error:
        return toast(_page(request, "#live"), error.message, "info")
    return _page(request, "#live") if request.htmx else go(request, reverse("rasa:versions"))


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HtmxHttpRequest, name: str) -> HttpResponse:
    row = _load(request, name)
    refused = why_kept(row)
    if request.method == "POST":
        try:
            request_removal(actor=signed_in(request), row=row)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"{row} is being removed.")
            return go(request, reverse("rasa:versions"))
    context = {
        "heading": f"Remove {row}",
        "text": f"Its files are deleted from this machine. {what_becomes_free(row)} "
        "Models that it trained stay, and it can be installed again.",
        "confirm_label": "Remove it",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)
