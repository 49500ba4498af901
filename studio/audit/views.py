"""The audit log, for people who may read it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from studio.access.loaders import signed_in
from studio.access.scopes import Place
from studio.audit import export as file
from studio.audit.actions import Action
from studio.audit.filters import AuditFilter
from studio.audit.loaders import load_event, places_of, readable
from studio.audit.models import AuditEvent
from studio.audit.querysets import AuditEventQuerySet
from studio.web.keyset import Page, page_of
from studio.web.query_time import TookTooLong, at_most

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
    events = readable(request)
    places = places_of(request)
    chosen = AuditFilter(request.GET, places=places)
    page = _page(chosen, events, request)
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
    events = readable(request)
    chosen = AuditFilter(request.GET, places=places_of(request))
    if not chosen.is_valid():
        return redirect(f"{reverse('audit:list')}?{request.GET.urlencode()}")
    return file.download(signed_in(request), chosen.apply(events), kind, filters=chosen.used)


@require_safe
def event_detail(request: HttpRequest, pk: int) -> HttpResponse:
    event = load_event(request, pk)
    return render(request, "audit/event.html", {"line": _lines([event], places_of(request))[0]})


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
