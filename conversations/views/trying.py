"""Try a model: the slot that serves it, as a fragment of its Talk page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from conversations.chat.targets import Kind, Target
from conversations.loaders import load_target
from environments.presentation import slots as presentation
from environments.services import slots
from environments.services.speakers import may_stop, stop_slot_of
from studio.access.loaders import signed_in
from studio.errors import DomainError


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
    try:
        stop_slot_of(actor=signed_in(request), model=target.model)
    except DomainError as error:
        refused = error.message
    return _fragment(request, target, refused)


def _fragment(request: HttpRequest, target: Target, refused: str = "") -> HttpResponse:
    assert target.model is not None
    found = slots.last_of(target.model.pk)
    context = {
        "target": target,
        "model": target.model,
        "slot": found,
        "refused": refused,
        "state": presentation.state_of(found, target.model) if found else None,
        "may_stop": found is not None and found.is_usable and may_stop(signed_in(request), target.model),
    }
    return render(request, "conversations/_slot.html", context)
