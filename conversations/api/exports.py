"""Conversations as files: at once while they are few, prepared in the background when they are many; and numbers."""

from typing import Any, Literal
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema, Status

from conversations.api.filters import CALLED, asked_of_page
from conversations.api.forms import described
from conversations.downloads import prepared, sent
from conversations.filters import ConversationFilter
from conversations.limits import kept
from conversations.loaders import load_export, load_readable
from conversations.models import ExportRun
from conversations.services import export_runs
from conversations.services.exporting import Format
from studio.access.loaders import signed_in
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["exports"])
Word = Literal["jsonl", "csv", "messages", "conversations"]
_FORMATS: dict[str, Format] = {**{str(one): one for one in Format}, "csv": Format.MESSAGES}
_FILES = {"application/x-ndjson": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}}
FILTERS = {name: ours for name, ours in CALLED.items() if ours in ConversationFilter.base_fields}


class Wish(Schema):
    """`jsonl` is a conversation a line, as Rasa's tracker has it; `messages` (also `csv`) is CSV with a row for each
    message, `conversations` CSV with a row for each conversation."""

    format: Word = "jsonl"


class Preparing(Body):
    """`filters` as the conversations list takes them, such as {"environment": "production", "intent": "greet"}."""

    format: Word = "jsonl"
    filters: dict[str, str] = {}


class ExportOut(Schema):
    """`state` is waiting, running, done, failed, cancelled or expired. `file` is where to fetch it, once it is done."""

    number: int
    state: str
    format: str
    filter: str
    total: int
    done: int
    message: str
    size: int
    sha256: str
    file: str | None
    requested_at: float
    ended_at: float | None
    expires_at: float | None


@router.get(
    "/projects/{slug}/conversations/export",
    summary="Conversations as a file",
    url_name="conversations-export",
    response={200: None, 202: ExportOut},
    openapi_extra={
        **described(ConversationFilter.base_fields, FILTERS),
        "responses": {200: {"description": "The file.", "content": _FILES}},
    },
)
def export(
    request: HttpRequest, response: HttpResponse, slug: Path[str], wish: Query[Wish]
) -> StreamingHttpResponse | Status[dict[str, Any]]:
    """What the filters show. More than 10,000 are prepared: 202 says where; asked again, it is the same file."""
    assistant = load_readable(request, slug)
    actor, kind = signed_in(request), _FORMATS[wish.format]
    query = asked_of_page(request.GET, ["format"])
    if export_runs.count_up_to_limit(actor=actor, assistant=assistant, query=query) > export_runs.AT_ONCE:
        mine = ExportRun.objects.filter(requested_by=actor, limit=kept(actor))
        same = mine.filter(assistant=assistant, query=query, format=kind)
        open_or_done = same.filter(state__in=(*ExportRun.OPEN, ExportRun.State.DONE)).first()
        run = open_or_done or export_runs.request_run(actor=actor, assistant=assistant, query=query, kind=kind)
        return _accepted(response, run)
    pieces = export_runs.send_now(actor=actor, assistant=assistant, query=query, kind=kind)
    return sent(assistant, kind, pieces)


@router.post(
    "/projects/{slug}/conversations/export",
    summary="Have a file of conversations prepared",
    url_name="conversations-export",
    response={202: ExportOut},
)
def prepare(request: HttpRequest, response: HttpResponse, slug: Path[str], body: Preparing) -> Status[dict[str, Any]]:
    """However many they are. The file is kept for a day."""
    assistant = load_readable(request, slug)
    query = query_of(body.filters)
    kind = _FORMATS[body.format]
    return _accepted(
        response, export_runs.request_run(actor=signed_in(request), assistant=assistant, query=query, kind=kind)
    )


@router.get("/projects/{slug}/exports", summary="One's files", url_name="exports", response=list[ExportOut])
def exports(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """Those that one had prepared, the newest first."""
    assistant = load_readable(request, slug)
    runs = ExportRun.objects.visible_to(signed_in(request)).filter(assistant=assistant).select_related("assistant")
    return [facts(one) for one in page(request, response, runs, paging)]


@router.get("/projects/{slug}/exports/{number}", summary="One file", url_name="export", response=ExportOut)
def one(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    return facts(load_export(request, slug, number))


@router.delete(
    "/projects/{slug}/exports/{number}", summary="Cancel or delete a file", url_name="export", response={204: None}
)
def cancel(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    export_runs.cancel(actor=signed_in(request), run=load_export(request, slug, number))
    return Status(204, None)


@router.get(
    "/projects/{slug}/exports/{number}/file",
    summary="Fetch a prepared file",
    url_name="export-file",
    response={200: None},
    openapi_extra={"responses": {200: {"description": "The file, or with Range a part of it.", "content": _FILES}}},
)
def file(request: HttpRequest, slug: Path[str], number: Path[int]) -> HttpResponseBase:
    """404 until it is done, and once it has expired."""
    return prepared(request, load_export(request, slug, number))


def query_of(filters: dict[str, str]) -> str:
    """Of a body's filters, as the list's address has them. Raises Invalid for what is no filter."""
    return asked_of_page(QueryDict(urlencode(filters, errors="replace")))


def _accepted(response: HttpResponse, run: ExportRun) -> Status[dict[str, Any]]:
    response["Location"] = _address(run)
    return Status(202, facts(run))


def _address(run: ExportRun) -> str:
    return f"/api/projects/{run.assistant.slug}/exports/{run.pk}"


def facts(run: ExportRun) -> dict[str, Any]:
    return {
        "number": run.pk,
        "state": run.state,
        "format": run.format,
        "filter": run.query,
        "total": run.total,
        "done": run.done,
        "message": run.message,
        "size": run.size,
        "sha256": run.sha256,
        "file": f"{_address(run)}/file" if run.state == ExportRun.State.DONE else None,
        "requested_at": run.requested_at.timestamp(),
        "ended_at": run.ended_at.timestamp() if run.ended_at else None,
        "expires_at": run.expires_at.timestamp() if run.expires_at else None,
    }
