"""Erasing what a filter or a rule chooses: counted first, confirmed, then in steps that anybody may watch and stop.

Each step is one transaction that erases conversations and takes them off the run's parts. So a run may be killed
anywhere, and two processes at once do no more than one. Between two steps it pauses as long as the step took.
"""

import time
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from conversations.ingest.write import again_when_interrupted
from conversations.limits import kept
from conversations.models import Conversation, DeadLetter, ErasurePart, ErasureRun
from conversations.services import erasure_plan
from conversations.services.erasing import Erased, delete_sessions, erase
from conversations.services.pace import is_ingestion_behind
from conversations.services.selection import without_words
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import SYSTEM, record
from studio.errors import Conflict, DomainError
from studio.jobs import heartbeat, queues

log = structlog.get_logger()
State = ErasureRun.State

JOB = "conversations.jobs.erase"
WORKER = "background-worker"  # as its heartbeat says
SLICE_SECONDS = 20.0
EVENTS_AT_ONCE = 20_000  # of one transaction, unless a single conversation has more
LETTERS_AT_ONCE = 500
LONGEST_PAUSE = 2.0
HELD_FOR = timedelta(seconds=150)  # without a heartbeat
LOST_AFTER = timedelta(seconds=30)  # between two slices
UNCONFIRMED_FOR = timedelta(days=1)


class Overtaken(Exception):
    """Another process took the run up, or somebody stopped it: nothing more may be written."""


# --- What people wish -------------------------------------------------------------------------------------------------


@transaction.atomic
def request_run(*, actor: User, assistant: Assistant, query: str) -> ErasureRun:
    """Count what a filter chooses. Nothing is deleted before it is confirmed."""
    run = ErasureRun.objects.create(
        assistant=assistant,
        query=query,
        requested_by=actor,
        requested_by_label=actor.username,
        limit=kept(actor),
    )
    queue(run.pk)
    return run


@transaction.atomic
def confirm(*, actor: User, run: ErasureRun) -> None:
    """Erase what was counted, as far as it still matches when its turn comes."""
    counted = ErasureRun.objects.filter(pk=run.pk, state=State.COUNTED)
    now = timezone.now()
    if not counted.update(state=State.WAITING, confirmed_by=actor, confirmed_at=now, heartbeat_at=now):
        raise Conflict("It was confirmed or dropped already.")
    run.refresh_from_db()
    facts = {"conversations": run.total, "events": run.events_total, **_what(run)}
    record(actor, Action.ERASURE_REQUESTED, run, assistant_id=run.assistant_id, after=facts)
    queue(run.pk)


@transaction.atomic
def stop(*, actor: User, run: ErasureRun) -> None:
    """After the step that is under way. What was erased stays erased."""
    under_way = ErasureRun.objects.filter(pk=run.pk, state__in=ErasureRun.OPEN)
    message = f"Stopped by {actor.username}."
    if not under_way.update(state=State.STOPPED, message=message, ended_at=timezone.now(), is_held=False):
        raise Conflict("It has ended already.")
    run.refresh_from_db()
    _close(run, actor)


def _what(run: ErasureRun) -> dict[str, object]:
    """For the audit: what was chosen."""
    if run.before is None:
        return {"filter": without_words(run.query)}
    return {"place": run.environment.name if run.environment else "everywhere", "older than days": run.days}


# --- What a worker does -----------------------------------------------------------------------------------------------


def work(run_id: int, *, after: int | None = None, seconds: float = SLICE_SECONDS) -> bool:
    """Go on with a run for a while; whether there is more to do at once. Safe to call by several at the same time."""
    run = _claim(run_id, after)
    if run is None:
        return False
    try:
        return _go_on(run, seconds)
    except Overtaken:
        log.info("an erasure was taken over or stopped", run=run_id)
    except DomainError as error:
        _end(run, State.FAILED, error.message)
    return False


def _go_on(run: ErasureRun, seconds: float) -> bool:
    if run.state == State.COUNTING:
        _count(run)
    if run.state == State.COUNTED:
        return False
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_ingestion_behind():
            _save(run, is_held=False, is_paused=True)
            return False  # the schedule queues it again
        began = time.monotonic()
        if not again_when_interrupted(lambda: _step(run)):
            _end(run, State.DONE)
            return False
        time.sleep(min(LONGEST_PAUSE, time.monotonic() - began))
    _save(run, is_held=False)
    return True


def _claim(run_id: int, after: int | None) -> ErasureRun | None:
    now = timezone.now()
    free = Q(is_held=False) | Q(heartbeat_at__lt=now - HELD_FOR)
    rows = ErasureRun.objects.filter(free, pk=run_id, state__in=ErasureRun.UNDER_WAY)
    rows = rows if after is None else rows.filter(attempt=after)
    if not rows.update(is_held=True, attempt=F("attempt") + 1, heartbeat_at=now):
        return None
    return ErasureRun.objects.select_related("assistant", "environment", "requested_by", "rule").get(pk=run_id)


def _held(run: ErasureRun) -> QuerySet[ErasureRun]:
    return ErasureRun.objects.filter(pk=run.pk, attempt=run.attempt, is_held=True, state__in=ErasureRun.UNDER_WAY)


def _save(run: ErasureRun, **facts: object) -> None:
    if not _held(run).update(heartbeat_at=timezone.now(), **facts):
        raise Overtaken
    run.refresh_from_db(fields=list(facts))


def _count(run: ErasureRun) -> None:
    state = State.WAITING if run.is_nightly else State.COUNTED
    with transaction.atomic():
        _save(run, **erasure_plan.count(run), state=state, is_held=run.is_nightly)


@transaction.atomic
def _step(run: ErasureRun) -> bool:
    """Whether there may be more to do."""
    if _held(run).select_for_update(no_key=True).first() is None:
        raise Overtaken
    _check_rule(run)
    part = ErasurePart.objects.filter(run=run).first()
    if part is None:
        return _step_of_rest(run)
    taken = _taken(part.ids)
    erased = erase(taken, erasure_plan.conversations_of(run, by_looking=True))
    left = part.ids[len(taken) :]
    if left:
        ErasurePart.objects.filter(pk=part.pk).update(ids=left)
    else:
        part.delete()
    _add(run, erased, seen=len(taken))
    return True


def _taken(ids: list[int]) -> list[int]:
    """The first of `ids`, so many that their events are not too many for one transaction."""
    counts = dict(Conversation.objects.filter(pk__in=ids).values_list("pk", "events_count"))
    taken, events = 0, 0
    for pk in ids:
        events += counts.get(pk, 0)
        if taken and events > EVENTS_AT_ONCE:
            break
        taken += 1
    return ids[:taken]


def _step_of_rest(run: ErasureRun) -> bool:
    """What a rule takes beside conversations."""
    if run.before is None:
        return False
    letters = list(erasure_plan.letters_of(run).order_by("pk").values_list("pk", flat=True)[:LETTERS_AT_ONCE])
    gone, _ = DeadLetter.objects.filter(pk__in=letters).delete()
    talks = list(erasure_plan.talks_of(run).order_by("pk").values_list("pk", flat=True)[:LETTERS_AT_ONCE])
    delete_sessions(erasure_plan.talks_of(run).filter(pk__in=talks))
    _add(run, Erased(letters=gone), seen=0)
    return bool(letters or talks)


def _check_rule(run: ErasureRun) -> None:
    """What runs by night stops when its rule does."""
    if not run.is_nightly:
        return
    rule = run.rule
    if rule is not None:
        rule.refresh_from_db()
    if rule is None or not rule.is_on or rule.days > (run.days or 0):
        raise Conflict("Its rule was changed meanwhile.")


def _add(run: ErasureRun, erased: Erased, *, seen: int) -> None:
    _save(
        run,
        state=State.RUNNING,
        is_paused=False,
        seen=F("seen") + seen,
        conversations=F("conversations") + erased.conversations,
        events=F("events") + erased.events,
        letters=F("letters") + erased.letters,
    )


@transaction.atomic
def _end(run: ErasureRun, state: State, message: str = "") -> None:
    facts = {"state": state, "message": message, "is_held": False, "is_paused": False, "ended_at": timezone.now()}
    if _held(run).update(**facts):
        run.refresh_from_db()
        _close(run, run.confirmed_by)


def _close(run: ErasureRun, actor: User | None) -> None:
    """The rest of its parts is not needed, nor what was looked for, and what it did is told. One that was never
    confirmed did nothing."""
    ErasureRun.objects.filter(pk=run.pk).update(query=without_words(run.query))
    ErasurePart.objects.filter(run=run).delete()
    if run.confirmed_at is None and not run.is_nightly:
        return
    facts = {"ended": run.get_state_display(), "conversations": run.conversations, "events": run.events}
    after = {**facts, "unreadable records": run.letters, **_what(run)}
    label = "" if actor else (run.requested_by_label or SYSTEM)
    record(actor, Action.CONVERSATIONS_ERASED, run, assistant_id=run.assistant_id, after=after, actor_label=label)


# --- By the clock -----------------------------------------------------------------------------------------------------


def queue(run_id: int) -> None:
    """A job for the next slice of a run. It is good for this one alone: of two jobs the later finds its slice done."""
    attempt = ErasureRun.objects.values_list("attempt", flat=True).get(pk=run_id)
    queues.enqueue(queues.BACKGROUND, JOB, run_id, attempt)


def resume() -> int:
    """Queue what nobody works on: Redis was away, a process was killed, or ingestion had to catch up."""
    if not heartbeat.live(WORKER):
        return 0
    now = timezone.now()
    lost = Q(is_held=False, heartbeat_at__lt=now - LOST_AFTER) | Q(is_held=True, heartbeat_at__lt=now - HELD_FOR)
    keys = list(ErasureRun.objects.filter(lost, state__in=ErasureRun.UNDER_WAY).values_list("pk", flat=True))
    for key in keys:
        queue(key)
    return len(keys)


def drop_unconfirmed() -> int:
    """What was counted and never confirmed; a day later it would no longer be what was looked at."""
    old = ErasureRun.objects.filter(state=State.COUNTED, requested_at__lt=timezone.now() - UNCONFIRMED_FOR)
    return old.delete()[0]
