"""Try a model: the slot that serves it, as a fragment of its Talk page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from conversations.chat.sessions import others_speak
from conversations.chat.targets import Kind, Target
from conversations.loaders import load_target
from environments.presentation import slots as presentation
from environments.services import slots
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError, Forbidden

IN_USE = "Others talk to it now. Whoever may modify environments can stop it all the same."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def slot(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """How the model's slot is; by POST one is asked for."""
    target = load_target(request, slug, Kind.MODEL, name)
    assert target.model is not None
    refused = ""
    if request.method == "POST":
        try:
            slots.ask(actor=signed_in(request), model=target.model)
        except DomainError as error:
            refused = error.message
    return _fragment(request, target, refused)


@require_POST
def stop_slot(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Whoever may talk to the model, unless others talk to it now; all who do are told who stopped it."""
    target = load_target(request, slug, Kind.MODEL, name)
    assert target.model is not None
    refused = ""
    found = slots.usable_of(target.model.pk)
    try:
        if found is not None:
            person = signed_in(request)
            if not _may_stop(person, target):
                raise Forbidden(IN_USE)
            slots.stop(actor=person, slot=found, why=f"{person.username} stopped it.")
    except DomainError as error:
        refused = error.message
    return _fragment(request, target, refused)


def _may_stop(person: User, target: Target) -> bool:
    assert target.model is not None
    scope = Scope(target.model.assistant_id)
    return person.may(Permission.ENVIRONMENTS_MODIFY, scope) or not others_speak(person, target.model, slots.IN_USE)


def _fragment(request: HttpRequest, target: Target, refused: str = "") -> HttpResponse:
    assert target.model is not None
    found = slots.last_of(target.model.pk)
    context = {
        "target": target,
        "model": target.model,
        "slot": found,
        "refused": refused,
        "state": presentation.state_of(found, target.model) if found else None,
        "may_stop": found is not None and found.is_usable and _may_stop(signed_in(request), target),
    }
    return render(request, "conversations/_slot.html", context)
