"""Dialogs that add, change and remove environments, and that steer the servers we run for them."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from environments.forms import AddForm, ConnectedForm, ConnectForm, ManagedForm, NameForm
from environments.loaders import load_modifiable
from environments.models import Environment
from environments.services import managed
from environments.services.environments import remove_environment, update_environment
from environments.services.overview import overview
from environments.services.setting_up import add_environment, change_environment
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.dialogs import form_dialog, refuse
from studio.web.htmx import HtmxHttpRequest, go, toast

METHODS = ["GET", "HEAD", "POST"]
Kind = Environment.Kind


def _page(environment: Environment) -> str:
    return reverse("environments:detail", args=[environment.assistant.slug, environment.name])


def _connection(environment: Environment) -> str:
    return reverse("environments:connection", args=[environment.assistant.slug, environment.name])


def _tried(form: forms.Form, service: Callable[[], Any]) -> Any:
    """What the service made, or None with its refusal in the form."""
    try:
        return service()
    except DomainError as error:
        refuse(form, error)
        return None


@require_http_methods(METHODS)
def add(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.ENVIRONMENTS_MODIFY)
    form, user = AddForm(request.POST or None), signed_in(request)
    if form.is_valid():
        made = _tried(form, lambda: add_environment(actor=user, assistant=assistant, **form.cleaned_data))
        if made is not None:
            return _added(request, made)
    context = {"heading": "Add an environment", "form": form}
    return render(request, "environments/add_dialog.html", context, status=422 if form.is_bound else 200)


def _added(request: HtmxHttpRequest, environment: Environment) -> HttpResponse:
    messages.success(request, f"{environment.name} is added.")
    if environment.kind == Kind.CONNECTED:
        return go(request, _connection(environment))
    return go(request, _page(environment))


_EDIT_FORMS: dict[Environment.Kind, type[forms.Form]] = {
    Kind.CONNECTED: ConnectedForm,
    Kind.MANAGED: ManagedForm,
    Kind.UNSET: NameForm,
}


@require_http_methods(METHODS)
def edit(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_modifiable(request, slug, name)
    form = _edit_form(request, environment)
    if form.is_valid():
        saved = _tried(
            form,
            lambda: update_environment(actor=signed_in(request), environment=environment, **form.cleaned_data),
        )
        if saved is not None:
            messages.success(request, f"{saved.name} is saved.")
            return go(request, _connection(saved) if _is_asked_on_connection(request) else _page(saved))
    return form_dialog(request, form, f"Edit {environment.name}", note=_rename_note(environment))


def _is_asked_on_connection(request: HtmxHttpRequest) -> bool:
    """Whoever mends what the checklist says wants to see it turn green."""
    return (request.htmx.current_url_abs_path or "").partition("?")[0].endswith("/connection")


def _edit_form(request: HttpRequest, environment: Environment) -> forms.Form:
    fields = ("name", "url", "action_server_url")
    form = _EDIT_FORMS[Kind(environment.kind)]
    return form(request.POST or None, initial={name: getattr(environment, name) for name in fields})


def _rename_note(environment: Environment) -> str:
    if environment.kind == Kind.UNSET:
        return ""
    return "When the name changes, servers that still ask for the old one are answered until none does any more."


@require_http_methods(METHODS)
def connect(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """A server of the team's own takes over; one that ran here is stopped."""
    environment = load_modifiable(request, slug, name)
    form = ConnectForm(request.POST or None, initial={"url": environment.url})
    if form.is_valid():
        saved = _tried(
            form,
            lambda: change_environment(
                actor=signed_in(request), environment=environment, kind=Kind.CONNECTED, **form.cleaned_data
            ),
        )
        if saved is not None:
            return go(request, _connection(saved))
    note = "The server that runs here for it is stopped." if environment.kind == Kind.MANAGED else ""
    return form_dialog(request, form, f"Connect a server to {environment.name}", "Connect", note=note)


@require_http_methods(METHODS)
def remove(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_modifiable(request, slug, name)
    refused = ""
    if request.method == "POST":
        refused = _removed(request, environment)
        if not refused:
            messages.success(request, f"{environment.name} is removed.")
            return go(request, reverse("environments:list", args=[slug]))
    context = {
        "heading": f"Remove {environment.name}",
        "text": _what_ends(environment),
        "confirm_label": "Remove the environment",
        "typed": environment.name,
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


def _what_ends(environment: Environment) -> str:
    """What the removal does to servers that are there now."""
    now = overview(environment)
    kept = "Its history and its conversations stay."
    if environment.kind == Kind.MANAGED:
        return f"The Rasa server that runs here for it is stopped. {kept}"
    if now.live:
        servers = "1 server polls" if now.live == 1 else f"{now.live} servers poll"
        return f"{servers} for it now: what is loaded goes on running, and gets no successor. {kept}"
    return f"Servers can no longer ask for its model. {kept}"


def _removed(request: HttpRequest, environment: Environment) -> str:
    """Why it was not removed, or nothing."""
    if request.POST.get("typed", "").strip() != environment.name:
        return f"Type {environment.name} to confirm."
    try:
        remove_environment(actor=signed_in(request), environment=environment)
    except DomainError as error:
        return error.message
    return ""


@require_http_methods(METHODS)
def run_here(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_modifiable(request, slug, name)
    refused = ""
    if request.method == "POST":
        try:
            managed.run_here(actor=signed_in(request), environment=environment)
        except DomainError as error:
            refused = error.message
        else:
            return go(request, _page(environment))
    context = {
        "heading": f"Run a Rasa server for {environment.name} here",
        "text": "Parley starts a Rasa server on this machine as soon as the environment has a model, and starts it "
        "again when it ends. A small model needs about 600 MB of memory.",
        "confirm_label": "Run here",
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


_STEERING: dict[str, tuple[Callable[..., None], str]] = {
    "start": (managed.start_server, "The server is being started."),
    "stop": (managed.stop_server, "The server is being stopped."),
    "restart": (managed.restart_server, "The server is being started again."),
}


@require_POST
def steer(request: HtmxHttpRequest, slug: str, name: str, action: str) -> HttpResponse:
    """Start, stop or restart the server that runs here."""
    environment = load_modifiable(request, slug, name)
    if action not in _STEERING:
        raise Http404("There is no such action.")
    service, sentence = _STEERING[action]
    try:
        service(actor=signed_in(request), environment=environment)
    except DomainError as error:
        return _told(request, environment, error.message, is_error=True)
    return _told(request, environment, sentence)


def _told(request: HtmxHttpRequest, environment: Environment, text: str, *, is_error: bool = False) -> HttpResponse:
    """A toast over the page, which then looks again."""
    if request.htmx:
        response = toast(HttpResponse(status=204), text, "error" if is_error else "success")
        return trigger_client_event(response, "environment:changed", {})
    (messages.error if is_error else messages.success)(request, text)
    return go(request, _page(environment))
