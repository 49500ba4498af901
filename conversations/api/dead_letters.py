"""Records that could not be read: their causes, the letters, and what one does with them, one by one or all of a
cause."""

from typing import Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.causes import causes, kinds
from conversations.loaders import load_dead_letter, load_readable, load_run
from conversations.models import DeadLetter, DeadLetterRun, IntakeSource
from conversations.services import dead_letters
from conversations.services.dead_letter_runs import Selection, request_run, stop_run
from conversations.services.dead_letters import current_record
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import Invalid
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["dead letters"])

FLAG = Permission.CONVERSATIONS_FLAG
State = Literal["waiting", "stored", "known", "discarded"]
WORDS = r"\S"


class LetterFilter(Schema):
    """Of one `source` by its number, one `fault` and its `place`."""

    state: State = "waiting"
    source: int | None = None
    fault: str | None = None
    place: str | None = None


class CauseOut(Schema):
    """What one fault in one place did. `count` goes up to 1,000 of a source and environment; `is_more` beyond."""

    fault: str
    place: str
    title: str
    cause: str
    mend: str
    count: int
    is_more: bool
    first_at: float
    last_at: float


class LetterOut(Schema):
    """`state` is waiting, stored, known (was stored already) or discarded."""

    number: int
    state: str
    fault: str
    place: str
    reason: str
    source: int
    environment: str
    topic: str
    partition: int | None
    offset: int | None
    is_edited: bool
    at: float
    ended_at: float | None
    ended_by: str | None
    note: str


class Edited(Body):
    """Another text of the record, which is tried at once; the original is kept beside it."""

    record: str = Field(min_length=1)


class Reason(Body):
    reason: str = Field(min_length=1, max_length=500, pattern=WORDS)


class RunIn(Body):
    """All letters of a cause that wait now. Discarding asks for a `reason`."""

    act: Literal["retry", "discard"]
    fault: str = Field(max_length=40)
    place: str = Field("", max_length=120)
    source: int | None = None
    reason: str = Field("", max_length=500)


class RunOut(Schema):
    """`state` is waiting, running, done, stopped or failed."""

    number: int
    state: str
    act: str
    fault: str
    place: str
    source: int | None
    reason: str
    total: int
    stored: int
    known: int
    unreadable: int
    discarded: int
    requested_by: str | None
    requested_at: float
    ended_at: float | None


@router.get(
    "/projects/{slug}/dead-letters/causes",
    summary="Why records could not be read",
    url_name="dead-letter-causes",
    response=list[CauseOut],
)
def all_causes(request: HttpRequest, slug: Path[str], wanted: Query[LetterFilter]) -> list[dict[str, Any]]:
    """The latest first."""
    assistant = load_readable(request, slug)
    found = [
        one
        for one in kinds(signed_in(request), assistant.pk, wanted.state)
        if wanted.source in (None, one.source_id)
        and wanted.fault in (None, one.fault)
        and wanted.place in (None, one.place)
    ]
    return [
        {
            "fault": one.fault,
            "place": one.place,
            **one.words._asdict(),
            "count": one.count,
            "is_more": one.is_more,
            "first_at": one.first_at.timestamp(),
            "last_at": one.last_at.timestamp(),
        }
        for one in causes(found)
    ]


@router.get("/projects/{slug}/dead-letters", summary="Dead letters", url_name="dead-letters", response=list[LetterOut])
def letters(
    request: HttpRequest,
    response: HttpResponse,
    slug: Path[str],
    wanted: Query[LetterFilter],
    paging: Query[Paging],
) -> list[dict[str, Any]]:
    """Those that wait, or were handled; the newest first. Counted up to 10,000: X-Total-Count-Exact says whether."""
    assistant = load_readable(request, slug)
    rows = DeadLetter.objects.visible_to(signed_in(request)).filter(assistant=assistant, state=wanted.state)
    given = {"source": wanted.source, "fault": wanted.fault, "place": wanted.place}
    asked = {name: value for name, value in given.items() if value is not None}
    if any("\0" in str(value) for value in asked.values()):
        raise Invalid("A fault and a place hold no NUL.")
    rows = rows.filter(**asked)
    total = rows.order_by()[: COUNTED + 1].count()
    response["X-Total-Count-Exact"] = "true" if total <= COUNTED else "false"
    light = rows.light().select_related("environment", "ended_by").defer("record")
    edited = set()
    found = page(request, response, light, paging, total=min(total, COUNTED))
    if found:
        keys = [one.pk for one in found]
        edited = set(DeadLetter.objects.filter(pk__in=keys).exclude(edited=None).values_list("pk", flat=True))
    return [_letter(one, is_edited=one.pk in edited) for one in found]


COUNTED = 10_000


@router.get("/projects/{slug}/dead-letters/runs/{number}", summary="How far all letters of a cause are handled",
            url_name="dead-letter-run", response=RunOut)  # fmt: skip
def run(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    return _run(load_run(request, slug, number))


@router.delete(
    "/projects/{slug}/dead-letters/runs/{number}",
    summary="Stop handling the letters of a cause",
    url_name="dead-letter-run",
    response={204: None},
)
def stop(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    """After the step that is under way. What was done stays done."""
    stop_run(actor=signed_in(request), run=load_run(request, slug, number, to_stop=True))
    return Status(204, None)


@router.post(
    "/projects/{slug}/dead-letters/runs",
    summary="Try all letters of a cause again, or discard them",
    url_name="dead-letter-runs",
    response={202: RunOut},
)
def begin(request: HttpRequest, response: HttpResponse, slug: Path[str], body: RunIn) -> Status[dict[str, Any]]:
    """Those that wait now, in the background."""
    assistant = load_readable(request, slug, FLAG)
    if body.act == "discard" and not body.reason.strip():
        raise Invalid("Say why they are discarded.", field="reason")
    selection = Selection(assistant, _clean(body.fault), _clean(body.place), _source(assistant, body.source))
    made = request_run(actor=signed_in(request), act=body.act, selection=selection, reason=body.reason.strip())
    response["Location"] = f"/api/projects/{slug}/dead-letters/runs/{made.pk}"
    return Status(202, _run(made))


@router.get(
    "/projects/{slug}/dead-letters/{number}", summary="One dead letter", url_name="dead-letter", response=LetterOut
)
def letter(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    found = load_dead_letter(request, slug, number)
    return _letter(found, is_edited=found.edited is not None)


@router.get(
    "/projects/{slug}/dead-letters/{number}/record",
    summary="The record of a dead letter",
    url_name="dead-letter-record",
    response={200: None},
    openapi_extra={
        "responses": {
            200: {
                "description": "The bytes as they came; with ?version=edited as edited.",
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        }
    },
)
def record(
    request: HttpRequest, slug: Path[str], number: Path[int], version: Literal["original", "edited"] = "original"
) -> HttpResponse:
    found = load_dead_letter(request, slug, number)
    content = current_record(found) if version == "edited" else bytes(found.record)
    headers = {"Content-Disposition": f'attachment; filename="{found.assistant_id}-dead-letter-{number}.bin"'}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)


@router.put(
    "/projects/{slug}/dead-letters/{number}/record",
    summary="Edit the record of a dead letter, and try it",
    url_name="dead-letter-record",
    response=LetterOut,
)
def edit(request: HttpRequest, slug: Path[str], number: Path[int], body: Edited) -> dict[str, Any]:
    """`state` says what became of it; still waiting, `reason` is new."""
    found = load_dead_letter(request, slug, number, FLAG)
    content = body.record.encode()
    tried = dead_letters.edit_and_retry(actor=signed_in(request), letter=found, edited=content)
    return _letter(tried, is_edited=tried.edited is not None)


@router.post(
    "/projects/{slug}/dead-letters/{number}/retry",
    summary="Try a dead letter again",
    url_name="dead-letter-retry",
    response=LetterOut,
)
def retry(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    """`state` says what became of it; still waiting, `reason` is new."""
    found = load_dead_letter(request, slug, number, FLAG)
    tried = dead_letters.retry(actor=signed_in(request), letter=found)
    return _letter(tried, is_edited=tried.edited is not None)


@router.post(
    "/projects/{slug}/dead-letters/{number}/discard",
    summary="Discard a dead letter",
    url_name="dead-letter-discard",
    response=LetterOut,
)
def discard(request: HttpRequest, slug: Path[str], number: Path[int], body: Reason) -> dict[str, Any]:
    """It waits no longer. The record itself is kept."""
    found = load_dead_letter(request, slug, number, FLAG)
    gone = dead_letters.discard(actor=signed_in(request), letter=found, reason=body.reason.strip())
    return _letter(gone, is_edited=gone.edited is not None)


def _clean(text: str) -> str:
    return text.replace("\0", "")


def _source(assistant: Assistant, number: int | None) -> IntakeSource | None:
    if number is None:
        return None
    found = IntakeSource.objects.filter(assistant=assistant, pk=number).first()
    if found is None:
        raise Http404("There is no such source.")
    return found


def _letter(row: DeadLetter, *, is_edited: bool) -> dict[str, Any]:
    return {
        "number": row.pk,
        "state": row.state,
        "fault": row.fault,
        "place": row.place,
        "reason": row.reason,
        "source": row.source_id,
        "environment": row.environment.name if row.environment else row.environment_name,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "is_edited": is_edited,
        "at": row.at.timestamp(),
        "ended_at": row.ended_at.timestamp() if row.ended_at else None,
        "ended_by": row.ended_by.username if row.ended_by else None,
        "note": row.note,
    }


def _run(row: DeadLetterRun) -> dict[str, Any]:
    return {
        "number": row.pk,
        "state": row.state,
        "act": row.act,
        "fault": row.fault,
        "place": row.place,
        "source": row.source_id,
        "reason": row.reason,
        "total": row.total,
        "stored": row.stored,
        "known": row.known,
        "unreadable": row.unreadable,
        "discarded": row.discarded,
        "requested_by": row.requested_by.username if row.requested_by else None,
        "requested_at": row.requested_at.timestamp(),
        "ended_at": row.ended_at.timestamp() if row.ended_at else None,
    }
