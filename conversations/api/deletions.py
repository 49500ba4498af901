"""Deleting many conversations, counted first and then confirmed; and how long conversations are kept."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.api.exports import query_of
from conversations.forms.retention import LONGEST
from conversations.loaders import load_erasure, load_readable, load_retention, load_rule
from conversations.models import ErasureRun, RetentionRule
from conversations.services import erasure_plan, erasure_runs, retention
from environments.models import Environment
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import Conflict, Invalid
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, cut, page

router = Router(tags=["deletions"])


class DeletionWish(Body):
    """`filters` as the conversations list takes them. Without any it is all that one may delete."""

    filters: dict[str, str]


class Confirming(Body):
    """`conversations`: how many were counted, so that nobody confirms what they have not seen."""

    conversations: int


class DeletionOut(Schema):
    """`state` is counting, counted (to be confirmed), waiting, running, done, failed or stopped. `total` and
    `events_total` are what was counted, `conversations` and `events` what is gone. `sample` are sender_ids of some that
    are to go."""

    number: int
    state: str
    filter: str
    environment: str | None
    older_than_days: int | None
    is_nightly: bool
    total: int
    events_total: int
    seen: int
    conversations: int
    events: int
    unreadable_records: int
    message: str
    requested_by: str
    requested_at: float
    confirmed_at: float | None
    ended_at: float | None
    sample: list[str] = []


class RetentionRuleIn(Body):
    """Of an environment, or (null) of everywhere that has no rule of its own. It begins switched off."""

    environment: str | None = None
    days: int = Field(ge=1, le=LONGEST)


class RuleChange(Body):
    """What is left out stays."""

    days: int | None = Field(None, ge=1, le=LONGEST)
    is_on: bool | None = None


class RetentionRuleOut(Schema):
    """`due`: how many conversations it would delete now, counted up to 10,001."""

    number: int
    environment: str | None
    days: int
    is_on: bool
    due: int
    last_run_at: float | None
    changed_at: float


@router.get("/projects/{slug}/deletions", summary="What was deleted", url_name="deletions", response=list[DeletionOut])
def deletions(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """One's own; all of them to who may delete in the whole assistant. The newest first."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_ERASE)
    runs = ErasureRun.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    return [facts(one) for one in page(request, response, runs.select_related("environment"), paging)]


@router.post(
    "/projects/{slug}/deletions",
    summary="Count conversations that are to be deleted",
    url_name="deletions",
    response={202: DeletionOut},
)
def count(request: HttpRequest, response: HttpResponse, slug: Path[str], body: DeletionWish) -> Status[dict[str, Any]]:
    """The first of two steps: nothing is deleted before it is confirmed."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_ERASE)
    query = query_of(body.filters)
    return _accepted(response, erasure_runs.request_run(actor=signed_in(request), assistant=assistant, query=query))


@router.get("/projects/{slug}/deletions/{number}", summary="One deletion", url_name="deletion", response=DeletionOut)
def deletion(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    run = load_erasure(request, slug, number)
    sample = erasure_plan.sample(run) if run.state == ErasureRun.State.COUNTED else []
    return {**facts(run), "sample": [one.sender_id for one in sample]}


@router.post(
    "/projects/{slug}/deletions/{number}/confirm",
    summary="Delete what was counted",
    url_name="deletion-confirm",
    response={202: DeletionOut},
)
def confirm(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int], body: Confirming
) -> Status[dict[str, Any]]:
    """The second step; for good. 409 when something else was counted, or it was confirmed before."""
    run = load_erasure(request, slug, number)
    if run.state == ErasureRun.State.COUNTED and body.conversations != run.total:
        raise Conflict(f"{run.total:,} conversations were counted, not {body.conversations:,}. Nothing was deleted.")
    erasure_runs.confirm(actor=signed_in(request), run=run)
    return _accepted(response, run)


@router.delete(
    "/projects/{slug}/deletions/{number}", summary="Stop a deletion", url_name="deletion", response={204: None}
)
def stop(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    """After the step that is under way. What is gone stays gone."""
    erasure_runs.stop(actor=signed_in(request), run=load_erasure(request, slug, number))
    return Status(204, None)


def _accepted(response: HttpResponse, run: ErasureRun) -> Status[dict[str, Any]]:
    response["Location"] = f"/api/projects/{run.assistant.slug}/deletions/{run.pk}"
    return Status(202, facts(run))


def facts(run: ErasureRun) -> dict[str, Any]:
    return {
        "number": run.pk,
        "state": run.state,
        "filter": run.query,
        "environment": run.environment.name if run.environment else None,
        "older_than_days": run.days,
        "is_nightly": run.is_nightly,
        "total": run.total,
        "events_total": run.events_total,
        "seen": run.seen,
        "conversations": run.conversations,
        "events": run.events,
        "unreadable_records": run.letters,
        "message": run.message,
        "requested_by": run.requested_by_label,
        "requested_at": run.requested_at.timestamp(),
        "confirmed_at": run.confirmed_at.timestamp() if run.confirmed_at else None,
        "ended_at": run.ended_at.timestamp() if run.ended_at else None,
    }


# --- How long they are kept -------------------------------------------------------------------------------------------


@router.get(
    "/projects/{slug}/retention", summary="Retention rules", url_name="retention", response=list[RetentionRuleOut]
)
def rules(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[dict[str, Any]]:
    found = list(load_retention(request, slug).retention_rules.select_related("assistant", "environment"))
    return _rules(cut(request, response, found, paging))


@router.post(
    "/projects/{slug}/retention", summary="Add a retention rule", url_name="retention", response={201: RetentionRuleOut}
)
def add_rule(
    request: HttpRequest, response: HttpResponse, slug: Path[str], body: RetentionRuleIn
) -> Status[dict[str, Any]]:
    assistant = load_retention(request, slug)
    environment = _environment(assistant, body.environment)
    made = retention.add_rule(actor=signed_in(request), assistant=assistant, environment=environment, days=body.days)
    response["Location"] = f"/api/projects/{slug}/retention/{made.pk}"
    return Status(201, _rule(made))


@router.get(
    "/projects/{slug}/retention/{number}",
    summary="One retention rule",
    url_name="retention-rule",
    response=RetentionRuleOut,
)
def rule(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    return _rule(load_rule(request, slug, number))


@router.put(
    "/projects/{slug}/retention/{number}",
    summary="Change a retention rule, or switch it",
    url_name="retention-rule",
    response=RetentionRuleOut,
)
def change_rule(request: HttpRequest, slug: Path[str], number: Path[int], body: RuleChange) -> dict[str, Any]:
    """On, it deletes each night what has become as old. Nobody is asked again."""
    row, actor = load_rule(request, slug, number), signed_in(request)
    with transaction.atomic():
        if body.days is not None:
            retention.change_rule(actor=actor, rule=row, days=body.days)
        if body.is_on is not None:
            retention.switch_rule(actor=actor, rule=row, is_on=body.is_on)
    return _rule(load_rule(request, slug, number))


@router.delete(
    "/projects/{slug}/retention/{number}",
    summary="Remove a retention rule",
    url_name="retention-rule",
    response={204: None},
)
def remove_rule(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    retention.remove_rule(actor=signed_in(request), rule=load_rule(request, slug, number))
    return Status(204, None)


@router.post(
    "/projects/{slug}/retention/{number}/dry-run",
    summary="Count what a retention rule would delete",
    url_name="retention-dry-run",
    response={202: DeletionOut},
)
def dry_run(request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int]) -> Status[dict[str, Any]]:
    """Exactly, and with a sample. Nothing is deleted unless it is confirmed."""
    row = load_rule(request, slug, number)
    return _accepted(response, retention.request_dry_run(actor=signed_in(request), rule=row))


def _environment(assistant: Assistant, name: str | None) -> Environment | None:
    if name is None:
        return None
    found = Environment.objects.in_use().filter(assistant=assistant, name=name.replace("\0", "")).first()
    if found is None:
        raise Invalid("There is no such environment.", field="environment")
    return found


def _rule(row: RetentionRule) -> dict[str, Any]:
    return _rules([row])[0]


def _rules(rows: Sequence[RetentionRule]) -> list[dict[str, Any]]:
    due = retention.due_now(rows)
    return [
        {
            "number": row.pk,
            "environment": row.environment.name if row.environment else None,
            "days": row.days,
            "is_on": row.is_on,
            "due": due[row.pk],
            "last_run_at": row.last_run_at.timestamp() if row.last_run_at else None,
            "changed_at": row.changed_at.timestamp(),
        }
        for row in rows
    ]
