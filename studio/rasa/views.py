"""How far the Rasa runtime is: a fragment that pages which need Rasa show while it is not ready."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.jobs.heartbeat import live
from studio.rasa.models import RasaRuntime
from studio.rasa.services import current_runtime, request_install
from studio.web.htmx import toast


@require_safe
def runtime_status(request: HttpRequest) -> HttpResponse:
    """Asks for itself again while an installation is under way; empty once Rasa is ready."""
    return _fragment(request, current_runtime())


@require_POST
def install(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    if not may_install(person):
        raise PermissionDenied("Your roles do not include training models or modifying environments.")
    try:
        return _fragment(request, request_install(actor=person))
    except DomainError as error:
        return toast(_fragment(request, current_runtime()), error.message, "info")


def may_install(person: User) -> bool:
    """Whoever can do anything with a Rasa may also have it installed."""
    return person.may_somewhere(Permission.MODELS_MODIFY) or person.may_somewhere(Permission.ENVIRONMENTS_MODIFY)


def _fragment(request: HttpRequest, runtime: RasaRuntime) -> HttpResponse:
    headline, _, details = runtime.message.partition("\n")
    context = {
        "runtime": runtime,
        "headline": headline,
        "details": details,
        "label": f"Installing {runtime}",
        "percent": int(100 * runtime.done / runtime.total) if runtime.total else None,
        "under_way": runtime.state in {RasaRuntime.State.WANTED, RasaRuntime.State.INSTALLING},
        # Also while nobody has begun: the controller of an installation that has just started will.
        "may_change": runtime.state not in {RasaRuntime.State.READY, RasaRuntime.State.FAILED},
        "controller_lives": live("controller") > 0,
        "may_install": may_install(signed_in(request)),
    }
    return render(request, "rasa/status.html", context)
