"""The audit log as a file: CSV for spreadsheets, one JSON object a line (JSONL) for programs."""

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import StreamingHttpResponse
from django.utils import timezone

from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.querysets import AuditEventQuerySet
from studio.audit.services import record
from studio.web.spreadsheets import cell

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
COLUMNS = (
    "id",
    "at",
    "actor_id",
    "actor_label",
    "action",
    "assistant_id",
    "target_kind",
    "target_id",
    "target_label",
    "before",
    "after",
    "reason",
    "request_id",
    "address",
)
_CHUNK = 1000


def download(
    actor: User, events: AuditEventQuerySet, kind: str, *, filters: Mapping[str, str]
) -> StreamingHttpResponse:
    """The file; that it was taken is an event too, and not yet in it."""
    last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with transaction.atomic():
        record(actor, Action.AUDIT_EXPORTED, after={"as": kind, "filters": dict(filters)})
    response = StreamingHttpResponse(lines(events.filter(pk__lte=last), kind), content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d}.{kind}"'
    return response


class _Echo:
    """A file for csv.writer that hands back each line."""

    def write(self, text: str) -> str:
        return text


def lines(events: AuditEventQuerySet, kind: str) -> Iterator[str]:
    """The file piece by piece, oldest event first; `kind` is one of CONTENT_TYPES."""
    rows = events.order_by("pk").iterator(chunk_size=_CHUNK)
    yield from _csv(rows) if kind == "csv" else _jsonl(rows)


def _csv(events: Iterator[AuditEvent]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in events:
        yield writer.writerow([_cell(getattr(event, column)) for column in COLUMNS])


def _jsonl(events: Iterator[AuditEvent]) -> Iterator[str]:
    for event in events:
        yield json.dumps({column: _plain(getattr(event, column)) for column in COLUMNS}) + "\n"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _cell(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, dict):
        value = json.dumps(value)
    return cell(value) if isinstance(value, str) else value
