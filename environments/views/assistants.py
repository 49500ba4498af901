"""The list of assistants, making and deleting them, with the environments they have from birth."""

from collections import defaultdict
from collections.abc import Sequence

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from environments.models import Environment
from environments.services.assistants import delete_assistant
from environments.services.birth import create_assistant
from environments.services.overview import Overview, overviews_of
from environments.services.whereabouts import WORST_FIRST
from models_app.forms.assistants import AssistantForm
from models_app.loaders import load_assistant
from models_app.models import Assistant
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web import navigation
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go

STATES = 3  # of an assistant's environments, the worst


@require_safe
def assistant_list(request: HttpRequest) -> HttpResponse:
    """Each with how its environments are, as far as the viewer may see them."""
    user = signed_in(request)
    counted = Assistant.objects.visible_to(user).annotate(model_count=Count("model", filter=Q(model__deleted_at=None)))
    found: dict[int, list[Overview]] = defaultdict(list)
    for one in overviews_of(Environment.objects.visible_to(user)):
        found[one.environment.assistant_id].append(one)
    context = {
        "rows": [_row(request, user, assistant, found[assistant.pk]) for assistant in counted],
        "may_create": user.may(Permission.ASSISTANTS_MODIFY),
        "may_manage_people": user.may(Permission.PEOPLE_MODIFY),
    }
    return render(request, "environments/assistant_list.html", context)


def _row(request: HttpRequest, user: User, assistant: Assistant, found: Sequence[Overview]) -> dict[str, object]:
    set_up = [one for one in found if (one.environment.kind, one.status) != (Environment.Kind.UNSET, "silent")]
    states = sorted(set_up, key=lambda one: WORST_FIRST.index(one.status))
    return {
        "assistant": assistant,
        "url": navigation.home(request, user, assistant),
        "states": states[:STATES],
        "more": len(states[STATES:]),
        "may_modify": user.may(Permission.ASSISTANTS_MODIFY, Scope(assistant.pk)),
    }


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
            return go(request, reverse("environments:assistants"))
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
