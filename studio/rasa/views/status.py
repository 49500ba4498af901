"""How far a Rasa runtime is: a fragment that pages which need it show while it is not ready."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.jobs.heartbeat import live
from studio.rasa.models import RasaRuntime
from studio.rasa.services import VERSION, request_install, runtime_named
from studio.rasa.uses import uses_of
from studio.web.htmx import toast


@require_safe
def runtime_status(request: HttpRequest) -> HttpResponse:
    """Of the Rasa `?version=`, else of the settings' one. Asks for itself again while an installation is under way;
    empty once it is ready."""
    return _fragment(request, runtime_named(request.GET.get("version", "")[:40]))


@require_POST
def install(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    if not may_install(person):
        raise PermissionDenied("Your roles do not include training models or modifying environments.")
    row = runtime_named(request.POST.get("version", "")[:40])
    if row._state.adding and not _is_asked_for(row):
        raise Http404("No assistant uses this version.")
    try:
        return _fragment(request, request_install(actor=person, name=row.version))
    except DomainError as error:
        return toast(_fragment(request, runtime_named(row.version)), error.message, "info")


def may_install(person: User) -> bool:
    """Whoever can do anything with a Rasa may also have it installed. Another version is for who looks after them."""
    return person.may_somewhere(Permission.MODELS_MODIFY) or person.may_somewhere(Permission.ENVIRONMENTS_MODIFY)


def _is_asked_for(row: RasaRuntime) -> bool:
    return bool(VERSION.fullmatch(row.version) and uses_of(row.version))


def _fragment(request: HttpRequest, runtime: RasaRuntime) -> HttpResponse:
    headline, _, details = runtime.message.partition("\n")
    waits_for_nobody = runtime._state.adding
    context = {
        "runtime": runtime,
        "headline": headline,
        "details": details,
        "label": f"Installing {runtime}",
        "percent": int(100 * runtime.done / runtime.total) if runtime.total else None,
        "under_way": runtime.state in {RasaRuntime.State.WANTED, RasaRuntime.State.INSTALLING},
        # Also while nobody has begun: the controller of an installation that has just started will.
        "may_change": runtime.state not in {RasaRuntime.State.READY, RasaRuntime.State.FAILED} and not waits_for_nobody,
        "controller_lives": live("controller") > 0,
        "may_install": may_install(signed_in(request)),
        "is_unknown": waits_for_nobody and not VERSION.fullmatch(runtime.version),
        "waits_for_nobody": waits_for_nobody,
    }
    return render(request, "rasa/status.html", context)
