"""Handling all letters of one cause: trying them again, or discarding them, in steps that anybody may watch.

Each step is one transaction: it takes letters that wait, oldest first, passes over those that somebody else holds, and
writes how far it came. So it may be killed, and run twice or by two people at once.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import Max
from django.db.models.functions import Length
from django.utils import timezone

from conversations.ingest.write import again_when_interrupted
from conversations.limits import kept, limited
from conversations.models import DeadLetter, DeadLetterRun, IntakeSource
from conversations.querysets import DeadLetterQuerySet
from conversations.services.dead_letters import end, try_again
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict
from studio.jobs import heartbeat, queues

log = structlog.get_logger()

Act, State = DeadLetterRun.Act, DeadLetterRun.State
JOB = "conversations.jobs.handle_letters"
RETRIED_AT_ONCE, DISCARDED_AT_ONCE = 200, 5000
BYTES_AT_ONCE = 8 * 1024 * 1024
STALE_SECONDS = 60.0
WORKER = "background-worker"  # as its heartbeat says

_REQUESTED = {
    Act.RETRY: Action.DEAD_LETTERS_RETRY_REQUESTED,
    Act.DISCARD: Action.DEAD_LETTERS_DISCARD_REQUESTED,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The letters of a cause, of all sources or of one."""

    assistant: Assistant
    fault: str
    place: str = ""
    source: IntakeSource | None = None

    def waiting(self, actor: User) -> DeadLetterQuerySet:
        """Those that the person may handle."""
        letters = DeadLetter.objects.handled_by(actor).waiting()
        letters = letters.filter(assistant=self.assistant, fault=self.fault, place=self.place)
        return letters if self.source is None else letters.filter(source=self.source)


def request_run(*, actor: User, act: str, selection: Selection, reason: str = "") -> DeadLetterRun:
    """Ask for all letters that wait now, as far as the person may handle them."""
    letters = selection.waiting(actor)
    newest = letters.aggregate(newest=Max("pk"))["newest"]
    if newest is None:
        raise Conflict("None of these letters waits any more.")
    try:
        return _create(actor, act, selection, reason, newest)
    except IntegrityError:
        raise Conflict("You started something with these letters already, and it is still under way.") from None


@transaction.atomic
def _create(actor: User, act: str, selection: Selection, reason: str, newest: int) -> DeadLetterRun:
    run = DeadLetterRun.objects.create(
        assistant=selection.assistant,
        source=selection.source,
        act=act,
        fault=selection.fault,
        place=selection.place,
        reason=reason,
        up_to=newest,
        total=selection.waiting(actor).filter(pk__lte=newest).count(),
        requested_by=actor,
        limit=kept(actor),
    )
    facts = {"letters": run.total, "source": selection.source.name if selection.source else "all"}
    record(actor, _REQUESTED[Act(act)], run, assistant_id=run.assistant_id, after=facts, reason=reason)
    queues.enqueue(queues.BACKGROUND, JOB, run.pk)
    return run


@transaction.atomic
def stop_run(*, actor: User, run: DeadLetterRun) -> None:
    """After the step that is under way. What was done stays done."""
    stopped = DeadLetterRun.objects.filter(pk=run.pk, state__in=DeadLetterRun.OPEN).update(
        state=State.STOPPED, ended_at=timezone.now()
    )
    if not stopped:
        raise Conflict("It had ended already.")
    run.refresh_from_db()
    _record_end(run, actor)


def carry_out(run_id: int) -> None:
    """Step by step until nothing is left, somebody stops it, or another process is at it."""
    try:
        while again_when_interrupted(lambda: _step(run_id)):
            pass
    except (OperationalError, InterfaceError):
        raise  # the schedule queues it again
    except Exception:
        log.exception("dead letters could not be handled", run=run_id)
        _fail(run_id)


def queue_stale_runs() -> None:
    """Those that nobody works on: Redis was away when they were asked for, or their worker died.

    Only where somebody takes from the queue, which would otherwise grow.
    """
    if not heartbeat.live(WORKER):
        return
    before = timezone.now() - timedelta(seconds=STALE_SECONDS)
    stale = DeadLetterRun.objects.filter(state__in=DeadLetterRun.OPEN, beat_at__lt=before)
    for run_id in list(stale.values_list("pk", flat=True)):
        queues.enqueue(queues.BACKGROUND, JOB, run_id)


@transaction.atomic
def _step(run_id: int) -> bool:
    """Whether there may be more to do."""
    runs = DeadLetterRun.objects.select_related("requested_by", "assistant", "source")
    runs = runs.filter(pk=run_id, state__in=DeadLetterRun.OPEN)
    run = runs.select_for_update(skip_locked=True, of=("self",)).first()
    if run is None:
        return False
    actor = limited(run.requested_by, run.limit) if run.requested_by is not None else None
    letters = _take(run, actor) if actor is not None else []
    if actor is None or not letters:
        _end(run)
        return False
    _handle(run, letters, actor)
    run.reached, run.state, run.beat_at = letters[-1].pk, State.RUNNING, timezone.now()
    run.save(update_fields=["reached", "state", "beat_at", "stored", "known", "unreadable", "discarded"])
    return True


def _take(run: DeadLetterRun, actor: User) -> list[DeadLetter]:
    """Lock the next letters: so many that neither their number nor their bytes are too large.

    Rights are asked again: who lost a role meanwhile handles nothing more.
    """
    waiting = Selection(run.assistant, run.fault, run.place, run.source).waiting(actor)
    due = waiting.filter(pk__gt=run.reached, pk__lte=run.up_to).order_by("pk")
    due = due.select_for_update(skip_locked=True, of=("self",))
    if run.act == Act.DISCARD:
        return list(due.light()[:DISCARDED_AT_ONCE])
    taken: list[int] = []
    size = 0
    for pk, length in due.annotate(length=Length("record")).values_list("pk", "length")[:RETRIED_AT_ONCE]:
        size += length
        if taken and size > BYTES_AT_ONCE:
            break
        taken.append(pk)
    return list(DeadLetter.objects.filter(pk__in=taken).order_by("pk"))


def _handle(run: DeadLetterRun, letters: list[DeadLetter], actor: User) -> None:
    if run.act == Act.DISCARD:
        end(letters, DeadLetter.State.DISCARDED, actor, note=run.reason)
        run.discarded += len(letters)
        return
    outcome = try_again(letters, actor)
    run.stored += len(outcome.stored)
    run.known += len(outcome.known)
    run.unreadable += len(outcome.unreadable)
    run.discarded += len(outcome.erased)


def _end(run: DeadLetterRun) -> None:
    run.state, run.ended_at = State.DONE, timezone.now()
    run.save(update_fields=["state", "ended_at"])
    _record_end(run, run.requested_by)


@transaction.atomic
def _fail(run_id: int) -> None:
    DeadLetterRun.objects.filter(pk=run_id, state__in=DeadLetterRun.OPEN).update(
        state=State.FAILED, ended_at=timezone.now()
    )
    run = DeadLetterRun.objects.select_related("requested_by").get(pk=run_id)
    _record_end(run, run.requested_by)


def _record_end(run: DeadLetterRun, actor: User | None) -> None:
    counts = {name: getattr(run, name) for name in ("stored", "known", "unreadable", "discarded")}
    facts = {"act": run.act, "ended": run.get_state_display(), **{name: n for name, n in counts.items() if n}}
    record(actor, Action.DEAD_LETTERS_HANDLED, run, assistant_id=run.assistant_id, after=facts, reason=run.reason)
