"""Dead letters by their cause: the kind of fault and its place. Quick however many wait.

One walk along the index `dead_by_kind` finds each kind of letter (a cause, a source, an environment) without reading
the letters between; of every kind it takes the two ends, and counts no further than people care.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from django.db import connection
from django.db.models import BinaryField
from django.db.models.functions import Substr

from conversations.ingest.faults import Fault, fault_of
from conversations.models import DeadLetter
from studio.access.models import User
from studio.access.permissions import Permission, Scope

COUNTED = 1_000  # of a kind; beyond, more is all that matters
SAMPLE = 200  # bytes

_OF_KIND = """
    assistant_id = %(assistant)s AND state = %(state)s AND fault = kind.fault AND place = kind.place
    AND source_id = kind.source_id AND coalesce(environment_id, 0) = kind.environment
"""
_KEY = "fault, place, source_id, coalesce(environment_id, 0)"
_KINDS = f"""
WITH RECURSIVE kind AS (
    (SELECT fault, place, source_id, coalesce(environment_id, 0) AS environment FROM conversations_deadletter
     WHERE assistant_id = %(assistant)s AND state = %(state)s ORDER BY {_KEY} LIMIT 1)
    UNION ALL
    SELECT following.* FROM kind, LATERAL (
        SELECT {_KEY} FROM conversations_deadletter
        WHERE assistant_id = %(assistant)s AND state = %(state)s
            AND ({_KEY}) > (kind.fault, kind.place, kind.source_id, kind.environment)
        ORDER BY {_KEY} LIMIT 1) AS following
)
SELECT kind.fault, kind.place, kind.source_id, nullif(kind.environment, 0),
    (SELECT count(*) FROM (SELECT FROM conversations_deadletter WHERE {_OF_KIND} LIMIT %(counted)s) AS counted),
    oldest.at, newest.at, newest.id
FROM kind,
    LATERAL (SELECT at FROM conversations_deadletter WHERE {_OF_KIND} ORDER BY id LIMIT 1) AS oldest,
    LATERAL (SELECT id, at FROM conversations_deadletter WHERE {_OF_KIND} ORDER BY id DESC LIMIT 1) AS newest
"""  # noqa: S608 - constants only


class Kind(NamedTuple):
    """Letters of one cause that came from one source for one environment. `number` ends one beyond the cap."""

    fault: str
    place: str
    source_id: int
    environment_id: int | None
    number: int
    first_at: datetime
    last_at: datetime
    newest: int


@dataclass(frozen=True, slots=True)
class Cause:
    """What one fault in one place did: how often, since when, and the newest letter of it."""

    fault: str
    place: str
    count: int
    is_more: bool  # the count goes on beyond the cap
    first_at: datetime
    last_at: datetime
    newest: int

    @property
    def words(self) -> Fault:
        return fault_of(self.fault, self.place)

    @property
    def query(self) -> str:
        return urlencode({"place": self.place}) if self.place else ""


def kinds(viewer: User, assistant_id: int, state: str, *, counted: int = COUNTED) -> list[Kind]:
    """Those that the viewer may see, as `DeadLetter.objects.visible_to` says of single letters."""
    words: dict[str, str | int] = {"assistant": assistant_id, "state": state, "counted": counted + 1}
    with connection.cursor() as cursor:
        cursor.execute(_KINDS, words)
        found = [Kind(*row) for row in cursor.fetchall()]
    scopes = {one.environment_id: Scope(assistant_id, one.environment_id) for one in found}
    return [one for one in found if viewer.may(Permission.CONVERSATIONS_VIEW, scopes[one.environment_id])]


def causes(kinds: Iterable[Kind], *, counted: int = COUNTED) -> list[Cause]:
    """One for each fault and place, the latest first."""
    together: dict[tuple[str, str], list[Kind]] = {}
    for kind in kinds:
        together.setdefault((kind.fault, kind.place), []).append(kind)
    found = [_cause(fault, place, parts, counted) for (fault, place), parts in together.items()]
    return sorted(found, key=lambda cause: cause.newest, reverse=True)


def _cause(fault: str, place: str, parts: list[Kind], counted: int) -> Cause:
    return Cause(
        fault,
        place,
        count=sum(min(one.number, counted) for one in parts),
        is_more=any(one.number > counted for one in parts),
        first_at=min(one.first_at for one in parts),
        last_at=max(one.last_at for one in parts),
        newest=max(one.newest for one in parts),
    )


def waiting_count(viewer: User, assistant_id: int, *, counted: int = 99) -> int:
    """How many wait of those that the viewer may see; counts no further than one beyond `counted` of each kind."""
    return sum(one.number for one in kinds(viewer, assistant_id, DeadLetter.State.WAITING, counted=counted))


def beginnings(letters: Collection[int]) -> dict[int, bytes]:
    """The first bytes of some letters' records, which whole may be megabytes."""
    beginning = Substr("record", 1, SAMPLE, output_field=BinaryField())
    rows = DeadLetter.objects.filter(pk__in=letters).values_list("pk", beginning)
    return {pk: bytes(found) for pk, found in rows}
