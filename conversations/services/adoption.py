"""Events that came under a name no environment has: what there is of them, and which environment takes them over.

Adopting marks the streams, so that what comes from then on belongs there, and moves the conversations and dead letters
that came already: a few at once, the rest by periodic work. Each step is a short transaction that waits for nobody, and
any of them may run twice.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from django.db import connection, transaction
from django.db.models import F, QuerySet

from conversations.ingest.places import NOT_SET
from conversations.models import Conversation, DeadLetter, IntakeSource, IntakeStream
from conversations.services.streams import Streams
from conversations.services.tallies import moving
from environments.models import Environment
from environments.services.birth import create_environment
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

CHUNK = 1000
MOST_COUNTED, MOST_NAMES = 10_000, 200  # so that a page costs the same however much there is
AT_ONCE = 500  # what the request of the person who adopts moves itself
Movable = type[Conversation] | type[DeadLetter]
SECONDS_EACH_TIME = 5.0  # of periodic work, so that other such work is not kept waiting


# From one name to the next by the index of these conversations, however many have each.
_OF_NONE = "FROM conversations_conversation WHERE assistant_id = %(assistant)s AND environment_id IS NULL"
_LEFT = f"""
WITH RECURSIVE name AS (
    (SELECT environment_name {_OF_NONE} ORDER BY environment_name LIMIT 1)
    UNION ALL
    SELECT (SELECT environment_name {_OF_NONE} AND environment_name > name.environment_name
            ORDER BY environment_name LIMIT 1)
    FROM name WHERE name.environment_name IS NOT NULL
)
SELECT environment_name, (
    SELECT count(*) FROM (SELECT {_OF_NONE} AND environment_name = name.environment_name LIMIT %(most)s) AS counted
)
FROM name WHERE environment_name IS NOT NULL LIMIT %(names)s
"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Unknown:
    """One name. `conversations` are counted up to MOST_COUNTED. `heir` is the environment that what comes now belongs
    to: these came before, and `is_moving` while they are on their way to it, where `moved` have arrived."""

    name: str
    records: int
    conversations: int
    first_at: datetime | None
    last_at: datetime | None
    heir: str = ""
    is_moving: bool = False
    moved: int = 0

    @property
    def is_more(self) -> bool:
        """Whether there are more conversations than were counted."""
        return self.conversations > MOST_COUNTED

    @property
    def counted(self) -> int:
        return min(self.conversations, MOST_COUNTED)

    @property
    def label(self) -> str:
        return self.name or "no name"

    @property
    def quoted(self) -> str:
        """For the query of an address."""
        return quote(self.name, safe="")

    @property
    def is_unset(self) -> bool:
        """Whether the servers that sent them were not told their environment."""
        return self.name in ("", NOT_SET)


def unknown_environments(assistant: Assistant, streams: Streams | None = None) -> list[Unknown]:
    """Names whose events or conversations belong to no environment, the latest first. A few queries; `streams` are of
    this assistant, if the caller has them."""
    streams = streams or Streams.of([assistant.pk])
    heirs = {name: place.name for (_, name), place in streams.names.items()}
    came = _by_name(streams)
    left = _left(assistant)
    known = heirs.keys() | _caught(streams)
    found = [
        _unknown(name, came.get(name, ()), left.get(name, 0), heirs.get(name, ""))
        for name in came.keys() | left.keys()
        if name not in known or left.get(name)
    ]
    return sorted(found, key=lambda one: (one.last_at is not None, one.last_at, one.name), reverse=True)


def _unknown(name: str, came: Sequence[IntakeStream], conversations: int, heir: str) -> Unknown:
    return Unknown(
        name,
        records=sum(one.records_total for one in came),
        conversations=conversations,
        first_at=min((one.first_at for one in came), default=None),
        last_at=max((one.last_at for one in came), default=None),
        heir=heir,
        is_moving=any(one.adopted_by is not None and one.adopted_by.removed_at is None for one in came),
        moved=sum(one.moved for one in came),
    )


@transaction.atomic
def adopt_environment(*, actor: User | None, assistant: Assistant, name: str, environment: Environment) -> int:
    """From now on events of that name are `environment`'s. Returns how many conversations moved at once."""
    if environment.assistant_id != assistant.pk or environment.removed_at is not None:
        raise Invalid("Choose an environment of this assistant.", field="environment")
    streams = IntakeStream.objects.filter(assistant=assistant, environment_name=name)
    if not streams.exists() and not _homeless(assistant).filter(environment_name=name).exists():
        raise Conflict(f"Nothing has come under the name {name or '(none)'}.")
    before = sorted({one.adopted_by.name for one in streams.select_related("adopted_by") if one.adopted_by})
    _ensure_stream(assistant, name)
    moved = _move(Conversation, assistant.pk, name, environment.pk, AT_ONCE)
    streams.update(adopted_by=environment, moved=0)
    streams.filter(pk=streams.order_by("pk").values("pk")[:1]).update(moved=moved)
    _move(DeadLetter, assistant.pk, name, environment.pk, AT_ONCE)
    after = {"name": name, "environment": environment.name}
    told = {"adopted_by": before} if before else None
    record(actor, Action.ENVIRONMENT_ADOPTED, environment, assistant_id=assistant.pk, before=told, after=after)
    return moved


@transaction.atomic
def adopt_as_new(*, actor: User | None, assistant: Assistant, name: str) -> tuple[Environment, int]:
    """Make an environment of that name, not set up yet, and give it what came under the name."""
    environment = create_environment(actor=actor, assistant=assistant, name=name)
    return environment, adopt_environment(actor=actor, assistant=assistant, name=name, environment=environment)


def move_adopted() -> int:
    """Periodic work: bring what still lies under an adopted name to who adopted it. Returns how many rows moved."""
    until, moved = time.monotonic() + SECONDS_EACH_TIME, 0
    for stream in _adopted().order_by("pk"):
        for count in _steps(stream):
            moved += count
            if time.monotonic() > until:
                return moved
    return moved


def _steps(stream: IntakeStream) -> Iterator[int]:
    """A chunk a time, of its conversations and then of its dead letters, until fewer than that were there."""
    for kind in (Conversation, DeadLetter):
        count = CHUNK
        while count == CHUNK and stream.adopted_by_id is not None:
            with transaction.atomic():
                count = _move(kind, stream.assistant_id, stream.environment_name, stream.adopted_by_id, CHUNK)
                if kind is Conversation and count:
                    IntakeStream.objects.filter(pk=stream.pk).update(moved=F("moved") + count)
            yield count


def _move(kind: Movable, assistant_id: int, name: str, environment_id: int, most: int) -> int:
    """Rows that ingestion holds are passed over, and taken the next time."""
    left = kind.objects.filter(assistant=assistant_id, environment=None, environment_name=name)
    free = left.select_for_update(skip_locked=True, no_key=True).order_by("pk")
    keys = list(free.values_list("pk", flat=True)[:most])
    with moving(keys) if kind is Conversation and keys else nullcontext():
        return kind.objects.filter(pk__in=keys).update(environment=environment_id)


def _by_name(streams: Streams) -> dict[str, list[IntakeStream]]:
    """What came under each name, by whichever source; a table's names are always an environment's."""
    found: dict[str, list[IntakeStream]] = defaultdict(list)
    for one in streams.rows:
        if one.source.kind != IntakeSource.Kind.SQL:
            found[one.environment_name].append(one)
    return found


def _caught(streams: Streams) -> set[str]:
    """Names that are none, where a source says which environment such events are of."""
    return {"", NOT_SET} - {one.environment_name for one in streams.rows if not _is_caught(one)}


def _is_caught(stream: IntakeStream) -> bool:
    source = stream.source
    is_used = source.kind == IntakeSource.Kind.KAFKA and source.removed_at is None
    return is_used and source.assistant_id == stream.assistant_id and source.environment_id is not None


def _ensure_stream(assistant: Assistant, name: str) -> None:
    """The mark is kept on a stream; conversations of a time before streams were counted have none."""
    if IntakeStream.objects.filter(assistant=assistant, environment_name=name).exists():
        return
    source = IntakeSource.objects.filter(assistant=assistant).order_by("pk").first()
    newest = _homeless(assistant).filter(environment_name=name).order_by("-last_event_at").first()
    if source is not None and newest is not None:
        IntakeStream.objects.create(
            source=source,
            assistant=assistant,
            environment_name=name,
            newest_event_at=newest.last_event_at,
            last_at=newest.last_at,
        )


def _left(assistant: Assistant) -> dict[str, int]:
    """By name, the conversations of no environment, counted up to one more than MOST_COUNTED."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"assistant": assistant.pk, "names": MOST_NAMES, "most": MOST_COUNTED + 1})
        return dict(cursor.fetchall())


def _homeless(assistant: Assistant) -> QuerySet[Conversation]:
    return Conversation.objects.filter(assistant=assistant, environment=None).order_by()


def _adopted() -> QuerySet[IntakeStream]:
    return IntakeStream.objects.exclude(adopted_by=None).filter(adopted_by__removed_at=None)
