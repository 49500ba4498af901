"""Who changed what, when and why. It is read, and by nobody changed."""

from typing import Literal

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja import Field, Query, Router, Schema

from studio.access.loaders import signed_in
from studio.access.scopes import Place
from studio.audit import export
from studio.audit.actions import Action
from studio.audit.filters import AuditFilter
from studio.audit.loaders import load_event, places_of, readable
from studio.audit.models import AuditEvent
from studio.audit.querysets import AuditEventQuerySet
from studio.errors import Invalid
from studio.web.api.paging import Paging, page
from studio.web.query_time import TookTooLong, at_most

router = Router(tags=["audit"])
SEARCH_SECONDS, COUNT_SECONDS = 5.0, 1.0
COUNTED = 10_000
DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"


class AuditEventOut(Schema):
    """`before` and `after`: the facts that changed. `actor` is null for Parley itself; `actor_label` says who."""

    id: int
    at: float
    actor: str | None
    actor_label: str
    action: str
    refused: bool
    project: str | None
    target_kind: str
    target_id: str
    target_label: str
    before: dict[str, object] | None
    after: dict[str, object] | None
    reason: str
    request_id: str
    address: str | None


class AuditSearch(Schema):
    q: str = Field("", max_length=200, description="Text in the target, the reason, or what was before and after")
    who: str = Field("", max_length=200)
    action: str = ""
    outcome: str = Field("", description="`done` or `refused`")
    project: str = ""
    kind: str = Field("", max_length=63, description="Of the target, such as `user` or `environment`")
    target: str = Field("", max_length=200, description="Text in its name; with `kind` its id")
    since: str = Field("", pattern=DAY, description="The first day that counts, `2026-01-31`")
    until: str = Field("", pattern=DAY, description="The last day that counts")
    tz: str = Field("", max_length=64, description="Where days begin and end; UTC unless said")


class AsFile(AuditSearch):
    kind_of_file: Literal["csv", "jsonl"] = Field("jsonl", alias="as")


@router.get("/audit", summary="The audit log", url_name="audit", response=list[AuditEventOut])
def events(
    request: HttpRequest, response: HttpResponse, search: Query[AuditSearch], paging: Query[Paging]
) -> list[dict[str, object]]:
    """Newest first. `X-Total-Count` is counted up to 10,000; `X-Total-Count-Exact` says whether that is all."""
    rows, places = readable(request), places_of(request)
    found = _filter(search, places).apply(rows).select_related("actor")
    try:
        total, is_exact = _count(found)
        with at_most(SEARCH_SECONDS):
            shown = page(request, response, found, paging, total=total)
    except TookTooLong:
        raise Invalid("That takes too long to find. Name days, an action or a project too.", code="too-slow") from None
    response["X-Total-Count"] = str(max(total, len(shown)))
    response["X-Total-Count-Exact"] = "true" if is_exact else "false"
    return [_out(event, places) for event in shown]


@router.get(
    "/audit/file",
    summary="The audit log as a file",
    url_name="audit-file",
    openapi_extra={
        "responses": {200: {"description": "Oldest first", "content": {"application/x-ndjson": {}, "text/csv": {}}}}
    },
)
def as_file(request: HttpRequest, search: Query[AsFile]) -> HttpResponseBase:
    """One JSON object a line, or CSV. That it was taken is in the log."""
    rows = readable(request)
    chosen = _filter(search, places_of(request))
    return export.download(signed_in(request), chosen.apply(rows), search.kind_of_file, filters=chosen.used)


@router.get("/audit/{id}", summary="One event", url_name="audit-event", response=AuditEventOut)
def event(request: HttpRequest, id: int) -> dict[str, object]:
    return _out(load_event(request, id), places_of(request))


def _filter(search: AuditSearch, places: list[Place]) -> AuditFilter:
    data = {name: str(value) for name, value in search.dict(exclude={"project", "kind_of_file"}).items() if value}
    if search.project:
        data["assistant"] = _id_of(search.project, places)
    chosen = AuditFilter(data, places=places)
    if not chosen.is_valid():
        raise Invalid(f"There is nothing to choose like that: {', '.join(chosen.errors)}.")
    return chosen


def _id_of(slug: str, places: list[Place]) -> str:
    """A value that is none lets the filter refuse it."""
    found = [place.scope for place in places if place.slug == slug and place.scope.environment_id is None]
    return str(found[0].assistant_id) if found else "none"


def _count(found: AuditEventQuerySet) -> tuple[int, bool]:
    """How many there are, as far as it is counted, and whether that is all."""
    try:
        with at_most(COUNT_SECONDS):
            count = found.order_by()[: COUNTED + 1].count()
    except TookTooLong:
        return 0, False
    return min(count, COUNTED), count <= COUNTED


def _out(row: AuditEvent, places: list[Place]) -> dict[str, object]:
    slugs = {place.scope.assistant_id: place.slug for place in places}
    return {
        "id": row.pk,
        "at": row.at.timestamp(),
        "actor": row.actor.username if row.actor else None,
        "actor_label": row.actor_label,
        "action": row.action,
        "refused": row.action in {one for one in Action if one.is_refusal},
        "project": slugs.get(row.assistant_id) if row.assistant_id else None,
        "target_kind": row.target_kind,
        "target_id": row.target_id,
        "target_label": row.target_label,
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "request_id": row.request_id,
        "address": row.address,
    }
