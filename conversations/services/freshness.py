"""How fresh what each source brought is, and what is wrong with it: told from the rows, nothing is remembered.

A source that nobody talks through is silent, and that is as it should be. It is said to be suspicious only when
something should have come: Talk or a share link got an answer whose events are missing, or records wait in Kafka and
none is taken. Somebody should look, too, while records that it brought wait as dead letters.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from conversations.ingest.places import NOT_SET
from conversations.models import IntakeIncident, IntakePosition, IntakeSource
from conversations.services.dead_letters import waiting_by, words_for
from conversations.services.missing import is_remembered, missing_answers
from conversations.services.streams import Streams
from models_app.models import Assistant
from studio.jobs import heartbeat

Kind = IntakeSource.Kind

CURRENT_SECONDS = 30.0  # behind by less, a source that records wait for is as good as current
STUCK_AFTER = timedelta(minutes=2)
BEATS_WITHIN = timedelta(seconds=90)  # the process beats every five; a batch in a busy database may take long
SILENT_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Freshness:
    """One source now. `status` and `word` are of the `{% status %}` tag, `why` says more, `mend` what to do."""

    source: IntakeSource
    status: str
    word: str
    why: str = ""
    mend: str = ""
    positions: Sequence[IntakePosition] = field(default=())
    lag: int = 0
    incidents: int = 0  # that nobody closed yet
    dead: str = ""  # letters that wait, in words

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to look at it."""
        return self.status in ("running", "silent") and not self.incidents

    @property
    def newest_at(self) -> datetime | None:
        """Rasa's time of the newest event stored."""
        at = self.source.newest_event_at
        return None if at is None else datetime.fromtimestamp(at, UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a source is judged by, beside its row."""

    positions: Sequence[IntakePosition] = ()
    incidents: int = 0
    missing_since: datetime | None = None
    is_ingesting: bool = True
    dead: int = 0  # letters that wait, as `waiting_by` counts

    @property
    def lag(self) -> int:
        return sum(position.lag for position in self.positions)

    @property
    def moved_at(self) -> datetime | None:
        return max((one.moved_at for one in self.positions if one.moved_at), default=None)


def sources_of(assistant: Assistant) -> list[IntakeSource]:
    """What its events are taken from now; a removed environment's table is nobody's any more."""
    rows = IntakeSource.objects.filter(assistant=assistant, removed_at=None)
    return list(
        rows.exclude(Q(environment__removed_at__isnull=False) & Q(kind=Kind.SQL))
        .select_related("assistant", "environment")
        .order_by("kind", "name", "pk")
    )


def of_all_assistants() -> list[IntakeSource]:
    """As `sources_of`, of every assistant there is."""
    rows = IntakeSource.objects.filter(removed_at=None, assistant__deleted_at=None)
    return list(
        rows.exclude(Q(environment__removed_at__isnull=False) & Q(kind=Kind.SQL))
        .select_related("assistant", "environment")
        .order_by("pk")
    )


def freshness(sources: Sequence[IntakeSource], streams: Streams | None = None) -> list[Freshness]:
    """A handful of queries, however many sources. `streams` are of their assistants, if the caller has them."""
    missing = _missing(sources, streams or Streams.of({one.assistant_id for one in sources}))
    return judged(sources, missing, waiting_by("source", [one.pk for one in sources]))


def judged(
    sources: Sequence[IntakeSource],
    missing: Mapping[int, datetime] | None = None,
    dead: Mapping[int, int] | None = None,
) -> list[Freshness]:
    """As `freshness` in four small queries, when nobody looked for answers whose events are missing, nor for dead
    letters."""
    positions, incidents = _positions(sources), _incidents(sources)
    is_ingesting = heartbeat.live("ingest") > 0
    missing, dead = missing or {}, dead or {}
    facts = (
        Facts(positions[one.pk], incidents[one.pk], missing.get(one.pk), is_ingesting, dead.get(one.pk, 0))
        for one in sources
    )
    return [judge(one, its) for one, its in zip(sources, facts, strict=True)]


def freshness_of(source: IntakeSource, streams: Streams | None = None) -> Freshness:
    return freshness([source], streams)[0]


def judge(source: IntakeSource, facts: Facts, now: datetime | None = None) -> Freshness:
    status, word, why, mend = (
        _stopped(source)
        or _not_taken(source, facts, now or timezone.now())
        or _behind(source, facts, now or timezone.now())
        or _quiet(source, facts, now or timezone.now())
    )
    dead = words_for(facts.dead) if facts.dead else ""
    return Freshness(source, status, word, why, mend, facts.positions, facts.lag, facts.incidents, dead)


Judgement = tuple[str, str, str, str]
LOOK_AT_BROKER = "Look for errors of the event broker in the log of the Rasa server; what it dropped is not sent again."


def _stopped(source: IntakeSource) -> Judgement | None:
    if source.kind == Kind.HISTORY:
        return "silent", "When asked", "It takes part only while an import or a repair runs.", ""
    if not source.is_on:
        return "silent", "Off", "Somebody switched it off.", "Switch it on to go on where it stopped."
    if source.alarm:
        return "failed", "Stopped by alarm", source.alarm, "Nothing is taken until somebody says how to go on."
    if source.last_error:
        return "failed", "Failing", source.last_error, ""
    return None


def _not_taken(source: IntakeSource, facts: Facts, now: datetime) -> Judgement | None:
    if not facts.is_ingesting:
        return "failed", "Not taken", "No ingest process runs, so that events wait.", "Start manage.py ingest."
    if source.heartbeat_at is None:
        return "busy", "Starting", "The ingest process has not reached it yet.", ""
    if now - source.heartbeat_at > BEATS_WITHIN:
        text = "The ingest process lives, and has not looked at this source for a while."
        return "warning", "Not looked at", text, "Look into the log of manage.py ingest."
    return None


def _behind(source: IntakeSource, facts: Facts, now: datetime) -> Judgement | None:
    if not is_behind(source, facts.lag, now):
        return None
    records = "1 record waits" if facts.lag == 1 else f"{facts.lag:,} records wait"
    moved_at = facts.moved_at or source.created_at
    if now - moved_at > STUCK_AFTER:
        text = f"{records} in Kafka, and none was taken for more than two minutes."
        return "warning", "Suspicious", text, "Look into the log of manage.py ingest."
    return "busy", "Catching up", f"{records} to be stored.", ""


def is_behind(source: IntakeSource, lag: int, now: datetime) -> bool:
    """Whether records wait for longer than a busy source's always do."""
    newest = source.newest_event_at
    return lag > 0 and (newest is None or now.timestamp() - newest > CURRENT_SECONDS)


def _quiet(source: IntakeSource, facts: Facts, now: datetime) -> Judgement:
    if facts.missing_since is not None:
        return "warning", "Suspicious", "Talk got an answer, and its events did not come.", LOOK_AT_BROKER
    if facts.dead:
        text = "Records came that could not be read or stored. They are kept, and wait until somebody handles them."
        return "warning", words_for(facts.dead), text, "Mend or discard them."
    if source.last_event_at is None:
        return "silent", "Nothing yet", "It has brought no event.", ""
    if now - source.last_event_at > SILENT_AFTER:
        return "silent", "Silent", "Everything is stored, and nobody has talked for more than a day.", ""
    return "running", "Current", "Everything that came is stored.", ""


# --- Facts ------------------------------------------------------------------------------------------------------------


def _positions(sources: Sequence[IntakeSource]) -> dict[int, list[IntakePosition]]:
    """Of the topics that are taken from now: those of former topics have no lag that counts."""
    found: dict[int, list[IntakePosition]] = defaultdict(list)
    topics = {one.pk: set(one.settings.get("topics", ())) for one in sources}
    for row in IntakePosition.objects.filter(source__in=sources):
        if row.topic in topics[row.source_id]:
            found[row.source_id].append(row)
    return found


def _incidents(sources: Sequence[IntakeSource]) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for source_id in IntakeIncident.objects.filter(source__in=sources, closed_at=None).values_list(
        "source_id", flat=True
    ):
        found[source_id] += 1
    return found


def _missing(sources: Sequence[IntakeSource], streams: Streams) -> dict[int, datetime]:
    """By source, when the newest answer was given whose events should have come by it."""
    fed = environments_of(sources, streams)
    newcomers = {one.pk for one in sources if one.last_event_at is None}
    missing = missing_answers(
        {pk for pks in fed.values() for pk in pks}, ever={pk for one in newcomers for pk in fed[one]}
    )
    found = {}
    for one in sources:
        ats = [missing[pk] for pk in fed[one.pk] if pk in missing and missing[pk] > one.created_at]
        ats = ats if one.pk in newcomers else [at for at in ats if is_remembered(at)]
        if ats:
            found[one.pk] = max(ats)
    return found


def environments_of(sources: Iterable[IntakeSource], streams: Streams) -> dict[int, set[int]]:
    """The environments whose events come by each source, as far as is known; `streams` are of their assistants.

    A Kafka source that has brought nothing yet is thought to feed the one it is set to, else every environment of its
    assistant that nothing else feeds.
    """
    rows = list(sources)
    found: dict[int, set[int]] = {one.pk: set() for one in rows}
    assistants = {one.assistant_id for one in rows}
    known = [one for one in streams.in_use if one.assistant_id in assistants]
    brought = set()
    for stream in known:
        if (place := streams.place_of(stream)) is not None:
            brought.add(place.pk)
            found.get(stream.source_id, set()).add(place.pk)
    unnamed = {one.source_id for one in known if one.environment_name in ("", NOT_SET)}
    for one in rows:
        if one.environment_id and (one.kind == Kind.SQL or one.pk in unnamed):
            found[one.pk].add(one.environment_id)
        if one.kind == Kind.KAFKA and not found[one.pk]:
            mine = {place.pk for (whose, _), place in streams.names.items() if whose == one.assistant_id}
            found[one.pk] = {one.environment_id} if one.environment_id else mine - brought
    return found
