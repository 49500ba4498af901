"""Keeping the filters of the list under a name."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from conversations.forms.saved_filters import SavedFilterForm
from conversations.loaders import load_filter
from conversations.services.saved_filters import change_filter, save_filter
from conversations.services.saved_filters import delete_filter as delete
from conversations.views.conversation_list import filter_query
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.errors import DomainError
from studio.web.dialogs import form_dialog, refuse
from studio.web.htmx import HtmxHttpRequest, go


@require_http_methods(["GET", "HEAD", "POST"])
def new_filter(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """The filters to keep are in the address."""
    assistant = load_assistant(request, slug)
    form = SavedFilterForm(request.POST or None)
    if form.is_valid():
        query = filter_query(request.GET).urlencode()
        try:
            saved = save_filter(owner=signed_in(request), assistant=assistant, query=query, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"“{saved.name}” is saved.")
            return go(request, f"{reverse('conversations:list', args=[slug])}?{query}")
    return form_dialog(request, form, "Save these filters")


@require_http_methods(["GET", "HEAD", "POST"])
def edit_filter(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    saved = load_filter(request, slug, pk, others=False)
    initial = {"name": saved.name, "is_shared": saved.is_shared}
    form = SavedFilterForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            change_filter(saved, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"“{saved.name}” is saved.")
            return go(request, f"{reverse('conversations:list', args=[slug])}?{saved.query}")
    return form_dialog(request, form, f"Edit “{saved.name}”")


@require_http_methods(["GET", "HEAD", "POST"])
def delete_filter(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    saved = load_filter(request, slug, pk, others=True)
    if request.method == "POST":
        delete(saved)
        messages.success(request, f"“{saved.name}” is deleted.")
        return go(request, reverse("conversations:list", args=[slug]))
    whose = "Everybody who may view conversations here has it." if saved.is_shared else "Nobody else has it."
    context = {
        "heading": f"Delete “{saved.name}”",
        "text": f"{whose} No conversation is changed.",
        "confirm_label": "Delete the filter",
        "danger": True,
    }
    return render(request, "components/confirm.html", context)
