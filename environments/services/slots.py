"""The only writer of slots. What a worker says counts only for the attempt that it holds.

waiting → starting → running → stopping → ended | failed. A worker takes the first in line; when none is free, the one
that was idle longest is stopped for whoever waits.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Count, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from environments.models import Slot
from environments.services import trying
from models_app.models import Model, TrainingJob
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import encrypt
from studio.errors import Conflict
from studio.jobs import heartbeat, patience, queues, silence

State = Slot.State
RUN = "environments.jobs.run_slot"
WORKER = "running-worker"
IN_USE = timedelta(minutes=2)  # since the last word; whoever is quiet for longer may lose the slot to who waits
SILENT_AFTER = timedelta(seconds=20)  # without a heartbeat a slot's worker counts as dead
TOUCH = timedelta(seconds=5)
FAILED_JUST_NOW = timedelta(minutes=1)
LOG_TAIL = 64 * 1024  # characters
LOG_KEPT = timedelta(days=1)  # of an ended slot
ROWS_KEPT = timedelta(days=30)
_ROOM_LOCK = 7_270_553_913  # any number of our own


class Superseded(patience.Superseded):
    """The slot was given up, or is held by a later attempt."""


class StopRequested(Exception):
    """Somebody wants it to end."""


# --- What people ask ----------------------------------------------------------------------------------------------


@transaction.atomic
def ask(*, actor: User | None, model: Model, actor_label: str = "") -> Slot:
    """The slot of this model: the one there is, or a new one that waits in line. Conflict when the model is gone."""
    row = Model.objects.select_related("assistant").get(pk=model.pk)
    if row.deleted_at is not None or row.assistant.deleted_at is not None:
        raise Conflict(f"{row.name} was deleted, so it cannot be tried any more.")
    found = usable_of(row.pk)
    if found is not None:
        touch(found)
        _is_asked_for(found, actor, actor_label)
        return found
    slot = _add(row, actor=actor, actor_label=actor_label)
    make_room()
    return slot


def _is_asked_for(slot: Slot, actor: User | None, actor_label: str) -> None:
    """What nobody had asked for waits behind those of people; now somebody has."""
    label = actor_label or (actor.username if actor else "Parley")
    waits = Slot.objects.filter(pk=slot.pk, state=State.WAITING, is_automatic=True)
    if waits.update(is_automatic=False, requested_by=actor, requested_by_label=label):
        make_room()


def _add(
    model: Model,
    *,
    actor: User | None,
    actor_label: str = "",
    is_automatic: bool = False,
    replaces: Slot | None = None,
) -> Slot:
    try:
        with transaction.atomic():
            slot = Slot.objects.create(
                environment=trying.place_of(model.assistant),
                model=model,
                used_at=None if is_automatic else timezone.now(),
                is_automatic=is_automatic,
                replaces=replaces,
                requested_by=actor,
                requested_by_label=actor_label or (actor.username if actor else "Parley"),
            )
    except IntegrityError:  # somebody asked for it in the same moment
        found = usable_of(model.pk)
        if found is None:
            raise
        return found
    record(actor, Action.SLOT_REQUESTED, slot, assistant_id=model.assistant_id, after={"model": model.name})
    queues.enqueue(queues.RUNNING, RUN, slot.pk)
    return slot


def usable_of(model_id: int) -> Slot | None:
    """The model's slot that answers or soon will."""
    return Slot.objects.filter(model=model_id, state__in=Slot.USABLE).defer("log").first()


def answers(model_id: int) -> bool:
    return Slot.objects.filter(model=model_id, state=State.RUNNING).exists()


def last_of(model_id: int) -> Slot | None:
    """The model's newest slot, also one that has ended."""
    return Slot.objects.filter(model=model_id).defer("log").first()


def wake(*, actor: User | None, model: Model, actor_label: str = "") -> Slot | None:
    """As `ask`, for whoever asks again and again, such as a page: what failed a moment ago is not started again by
    that, and there is None then."""
    last = last_of(model.pk)
    failed_at = last.ended_at if last is not None and last.state == State.FAILED else None
    if failed_at is not None and timezone.now() - failed_at < FAILED_JUST_NOW:
        return None
    return ask(actor=actor, model=model, actor_label=actor_label)


def touch(slot: Slot) -> None:
    """Somebody uses it now. Not written at every word: one row is many people's."""
    now = timezone.now()
    Slot.objects.filter(pk=slot.pk).filter(Q(used_at=None) | Q(used_at__lt=now - TOUCH)).update(used_at=now)


@transaction.atomic
def stop(*, actor: User | None, slot: Slot, why: str) -> None:
    """Ask its worker to end it; one that waits is ended at once. `why` is what its users read."""
    row = Slot.objects.select_for_update(no_key=True).get(pk=slot.pk)
    if row.state == State.STOPPING or row.is_ended:
        raise Conflict("This slot is stopped already.")
    _ask_to_end(row, why)
    record(actor, Action.SLOT_STOPPED, row, assistant_id=row.model.assistant_id, reason=why)


def _ask_to_end(row: Slot, why: str) -> None:
    """The caller holds the row."""
    row.message = why
    if row.state == State.WAITING:
        row.state, row.ended_at = State.ENDED, timezone.now()
    else:
        row.state = State.STOPPING
    row.save(update_fields=["state", "message", "ended_at"])


def forget_logs(places: Iterable[int]) -> None:
    """What slots wrote so far in environments of these ids, for it can hold what people said that is being erased."""
    rows = Slot.objects.filter(environment__in=places)
    rows.filter(state__in=Slot.HELD).update(log="", log_cuts=F("log_cuts") + 1)
    rows.exclude(log="").update(log="")


# --- The line -----------------------------------------------------------------------------------------------------


def in_line() -> QuerySet[Slot]:
    """Who waits, the first one first: people before what nobody asked for."""
    return Slot.objects.filter(state=State.WAITING).order_by("is_automatic", "pk")


def counts() -> tuple[int, int]:
    """How many wait, and how many are held by a worker."""
    found = Slot.objects.filter(state__in=(State.WAITING, *Slot.HELD)).aggregate(
        waiting=Count("pk", filter=Q(state=State.WAITING)), held=Count("pk", filter=Q(state__in=Slot.HELD))
    )
    return found["waiting"], found["held"]


def place_in_line(slot: Slot) -> int:
    """1 is the next one."""
    before = Q(is_automatic__lt=slot.is_automatic) | Q(is_automatic=slot.is_automatic, pk__lt=slot.pk)
    return Slot.objects.filter(before, state=State.WAITING).count() + 1


def places_in_line() -> dict[int, int]:
    """The place of each slot that waits, by its primary key."""
    return {pk: place for place, pk in enumerate(in_line().values_list("pk", flat=True), 1)}


def free_workers() -> int:
    """How many slots could begin now; below zero when a worker that held one is gone."""
    return heartbeat.live(WORKER) - Slot.objects.filter(state__in=Slot.HELD).count()


@transaction.atomic
def make_room() -> int:
    """Stop those that were idle longest for people who wait, when no worker is free for them. Returns how many.

    Whose own connection is young cannot tell: while the database was away no free worker could say that it lives.
    """
    if silence.connected_for() < heartbeat.LIVE_WITHIN:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ROOM_LOCK])
    waiting = list(in_line().filter(is_automatic=False).select_related("model").defer("model__domain"))
    ending = Slot.objects.filter(state=State.STOPPING).count()
    wanted = len(waiting) - max(0, free_workers()) - ending
    if wanted <= 0:
        return 0
    idle = list(idle_slots().select_for_update(no_key=True, skip_locked=True, of=("self",))[:wanted])
    for row, first in zip(idle, waiting[max(0, free_workers()) + ending :], strict=False):
        is_known = row.model.assistant_id == first.model.assistant_id  # others' models are not everybody's to know
        name = first.model.name if is_known else "a model of another assistant"
        _ask_to_end(row, f"It was idle, and its place was needed for {name}.")
    return len(idle)


def idle_slots() -> QuerySet[Slot]:
    """Running ones that nobody uses now, the longest idle first."""
    quiet = timezone.now() - IN_USE
    last = Coalesce(Case(When(used_at__gt=F("ready_at"), then=F("used_at"))), F("ready_at"))
    # One that nobody asked for is idle from the first moment.
    unused = Q(last__lt=quiet) | Q(is_automatic=True, used_at=None)
    running = Slot.objects.filter(state=State.RUNNING).annotate(last=last)
    never = Case(When(is_automatic=True, used_at=None, then=0), default=1)
    return running.filter(unused).select_related("model").defer("log", "model__domain").order_by(never, "last")


def after_training(job: TrainingJob, model: Model) -> None:
    """Start what a person has just trained, in a free slot or for the assistant's idle one; else nothing is done."""
    if job.is_automatic or not trying.settings_of(model.assistant).start_after_training:
        return
    former = Slot.objects.filter(state=State.RUNNING, model__assistant=model.assistant_id).first()
    waiting = Slot.objects.filter(state=State.WAITING).count()
    if free_workers() - waiting <= 0:
        own = former and idle_slots().filter(pk=former.pk).select_for_update(no_key=True, of=("self",)).first()
        if not own or waiting:
            return
        _ask_to_end(own, f"{model.name} was trained, and takes its place.")
    _add(model, actor=None, is_automatic=True, replaces=former)


# --- What the worker says -----------------------------------------------------------------------------------------


def claim(*, worker: str) -> Slot | None:
    """Take the first in line for a new attempt; None when there is none."""
    with transaction.atomic():
        related = in_line().select_related("environment__assistant", "model__assistant", "model__revision", "replaces")
        slot = related.select_for_update(of=("self",), skip_locked=True, no_key=True).first()
        if slot is None:
            return None
        now = timezone.now()
        changes = {
            "state": State.STARTING,
            "attempt": slot.attempt + 1,
            "worker": worker,
            "step": "",
            "log": "",
            "started_at": now,
            "heartbeat_at": now,
        }
        for name, value in changes.items():
            setattr(slot, name, value)
        slot.save(update_fields=list(changes))
    return slot


def begin(slot: Slot, *, host: str, port: int, token: str, rasa: str, rasa_version: str) -> None:
    """A process of it is about to start. Raises Superseded, StopRequested."""
    address = {"host": host, "port": port, "token_encrypted": encrypt(token), "ready_at": None}
    if not _own(slot).filter(state=State.STARTING).update(**address, rasa=rasa, rasa_version=rasa_version):
        if _own(slot).filter(state=State.STOPPING).exists():
            raise StopRequested
        raise Superseded(f"attempt {slot.attempt} of slot {slot.pk} is over")


def note_host(slot: Slot, host: str) -> None:
    """Where the web reaches it, once that is known. Raises Superseded."""
    _write(slot, host=host)


def beat(slot: Slot, **facts: object) -> Slot:
    """Say that this attempt lives, with what changed (`step`, `memory`, `peak_memory`, `log`); the row as it is now.

    A log that was forgotten meanwhile is not written back: the row's `log_cuts` says so. Raises Superseded.
    """
    if "log" in facts:
        text = Value(_storable(str(facts["log"]))[-LOG_TAIL:], output_field=TextField())
        facts["log"] = Case(When(log_cuts=slot.log_cuts, then=text), default=F("log"))
    _write(slot, heartbeat_at=timezone.now(), **facts)
    related = Slot.objects.select_related("model__assistant").defer("log", "model__domain")
    return related.get(pk=slot.pk)


@transaction.atomic
def ready(slot: Slot) -> bool:
    """It answers; the one that it replaces ends unless somebody uses it. False when it was stopped meanwhile."""
    row = _locked(slot)
    if row.state == State.STOPPING:
        return False
    row.state, row.ready_at, row.step, row.message = State.RUNNING, timezone.now(), "", ""
    row.save(update_fields=["state", "ready_at", "step", "message"])
    if row.replaces_id is not None:
        former = idle_slots().filter(pk=row.replaces_id).select_for_update(no_key=True, of=("self",)).first()
        if former is not None:
            _ask_to_end(former, f"{row.model.name} was trained, and takes its place.")
    return True


def still_there(slot: Slot) -> None:
    """Say only that this attempt lives. Raises Superseded."""
    _write(slot, heartbeat_at=timezone.now())


@transaction.atomic
def leave(slot: Slot, why: str, *, unless_used_since: datetime | None = None) -> bool:
    """It is about to end by itself, so nobody is sent there any more. False when somebody used it after all."""
    row = _locked(slot)
    if unless_used_since is not None and row.used_at is not None and row.used_at > unless_used_since:
        return False
    if row.state != State.STOPPING:
        _ask_to_end(row, why)
    return True


@transaction.atomic
def note_death(slot: Slot, why: str, *, nth: int) -> bool:
    """Its process died for the `nth` time, said once or twice. True when it may be started once more; after the
    second death it has failed."""
    row = _locked(slot)
    if row.deaths >= nth:
        return row.state == State.STARTING
    row.deaths = nth
    why = _storable(why)
    again = row.deaths == 1 and row.state != State.STOPPING
    if again:
        row.state, row.message = State.STARTING, f"It ended by itself and is started once more. {why}"
    else:
        _end(row, State.ENDED if row.state == State.STOPPING else State.FAILED, why)
    row.save()
    return again


@transaction.atomic
def fail(slot: Slot, why: str) -> None:
    """It cannot be started, and trying again would not help. Raises Superseded."""
    row = _locked(slot)
    _end(row, State.FAILED, why)
    row.save()


@transaction.atomic
def end(slot: Slot) -> None:
    """It was stopped, and its row says why. Raises Superseded."""
    row = _locked(slot)
    _end(row, State.ENDED, row.message)
    row.save()


def _locked(slot: Slot) -> Slot:
    row = _own(slot).select_for_update(no_key=True, of=("self",)).select_related("model").first()
    if row is None:
        raise Superseded(f"attempt {slot.attempt} of slot {slot.pk} is over")
    return row


def _write(slot: Slot, **changes: object) -> None:
    if _own(slot).update(**changes) != 1:
        raise Superseded(f"attempt {slot.attempt} of slot {slot.pk} is over")


def _own(slot: Slot) -> QuerySet[Slot]:
    return Slot.objects.filter(pk=slot.pk, attempt=slot.attempt, state__in=Slot.HELD)


def _storable(text: str) -> str:
    """PostgreSQL text holds no NUL."""
    return text.replace("\0", "\ufffd")


def _end(row: Slot, state: str, why: str) -> None:
    row.state, row.message, row.ended_at = state, _storable(why), timezone.now()
    row.port, row.memory, row.step, row.token_encrypted = None, None, "", b""


# --- What the schedule does ---------------------------------------------------------------------------------------


def reap() -> int:
    """Replace, or give up, the slots of workers that went silent. Returns how many.

    Whose own connection is young judges nobody: while the database was away no worker could be heard.
    """
    if silence.connected_for() < SILENT_AFTER:
        return 0
    silent = Slot.objects.filter(state__in=Slot.HELD, heartbeat_at__lt=timezone.now() - SILENT_AFTER)
    return sum(_reap_one(slot) for slot in silent)


@transaction.atomic
def _reap_one(slot: Slot) -> bool:
    as_seen = {"attempt": slot.attempt, "state": slot.state, "heartbeat_at": slot.heartbeat_at}
    row = Slot.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=slot.pk, **as_seen).first()
    if row is None:
        return False
    row.deaths += 1
    if row.state == State.STOPPING:
        _end(row, State.ENDED, row.message)
    elif row.deaths > 1:
        _end(
            row,
            State.FAILED,
            "Its worker went silent twice: the machine may have run out of memory, or the process was killed. "
            "Try it again when that is mended.",
        )
    else:
        row.state, row.port, row.ready_at = State.WAITING, None, None
        row.message = "Its worker went silent; it is started once more."
        queues.enqueue(queues.RUNNING, RUN, row.pk)
    row.save()
    return True


def wake_workers() -> int:
    """For slots in line that Redis does not know any more; how many."""
    return queues.wake(queues.RUNNING, RUN, list(in_line().values_list("pk", flat=True)))


def tidy() -> None:
    """End what belongs to a deleted model or assistant; forget old logs and old rows."""
    gone = Q(model__deleted_at__isnull=False) | Q(model__assistant__deleted_at__isnull=False)
    for slot in Slot.objects.filter(gone, state__in=Slot.USABLE).select_related("model"):
        try:
            stop(actor=None, slot=slot, why=f"{slot.model.name} was deleted.")
        except Conflict:
            continue
    now = timezone.now()
    Slot.objects.filter(ended_at__lt=now - LOG_KEPT).exclude(log="").update(log="")
    Slot.objects.filter(ended_at__lt=now - ROWS_KEPT).delete()
