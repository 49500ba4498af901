"""The slots of the installation, and how an assistant's models are tried."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from environments.forms import TryingForm
from environments.loaders import load_slot, visible_slots
from environments.models import Slot
from environments.presentation import slots as presentation
from environments.services import slots, trying
from environments.services.database import missing_roles
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError, Invalid
from studio.web.dialogs import refuse
from studio.web.htmx import HtmxHttpRequest, go


@require_safe
def slot_list(request: HtmxHttpRequest) -> HttpResponse:
    """Of every assistant whose environments the viewer may modify."""
    seen = visible_slots(signed_in(request))
    context = {
        "live": presentation.rows(seen.exclude(state__in=[Slot.State.ENDED, Slot.State.FAILED]).order_by("pk")),
        "ended": presentation.rows(seen.filter(state__in=[Slot.State.ENDED, Slot.State.FAILED])[: presentation.ENDED]),
        "house": presentation.house(),
    }
    return render(request, f"environments/slots.html{'#live' if request.htmx else ''}", context)


@require_safe
def slot_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    slot = load_slot(request, pk)
    scope = Scope(slot.environment.assistant_id)
    row = presentation.rows([slot])[0]
    context = {"row": row, "slot": slot, "may_read": signed_in(request).may(Permission.CONVERSATIONS_VIEW, scope)}
    return render(request, f"environments/slot.html{'#live' if request.htmx else ''}", context)


@require_http_methods(["GET", "HEAD", "POST"])
def slot_stop(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    slot = load_slot(request, pk)
    refused = ""
    if request.method == "POST":
        person = signed_in(request)
        try:
            slots.stop(actor=person, slot=slot, why=f"{person.username} stopped it.")
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"The slot of {slot.model.name} stops.")
            return go(request, reverse("environments:slots"))
    context = {
        "heading": f"Stop the slot of {slot.model.name}",
        "text": "Whoever talks to it now gets no answer any more. Their conversations stay, and go on when it is "
        "started again.",
        "confirm_label": "Stop it",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def trying_settings(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    row = trying.settings_of(assistant)
    initial = {
        "start_after_training": row.start_after_training,
        "idle_minutes": row.idle_minutes,
        "action_server_url": trying.place_of(assistant).action_server_url,
    }
    form = TryingForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            trying.change_settings(actor=signed_in(request), assistant=assistant, **form.cleaned_data)
        except Invalid as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved. Slots that start from now on follow it.")
            return redirect(request.path)
    context = {"form": form, "sql": missing_roles(trying.place_of(assistant))}
    return render(request, "environments/trying_settings.html", context, status=422 if form.is_bound else 200)
