"""Dialogs of the intake: adding, changing, switching and removing a source, going on after trouble, and adopting."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from conversations.forms.intake import NEW, AdoptForm, CloseForm, SourceForm
from conversations.loaders import heirs, load_intake, load_kafka, load_source
from conversations.models import IntakeSource
from conversations.services import adoption, intake
from conversations.views.intake import source_form
from environments.models import Environment
from models_app.models import Assistant
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web.dialogs import form_dialog, refuse
from studio.web.htmx import HtmxHttpRequest, go

METHODS = ["GET", "HEAD", "POST"]


def _page(source: IntakeSource) -> str:
    return reverse("conversations:intake-source", args=[source.assistant.slug, source.pk])


@require_http_methods(METHODS)
def add(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_intake(request, slug, to_change=True)
    form = source_form(request, assistant)
    if form.is_valid():
        try:
            source = intake.add_source(actor=signed_in(request), assistant=assistant, wishes=form.wishes)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{source.name} is added. Events appear once the ingest process reaches it.")
            return go(request, _page(source))
    return _source_form(request, form, "Add a Kafka source", reverse("conversations:intake-try-new", args=[slug]))


@require_http_methods(METHODS)
def edit(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    source = load_kafka(request, slug, pk)
    form = source_form(request, source.assistant, source)
    if form.is_valid():
        try:
            intake.change_source(actor=signed_in(request), source=source, wishes=form.wishes, among=form.others.all())
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is saved, and connects anew.")
            return go(request, _page(source))
    return _source_form(request, form, f"Edit {source.name}", reverse("conversations:intake-try", args=[slug, pk]))


@require_http_methods(METHODS)
def switch(request: HtmxHttpRequest, slug: str, pk: int, to: str) -> HttpResponse:
    source = load_kafka(request, slug, pk)
    if to not in ("on", "off"):
        raise Http404("A source is on or off.")
    refused = ""
    if request.method == "POST":
        refused = _tried(lambda: intake.switch_source(actor=signed_in(request), source=source, is_on=to == "on"))
        if not refused:
            messages.success(request, f"{source.name} is {to}.")
            return go(request, _page(source))
    text = {
        "on": "It goes on where it stopped. What Kafka deleted meanwhile is gone, and is shown as an incident.",
        "off": "Nothing is taken from it until it is switched on again. Kafka keeps what comes meanwhile for as long "
        "as the topic is set to keep it.",
    }
    return _confirm(request, f"Switch {source.name} {to}", text[to], f"Switch {to}", refused=refused)


@require_http_methods(METHODS)
def remove(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    source = load_kafka(request, slug, pk)
    refused = ""
    if request.method == "POST":
        if request.POST.get("typed", "").strip() != source.name:
            refused = f"Type {source.name} to confirm."
        else:
            refused = _tried(lambda: intake.remove_source(actor=signed_in(request), source=source))
        if not refused:
            messages.success(request, f"{source.name} is removed.")
            return go(request, reverse("conversations:intake", args=[slug]))
    text = (
        "Nothing is taken from it any more, and its password is forgotten. The conversations that it brought stay. A "
        "source that is added later for the same topics begins with what they still hold; what is known is not doubled."
    )
    more = {"danger": True, "typed": source.name}
    return _confirm(request, f"Remove {source.name}", text, "Remove the source", refused=refused, **more)


@require_http_methods(METHODS)
def alarm(request: HtmxHttpRequest, slug: str, pk: int, then: str) -> HttpResponse:
    """After too many records that could not be read: try again, or keep such records as dead letters."""
    source = load_source(request, slug, pk, to_change=True)
    if then not in ("try-again", "keep"):
        raise Http404("There is no such way to go on.")
    is_keeping, refused = then == "keep", ""
    if request.method == "POST":
        refused = _tried(lambda: intake.clear_alarm(actor=signed_in(request), source=source, accept_invalid=is_keeping))
        if not refused:
            messages.success(request, f"{source.name} goes on.")
            return go(request, _page(source))
    heading = "Keep unreadable records as dead letters" if is_keeping else "Try again"
    return _confirm(request, heading, _how_it_goes_on(source, is_keeping=is_keeping), "Go on", refused=refused)


def _how_it_goes_on(source: IntakeSource, *, is_keeping: bool) -> str:
    if not is_keeping:
        return f"{source.alarm} {source.name} begins with them again, and stops again when they still cannot be read."
    return (
        f"{source.alarm} They become dead letters, and so does every other record that cannot be read, until the last "
        "thousand hold no more of them than they may. Each is kept whole and can be tried again later."
    )


@require_http_methods(METHODS)
def close(request: HtmxHttpRequest, slug: str, pk: int, incident: int) -> HttpResponse:
    source = load_source(request, slug, pk, to_change=True)
    row = get_object_or_404(source.incidents.select_related("source"), pk=incident)
    form = CloseForm(request.POST or None)
    if form.is_valid():
        try:
            intake.close_incident(actor=signed_in(request), incident=row, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, "The incident is closed.")
            return go(request, _page(source))
    note = f"{row.count:,} records of {row.topic} are gone."
    return form_dialog(request, form, "Close the incident", "Close", note=note)


@require_http_methods(METHODS)
def adopt(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """`?name=` is what the events say; it may hold anything, so it is in no path."""
    assistant = load_intake(request, slug, to_change=True)
    name, user = request.GET.get("name", ""), signed_in(request)
    may_add = user.may(Permission.ENVIRONMENTS_MODIFY, Scope(assistant.pk))
    form = AdoptForm(request.POST or None, name=name, environments=heirs(user, assistant), may_add=may_add)
    if form.is_valid():
        try:
            text = _adopted(user, assistant, name, form.cleaned_data["environment"])
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, text)
            return go(request, reverse("conversations:intake", args=[slug]))
    note = (
        f"What came under {f'the name {name}' if name else 'no name'} moves there, a large number of conversations "
        "over some minutes; what comes from now on belongs there at once."
    )
    return form_dialog(request, form, f"Adopt {name or 'what names no environment'}", "Adopt", note=note)


def _adopted(user: User, assistant: Assistant, name: str, choice: str) -> str:
    """What is told. The choice is one of the form's, so what may be modified is settled."""
    if choice == NEW:
        require(user, Permission.ENVIRONMENTS_MODIFY, Scope(assistant.pk))
        environment, moved = adoption.adopt_as_new(actor=user, assistant=assistant, name=name)
    else:
        environment = Environment.objects.get(pk=choice)
        moved = adoption.adopt_environment(actor=user, assistant=assistant, name=name, environment=environment)
    came = "1 conversation" if moved == 1 else f"{moved:,} conversations"
    rest = ", the rest follows" if moved == adoption.AT_ONCE else ""
    return f"{environment.name} took it over: {came} moved{rest}."


# --- Shared -----------------------------------------------------------------------------------------------------------


def _tried(service: Any) -> str:
    """Why it was refused, or nothing."""
    try:
        service()
    except DomainError as error:
        return error.message
    return ""


def _source_form(request: HttpRequest, form: SourceForm, heading: str, try_url: str) -> HttpResponse:
    context = {"heading": heading, "form": form, "try_url": try_url}
    return render(request, "conversations/intake_form.html", context, status=422 if form.is_bound else 200)


def _confirm(
    request: HttpRequest, heading: str, text: str, label: str, *, refused: str = "", **more: object
) -> HttpResponse:
    context = {"heading": heading, "text": text, "confirm_label": label, "refused": refused, **more}
    return render(request, "components/confirm.html", context, status=422 if refused else 200)
