"""Carrying out completeness runs, a slice at a time: ask the server, compare, and in a repair store what is missing.

The server is asked outside of any transaction. What a page of conversations gave is then written in one, together with
the place to go on at, and only by the process that holds the run.
"""

import time
from dataclasses import dataclass

import psycopg
import structlog
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from conversations.ingest.compare import Brief, Difference, Known, difference
from conversations.ingest.history import REPAIR, place_in, source_named, without_known_dead
from conversations.ingest.rasa_memory import NotTold, RasaMemory, TrackerTable, tracker_table
from conversations.ingest.records import Batch
from conversations.ingest.whose import sender_key
from conversations.ingest.write import Stored, again_when_interrupted, store
from conversations.models import CompletenessFinding, CompletenessRun, Conversation, Event
from conversations.services import incidents
from conversations.services.completeness import HELD_FOR
from conversations.services.completeness_plan import Item, begin, next_items, next_phase, period_of
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import DomainError
from studio.rasa.client import RasaError

log = structlog.get_logger()
State = CompletenessRun.State

SLICE_SECONDS = 30.0
FLUSH_SECONDS = 10.0  # a page is written at least so often, which is also the heartbeat


class Overtaken(Exception):
    """Another process took the run up, or somebody stopped it: nothing more may be written."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one item: what the server told, or why it told nothing."""

    item: Item
    events: list[bytes]
    fault: str = ""


def work(run_id: int, *, after: int | None = None, seconds: float = SLICE_SECONDS) -> bool:
    """Go on with a run for a while; whether there is more to do. Safe to call by several at once.

    With `after`, only when so many slices were begun before.
    """
    run = _claim(run_id, after)
    if run is None:
        return False
    try:
        if not Slice(run).go(seconds):
            return _release(run)
        _end(run, State.DONE)
    except Overtaken:
        log.info("a completeness run was taken over or stopped", run=run_id)
    except (RasaError, DomainError) as error:
        _end(run, State.FAILED, error.message)
    except psycopg.Error as error:  # not Django's: the session of the server's tracker store
        log.warning("a tracker store cannot be read", run=run_id, error=str(error).strip())
        _end(run, State.FAILED, "The tracker store of the Rasa server cannot be read now.")
    return False


def _claim(run_id: int, after: int | None = None) -> CompletenessRun | None:
    now = timezone.now()
    free = Q(is_held=False) | Q(heartbeat_at__lt=now - HELD_FOR)
    rows = CompletenessRun.objects.filter(free, pk=run_id, state__in=(State.WAITING, State.RUNNING))
    rows = rows if after is None else rows.filter(attempt=after)
    taken = rows.update(
        state=State.RUNNING,
        is_held=True,
        attempt=F("attempt") + 1,
        heartbeat_at=now,
        started_at=Coalesce(F("started_at"), now),
    )
    if not taken:
        return None
    return CompletenessRun.objects.select_related("environment__assistant", "of", "incident__source").get(pk=run_id)


def _release(run: CompletenessRun) -> bool:
    return bool(_held(run).update(is_held=False, heartbeat_at=timezone.now()))


def _held(run: CompletenessRun) -> QuerySet[CompletenessRun]:
    return CompletenessRun.objects.filter(pk=run.pk, attempt=run.attempt, state=State.RUNNING)


@transaction.atomic
def _end(run: CompletenessRun, state: State, message: str = "") -> None:
    if not _held(run).update(state=state, message=message, cursor="", is_held=False, ended_at=timezone.now()):
        return
    run.refresh_from_db()
    if not run.repairs:
        return
    facts = {"state": run.state, "missing": run.events_missing, "stored": run.events_added}
    environment, label = run.environment, run.requested_by_label
    record(
        run.requested_by,
        Action.REPAIR_FINISHED,
        environment,
        assistant_id=environment.assistant_id,
        after=facts,
        actor_label=label,
    )
    if run.incident is not None and state == State.DONE:
        incidents.note_repair(run.incident, run)


class Slice:
    """What one process does of a run until it lets go."""

    def __init__(self, run: CompletenessRun) -> None:
        self.run = run
        self.table: TrackerTable | None = tracker_table(run.environment, _newest_of(run))
        self.memory = RasaMemory(run.environment, self.table)
        self.period = period_of(run)

    def go(self, seconds: float) -> bool:
        """Whether the run is at its end. Raises Overtaken, and what RasaMemory raises."""
        until = time.monotonic() + seconds
        if self.run.lists_senders is None:
            self._save(**begin(self.run, lists_senders=self.table is not None))
        while time.monotonic() < until:
            items = next_items(self.run, self.table)
            if items:
                self._compare(items)
                continue
            phase = next_phase(self.run, self.table)
            if phase is None:
                return True
            self._save(phase=phase, cursor="")
        return False

    def _save(self, **facts: object) -> None:
        if not _held(self.run).update(heartbeat_at=timezone.now(), **facts):
            raise Overtaken
        self.run.refresh_from_db(fields=[*facts, "heartbeat_at"])

    def _compare(self, items: list[Item]) -> None:
        until = time.monotonic() + FLUSH_SECONDS
        outcomes = []
        for item in items:
            outcomes.append(self._ask(item))
            if time.monotonic() > until:
                break
        again_when_interrupted(lambda: self._write(outcomes))
        self.memory.pace.waited = 0.0

    def _ask(self, item: Item) -> Outcome:
        if not item.is_asked:
            return Outcome(item, [])
        try:
            return Outcome(item, self.memory.events(item.sender_id))
        except NotTold as error:
            return Outcome(item, [], str(error))

    @transaction.atomic
    def _write(self, outcomes: list[Outcome]) -> None:
        if _held(self.run).select_for_update(no_key=True).first() is None:
            raise Overtaken
        asked = [one for one in outcomes if one.item.is_asked]
        told = {
            one: difference(one.events, _ours(self.run, one.item.sender_id), self.period)
            for one in asked
            if not one.fault
        }
        stored = self._store(list(told.values())) if self.run.repairs else Stored()
        _note_findings(self.run, asked, told)
        self._save(**self._counts(outcomes, asked, list(told.values()), stored))

    def _store(self, found: list[Difference]) -> Stored:
        """By the path of ingestion; what came by it meanwhile is known there."""
        missing = [one for each in found for one in each.missing]
        unreadable = [one for each in found for one in each.unreadable.unreadable]
        if not missing and not unreadable:
            return Stored()
        source = source_named(self.run.environment, REPAIR)
        batch = without_known_dead(Batch(missing, unreadable, []), source.pk)
        return store(batch, place_in(self.run.environment, source))

    def _counts(
        self, outcomes: list[Outcome], asked: list[Outcome], found: list[Difference], stored: Stored
    ) -> dict[str, object]:
        additions = {
            "conversations_compared": len(asked),
            "conversations_unknown": sum(one.item.is_unknown for one in outcomes),
            "conversations_unasked": sum(bool(one.fault) for one in asked),
            "events_there": sum(one.there for one in found),
            "events_missing": sum(len(one.missing) for one in found),
            "events_extra": sum(len(one.extra) for one in found),
            "events_unreadable": sum(len(one.unreadable.unreadable) for one in found),
            "events_added": stored.added,
            "seconds_waited": self.memory.pace.waited,
        }
        if self.run.phase == CompletenessRun.Phase.THEIRS:
            additions["conversations_total"] = len(asked)
        sums = {name: F(name) + number for name, number in additions.items() if number}
        return {**sums, "cursor": outcomes[-1].item.cursor}


def _newest_of(run: CompletenessRun) -> float | None:
    found = Conversation.objects.filter(environment=run.environment_id).aggregate(newest=Max("last_event_at"))
    newest: float | None = found["newest"]
    return newest


def _ours(run: CompletenessRun, sender_id: str) -> list[Known]:
    rows = Event.objects.filter(
        conversation__assistant=run.environment.assistant_id,
        conversation__sender_key=sender_key(sender_id),
        timestamp__lte=run.until,
    )
    if run.since is not None:
        rows = rows.filter(timestamp__gte=run.since)
    facts = rows.order_by().values_list("digest", "timestamp", "kind", "name")
    return [Known(bytes(digest), Brief(timestamp, kind, name)) for digest, timestamp, kind, name in facts]


def _note_findings(run: CompletenessRun, asked: list[Outcome], told: dict[Outcome, Difference]) -> None:
    noted = [one for one in asked if one.fault or not told[one].is_none]
    keys = {sender_key(one.item.sender_id): one for one in noted}
    rows = Conversation.objects.filter(assistant=run.environment.assistant_id, sender_key__in=list(keys))
    conversations = {bytes(key): pk for key, pk in rows.values_list("sender_key", "pk")}
    CompletenessFinding.objects.bulk_create(
        _finding(run, one, told.get(one), conversations.get(key)) for key, one in keys.items()
    )


def _finding(
    run: CompletenessRun, outcome: Outcome, found: Difference | None, conversation_id: int | None
) -> CompletenessFinding:
    finding = CompletenessFinding(
        run=run, sender_id=outcome.item.sender_id, conversation_id=conversation_id, fault=outcome.fault
    )
    if found is not None:
        finding.missing, finding.extra, finding.details = len(found.missing), len(found.extra), found.details()
        finding.added = finding.missing if run.repairs else 0
        if found.unreadable.unreadable:
            finding.fault = f"{len(found.unreadable.unreadable)} of its events cannot be read."
    return finding
