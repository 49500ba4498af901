"""Taking events from the table that an environment's Rasa writes to with its SQL event broker."""

from dataclasses import dataclass
from typing import cast

import psycopg
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from psycopg import sql

from conversations.ingest.write import Binding, Record, Stored, again_when_interrupted, store_batch
from conversations.models import IngestState
from environments.models import Environment
from environments.services.database import events_access

BATCH = 5000
INVALID_IN_A_ROW = 1000

# Rows are taken by being deleted, in the transaction that stores them: whatever happens they are in one place, and a
# second process passes over those that the first holds. Never by "id greater than the last one": ids are given out
# before they are committed, so a later commit can bring a smaller id.
_TAKE = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING data
"""


class TooManyInvalid(Exception):
    """So many records in a row could not be read that the fault must be ours; none of them was taken."""


@dataclass(frozen=True, slots=True)
class Intake:
    """One environment's events table."""

    schema: str
    binding: Binding

    @property
    def environment_id(self) -> int:
        return cast(int, self.binding.environment_id)


def intakes() -> list[Intake]:
    """Every events table there is; a removed environment's is emptied too, until it is dropped."""
    found = []
    for environment in Environment.objects.exclude(database_key="").order_by("pk"):
        access = events_access(environment)
        if access is not None:
            binding = Binding(environment.assistant_id, environment.pk, environment.name, f"sql:{access.schema}")
            found.append(Intake(access.schema, binding))
    return found


def move_batch(intake: Intake, *, invalid_before: int = 0, limit: int = BATCH) -> Stored:
    """Move at most `limit` events into conversations; an empty Stored when none wait.

    `invalid_before` counts the dead letters that directly precede; with this batch's they may not grow too many.
    """
    return again_when_interrupted(lambda: _move(intake, invalid_before, limit))


@transaction.atomic
def _move(intake: Intake, invalid_before: int, limit: int) -> Stored:
    records = [Record(data, intake.binding) for data in _take(intake.schema, limit)]
    if not records:
        return Stored()
    stored = store_batch(records)
    if stored.dead == len(records) and invalid_before + stored.dead >= INVALID_IN_A_ROW:
        raise TooManyInvalid(f"{invalid_before + stored.dead} records in a row of {intake.schema} could not be read.")
    _remember(intake, stored)
    return stored


def _take(schema: str, limit: int) -> list[bytes]:
    session = cast("psycopg.Connection[tuple[str | None]]", connection.connection)
    statement = sql.SQL(_TAKE).format(table=sql.Identifier(schema, "events"))
    with connection.wrap_database_errors:  # Django's own error classes, as from any of its cursors
        rows = session.execute(statement, [limit]).fetchall()
    return [(data or "").encode() for (data,) in rows]


def _remember(intake: Intake, stored: Stored) -> None:
    """Last in the transaction, so that two processes never hold this row and wait for each other's conversations."""
    facts: dict[str, object] = {"events_total": F("events_total") + stored.added}
    if stored.added:
        facts["last_event_at"] = timezone.now()
    IngestState.objects.filter(environment_id=intake.environment_id).update(**facts)
