"""How complete an environment's events are: comparing them with its Rasa server, and bringing in what is missing."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.loaders import load_compared, load_comparison, load_incident_of
from conversations.models import CompletenessFinding, CompletenessRun
from conversations.services import completeness
from studio.access.loaders import signed_in
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["intake"])
_LATEST = 253_402_300_799.0  # the last second that Rasa's times have here


class CheckIn(Body):
    """Of Rasa's times from `since` until `until` (null: the beginning, and now), all conversations or a `sample`. With
    `incident`, its number, everything of the time in which a source lost records is compared, and stored."""

    since: float | None = Field(None, ge=0, le=_LATEST)
    until: float | None = Field(None, ge=0, le=_LATEST)
    sample: int | None = Field(300, ge=1, le=1_000_000, description="null: all of them")
    repairs: bool = Field(False, description="also store what is missing")
    incident: int | None = None


class CompletenessRunOut(Schema):
    """`state` is waiting, running, done, failed or stopped. `complete` is the share of the server's events that were
    here: 0 to 1, null when there were none to compare."""

    number: int
    state: str
    repairs: bool
    is_nightly: bool
    of: int | None
    incident: int | None
    since: float | None
    until: float
    sample: int | None
    complete: float | None
    conversations_total: int
    conversations_compared: int
    conversations_unknown: int
    conversations_unasked: int
    events_there: int
    events_missing: int
    events_extra: int
    events_added: int
    events_unreadable: int
    message: str
    requested_by: str
    requested_at: float
    ended_at: float | None


class CompletenessFindingOut(Schema):
    """A conversation of which events are missing here, or which are here alone."""

    sender_id: str
    missing: int
    extra: int
    added: int
    fault: str


PLACE = "/projects/{slug}/environments/{name}/completeness"


@router.get(
    PLACE, summary="Comparisons of an environment's events", url_name="checks", response=list[CompletenessRunOut]
)
def checks(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """The newest first."""
    rows = load_compared(request, slug, name).completeness_runs.all()
    return [_facts(one) for one in page(request, response, rows, paging)]


@router.post(PLACE, summary="Compare an environment's events", url_name="checks", response={202: CompletenessRunOut})
def check(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], body: CheckIn
) -> Status[dict[str, Any]]:
    """With its Rasa server, in the background. 409 while another comparison is under way."""
    environment, actor = load_compared(request, slug, name, to_change=True), signed_in(request)
    if body.incident is not None:
        incident = load_incident_of(environment, body.incident)
        run = completeness.request_repair_of_incident(actor=actor, environment=environment, incident=incident)
    else:
        run = completeness.request_check(
            actor=actor,
            environment=environment,
            since=body.since,
            until=body.until,
            sample=None if body.repairs else body.sample,
            repairs=body.repairs,
        )
    return _accepted(response, slug, name, run)


@router.get(f"{PLACE}/{{number}}", summary="One comparison", url_name="check", response=CompletenessRunOut)
def one(request: HttpRequest, slug: Path[str], name: Path[str], number: Path[int]) -> dict[str, Any]:
    return _facts(load_comparison(load_compared(request, slug, name), number))


@router.delete(f"{PLACE}/{{number}}", summary="Stop a comparison", url_name="check", response={204: None})
def stop(request: HttpRequest, slug: Path[str], name: Path[str], number: Path[int]) -> Status[None]:
    """What it stored stays."""
    run = load_comparison(load_compared(request, slug, name, to_change=True), number)
    completeness.stop(actor=signed_in(request), run=run)
    return Status(204, None)


@router.post(
    f"{PLACE}/{{number}}/backfill",
    summary="Bring in what a comparison found missing",
    url_name="check-backfill",
    response={202: CompletenessRunOut},
)
def backfill(
    request: HttpRequest, response: HttpResponse, slug: Path[str], name: Path[str], number: Path[int]
) -> Status[dict[str, Any]]:
    """After a sample all conversations of its period are compared."""
    run = load_comparison(load_compared(request, slug, name, to_change=True), number)
    return _accepted(response, slug, name, completeness.request_backfill(actor=signed_in(request), run=run))


@router.get(
    f"{PLACE}/{{number}}/findings",
    summary="What a comparison found",
    url_name="check-findings",
    response=list[CompletenessFindingOut],
)
def findings(
    request: HttpRequest,
    response: HttpResponse,
    slug: Path[str],
    name: Path[str],
    number: Path[int],
    paging: Query[Paging],
) -> list[dict[str, Any]]:
    run = load_comparison(load_compared(request, slug, name), number)
    rows = CompletenessFinding.objects.filter(run=run)
    return [
        {
            "sender_id": one.sender_id,
            "missing": one.missing,
            "extra": one.extra,
            "added": one.added,
            "fault": one.fault,
        }
        for one in page(request, response, rows, paging, by="pk")
    ]


def _accepted(response: HttpResponse, slug: str, name: str, run: CompletenessRun) -> Status[dict[str, Any]]:
    response["Location"] = f"/api/projects/{slug}/environments/{name}/completeness/{run.pk}"
    return Status(202, _facts(run))


def _facts(run: CompletenessRun) -> dict[str, Any]:
    names = (
        "state", "repairs", "is_nightly", "since", "until", "sample", "conversations_total", "conversations_compared",
        "conversations_unknown", "conversations_unasked", "events_there", "events_missing", "events_extra",
        "events_added", "events_unreadable", "message",
    )  # fmt: skip
    return {
        **{name: getattr(run, name) for name in names},
        "number": run.pk,
        "of": run.of_id,
        "incident": run.incident_id,
        "complete": run.share,
        "requested_by": run.requested_by_label,
        "requested_at": run.requested_at.timestamp(),
        "ended_at": run.ended_at.timestamp() if run.ended_at else None,
    }
