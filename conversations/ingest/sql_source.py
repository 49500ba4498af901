"""Taking events from the table that an environment's Rasa writes to with its SQL event broker."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import psycopg
from django.db import connection, transaction
from psycopg import sql

from conversations.ingest.readable_share import InvalidShare, Window
from conversations.ingest.records import Binding, OnePlace, Record, read
from conversations.ingest.standstill import limit_standstill
from conversations.ingest.write import Stored, again_when_interrupted, store
from conversations.models import IntakeSource
from environments.models import Environment
from environments.services.database import events_access

BATCH = 5000
BATCH_BYTES = 8 * 1024**2  # one row larger than that comes alone

# Rows are taken by being deleted, in the transaction that stores them: whatever happens they are in one place, and a
# second process passes over those that the first holds. Never by "id greater than the last one": ids are given out
# before they are committed, so a later commit can bring a smaller id.
_TAKE = """
WITH waiting AS (
    SELECT ctid AS place, sum(octet_length(data)) OVER (ORDER BY ctid) - octet_length(data) AS before
    FROM (SELECT ctid, data FROM {table} LIMIT %s FOR UPDATE SKIP LOCKED) AS locked
)
DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT place FROM waiting WHERE coalesce(before, 0) < %s)) RETURNING data
"""


@dataclass(frozen=True, slots=True)
class Intake:
    """One environment's events table."""

    schema: str
    places: OnePlace
    accepts_invalid: bool = False

    @property
    def source_id(self) -> int:
        return self.places.source_id


def intakes() -> list[Intake]:
    """Every events table there is; a removed environment's is emptied too, until it is dropped."""
    tables = {}
    for environment in Environment.objects.exclude(database_key="").order_by("pk"):
        access = events_access(environment)
        if access is not None:
            tables[environment] = access.schema
    sources = sources_of_tables(tables)
    return [
        Intake(schema, OnePlace(source.pk, Binding(one.assistant_id, one.pk, one.name)), source.accepts_invalid)
        for one, schema in tables.items()
        if (source := sources.get(one.pk)) is not None
    ]


def sources_of_tables(environments: Iterable[Environment]) -> dict[int, IntakeSource]:
    """The sources that are taken from, by environment; each is made when its table is met for the first time."""
    wanted = {one.pk: one for one in environments}
    rows = IntakeSource.objects.filter(kind=IntakeSource.Kind.SQL, removed_at=None, environment__in=wanted)
    known = set(rows.values_list("environment_id", flat=True))
    IntakeSource.objects.bulk_create(
        [
            IntakeSource(
                kind=IntakeSource.Kind.SQL, name=f"Table of {one.name}", assistant_id=one.assistant_id, environment=one
            )
            for key, one in wanted.items()
            if key not in known
        ],
        ignore_conflicts=True,
    )
    return {cast(int, row.environment_id): row for row in rows.filter(is_on=True, alarm="")}


def move_batch(intake: Intake, share: InvalidShare, *, limit: int = BATCH) -> Stored:
    """Move at most `limit` events into conversations; an empty Stored when none wait.

    Raises TooManyInvalid when too many of the last ones are none, and leaves them where they are.
    """
    window, stored = again_when_interrupted(lambda: _move(intake, share, limit))
    share.keep(window)
    return stored


@transaction.atomic
def _move(intake: Intake, share: InvalidShare, limit: int) -> tuple[Window, Stored]:
    limit_standstill()
    batch = read([Record(data) for data in _take(intake.schema, limit)])
    window = share.look_ahead(batch.outcomes, accepts_invalid=intake.accepts_invalid)
    return window, store(batch, intake.places) if batch.outcomes else Stored()


def _take(schema: str, limit: int) -> list[bytes]:
    session = cast("psycopg.Connection[tuple[str | None]]", connection.connection)
    statement = sql.SQL(_TAKE).format(table=sql.Identifier(schema, "events"))
    with connection.wrap_database_errors:  # Django's own error classes, as from any of its cursors
        rows = session.execute(statement, [limit, BATCH_BYTES]).fetchall()
    return [(data or "").encode() for (data,) in rows]
