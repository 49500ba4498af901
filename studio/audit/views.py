"""The audit log, for people who may read it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from studio.access import scopes
from studio.access.loaders import signed_in
from studio.access.permissions import MissingPermission, Permission
from studio.access.scopes import Place
from studio.audit import export as file
from studio.audit.actions import Action
from studio.audit.filters import AuditFilter
from studio.audit.models import AuditEvent
from studio.audit.querysets import AuditEventQuerySet
from studio.audit.services import record
from studio.web.keyset import Page, page_of
from studio.web.patience import TookTooLong, at_most

SEARCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Change:
    """One fact before and after; None where there was, or is, none."""

    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Line:
    event: AuditEvent
    what: str
    assistant: str
    changes: list[Change]
    is_refusal: bool

    @property
    def has_before(self) -> bool:
        return any(change.before is not None for change in self.changes)


@require_safe
def event_list(request: HttpRequest) -> HttpResponse:
    readable = _readable(request)
    places = _places(request)
    chosen = AuditFilter(request.GET, places=places)
    page = _page(chosen, readable, request)
    query = f"?{urlencode(chosen.used)}" if chosen.used else ""
    context = {"filters": chosen, "page": page, "lines": _lines(page.rows, places), "query": query}
    return render(request, "audit/list.html", context)


def _page(chosen: AuditFilter, readable: AuditEventQuerySet, request: HttpRequest) -> Page[AuditEvent]:
    try:
        with at_most(SEARCH_SECONDS):
            return page_of(chosen.apply(readable), request, size=50)
    except TookTooLong:
        chosen.add_error("q", "That takes too long to find. Choose days, an action or an assistant too.")
        return Page([], newer=None, older=None)


@require_safe
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """What the filters leave, as a file; that it was taken is an event too, and not yet in it."""
    readable = _readable(request)
    chosen = AuditFilter(request.GET, places=_places(request))
    if not chosen.is_valid():
        return redirect(f"{reverse('audit:list')}?{request.GET.urlencode()}")
    last = readable.order_by("-pk").values_list("pk", flat=True).first() or 0
    events = chosen.apply(readable).filter(pk__lte=last)
    with transaction.atomic():
        record(signed_in(request), Action.AUDIT_EXPORTED, after={"as": kind, "filters": chosen.used})
    response = StreamingHttpResponse(file.lines(events, kind), content_type=file.CONTENT_TYPES[kind])
    name = f"audit-{timezone.now():%Y-%m-%d}.{kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
def event_detail(request: HttpRequest, pk: int) -> HttpResponse:
    event = _readable(request).filter(pk=pk).first()
    if event is None:
        raise Http404("There is no such event, or you may not see it.")
    return render(request, "audit/event.html", {"line": _lines([event], _places(request))[0]})


def _readable(request: HttpRequest) -> AuditEventQuerySet:
    user = signed_in(request)
    if not user.may_somewhere(Permission.AUDIT_VIEW):
        raise MissingPermission(Permission.AUDIT_VIEW)
    return AuditEvent.objects.visible_to(user)


def _places(request: HttpRequest) -> list[Place]:
    user = signed_in(request)
    return [place for place in scopes.places() if user.may(Permission.AUDIT_VIEW, place.scope)]


def _lines(events: list[AuditEvent], places: list[Place]) -> list[Line]:
    names = {place.scope.assistant_id: place.label for place in places if place.scope.environment_id is None}
    return [_line(event, names.get(event.assistant_id, "")) for event in events]


def _line(event: AuditEvent, assistant: str) -> Line:
    try:
        action = Action(event.action)
    except ValueError:  # of an older version, whose history stays
        return Line(event, event.action, assistant, changes(event), is_refusal=False)
    return Line(event, action.label, assistant, changes(event), is_refusal=action.is_refusal)


def changes(event: AuditEvent) -> list[Change]:
    """What the event says changed, fact by fact; what stayed equal is left out."""
    before, after = event.before or {}, event.after or {}
    both = [Change(name, _words(before.get(name)), _words(after.get(name))) for name in {**before, **after}]
    return [change for change in both if change.before != change.after]


def _words(value: object) -> object:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
