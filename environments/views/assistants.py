"""Making and deleting assistants, with the environments they have from birth."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from environments.services.assistants import delete_assistant
from environments.services.birth import create_assistant
from models_app.forms.assistants import AssistantForm
from models_app.loaders import load_assistant
from models_app.models import Assistant
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go


@require_http_methods(["GET", "HEAD", "POST"])
def assistant_new(request: HtmxHttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    form = AssistantForm(request.POST or None)
    if form.is_valid():
        try:
            assistant = create_assistant(actor=signed_in(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error("slug", error.message)
        else:
            messages.success(request, f"{assistant.title} is here, with the environments production and worker.")
            return go(request, reverse("models:list", args=[assistant.slug]))
    return form_dialog(request, form, "New assistant", "Make the assistant")


@require_http_methods(["GET", "HEAD", "POST"])
def assistant_delete(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    refused = ""
    if request.method == "POST":
        refused = _delete(request, assistant)
        if not refused:
            messages.success(request, f"{assistant.title} is deleted.")
            return go(request, reverse("models:assistants"))
    context = {
        "heading": f"Delete {assistant.title}",
        "text": "Its models, training data, environments and conversations are no longer shown to anybody. "
        "This cannot be undone here.",
        "confirm_label": "Delete the assistant",
        "typed": assistant.slug,
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


def _delete(request: HttpRequest, assistant: Assistant) -> str:
    """Why it was not deleted, or nothing."""
    if request.POST.get("typed", "").strip() != assistant.slug:
        return f"Type {assistant.slug} to confirm."
    try:
        delete_assistant(actor=signed_in(request), assistant=assistant)
    except DomainError as error:
        return error.message
    return ""
