"""The only writer of training jobs. Each change of state is compare-and-set with the attempt number.

queued → preparing → training → packaging → done | failed | cancelled | lost. A worker that was given up for dead and
comes back finds that its attempt is over, and everything it still says is refused.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from models_app.models import Assistant, Model, PackageLock, Revision, TrainingJob, TrainingLog
from models_app.querysets import JobQuerySet
from models_app.services.revisions import changed_paths, newest_revision
from models_app.services.same_training import Finetuning, refuse_same
from models_app.services.training_settings import settings_of
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid
from studio.jobs import patience, queues, silence

State = TrainingJob.State
Priority = TrainingJob.Priority
RUN = "models_app.jobs.train"
GAP = re.compile(r"… (\d+) lines left out …")
SILENT_AFTER = timedelta(seconds=30)  # without a heartbeat a running job's worker counts as dead


_watchers: list[Callable[[TrainingJob, Model], None]] = []


def when_trained(tell: Callable[[TrainingJob, Model], None]) -> None:
    """Have `tell` called with each training that ends well and its model, in the transaction that ends it."""
    _watchers.append(tell)


class Superseded(patience.Superseded):
    """This attempt is over: the job was cancelled, given up, or is run by a later attempt."""


class CancelRequested(Exception):
    """Somebody cancelled while the model was being kept."""


@transaction.atomic
def request_training(
    *,
    actor: User | None,
    assistant: Assistant,
    revision: Revision | None = None,
    finetuning: Finetuning | None = None,
    known: int | None = None,
    actor_label: str = "",
    test_after: bool = False,
) -> TrainingJob:
    """Queue a training of `revision`, of the newest one when it is left out.

    Its model is tested then when `test_after` or the assistant's settings say so.
    Raises TrainedAlready when the same was trained or is being trained, unless that job's number is `known`.
    """
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    revision = revision or newest_revision(assistant)
    if revision is None:
        raise Invalid("There is no training data yet. Upload a project on the Data page first.")
    refuse_same(assistant, revision, finetuning, known)
    after: dict[str, object] = {"revision": revision.number}
    if finetuning:
        after["finetune"] = finetuning.model.name
    return put_in_line(
        Action.TRAINING_REQUESTED,
        actor=actor,
        actor_label=actor_label,
        revision=revision,
        after=after,
        finetune_from=finetuning.model if finetuning else None,
        epoch_fraction=finetuning.epoch_fraction if finetuning else None,
        test_after=test_after or settings_of(assistant).test_after,
    )


def put_in_line(
    action: Action,
    *,
    actor: User | None,
    revision: Revision,
    after: dict[str, object],
    actor_label: str = "",
    **facts: object,
) -> TrainingJob:
    """Queue a job of the revision's assistant, whose row the caller holds; `facts` are fields of its kind by name."""
    assistant_id = revision.assistant_id
    last = TrainingJob.objects.filter(assistant=assistant_id).aggregate(last=Max("number"))["last"] or 0
    job = TrainingJob.objects.create(
        assistant_id=assistant_id,
        number=last + 1,
        revision=revision,
        priority=priority_of(actor),
        requested_by=actor,
        requested_by_label=actor_label or (actor.username if actor else "Parley"),
        **facts,
    )
    record(actor, action, job, assistant_id=assistant_id, after=after, actor_label=actor_label)
    queues.enqueue(queues.TRAINING, RUN, job.pk)
    return job


def priority_of(actor: User | None) -> TrainingJob.Priority:
    """A person's comes first: nobody should wait for what a schedule, the starter, a service account or whoever holds
    an API token asked for."""
    is_person = actor is not None and actor.kind == User.Kind.PERSON and actor.limit is None
    return Priority.PERSON if is_person else Priority.AUTOMATION


@transaction.atomic
def cancel_training(*, actor: User, job: TrainingJob) -> None:
    """End a waiting job at once; ask a running one's worker to end the whole process group."""
    # Locked first: between two updates a worker may take the job, or the schedule put a dead worker's back in line.
    row = TrainingJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if row.is_ended:
        raise Conflict("This training has ended already.")
    row.cancel_requested_at, row.message = timezone.now(), f"Cancelled by {actor.username}."
    if row.state == State.QUEUED:
        row.state, row.finished_at = State.CANCELLED, row.cancel_requested_at
    row.save(update_fields=["cancel_requested_at", "message", "state", "finished_at"])
    record(actor, Action.TRAINING_CANCELLED, job, assistant_id=job.assistant_id)


# --- What the worker says -----------------------------------------------------------------------------------------


def wanted_versions() -> list[str]:
    """The names of the Rasas that jobs in line wait for."""
    return sorted({job.wanted for job in TrainingJob.objects.in_line().only("pk")})


def claim(*, worker: str, versions: Collection[str]) -> TrainingJob | None:
    """Take the first job in line whose Rasa is one of `versions` for a new attempt; None when there is none.

    What another transaction holds right now is passed over: two workers never wait for each other.
    """
    line = TrainingJob.objects.in_line(rasa=versions).filter(cancel_requested_at=None)
    related = line.select_related("assistant", "revision", "tested", "finetune_from")
    with transaction.atomic():
        job = related.select_for_update(of=("self",), skip_locked=True).first()
        if job is None:
            return None
        changes = {
            "state": State.PREPARING,
            "attempt": job.attempt + 1,
            "worker": worker,
            "rasa_version": job.wanted,
            "started_at": timezone.now(),
            "heartbeat_at": timezone.now(),
            "step": "",
            "step_done": 0,
            "step_total": 0,
            "message": "",
            "peak_memory": None,
        }
        for name, value in changes.items():
            setattr(job, name, value)
        job.save(update_fields=list(changes))
    return job


def beat(job: TrainingJob, *, step: str, done: int, total: int, peak_memory: int | None = None) -> bool:
    """Say that this attempt lives and how far it is. True when somebody asked to cancel. Raises Superseded."""
    changes = {"step": step[:200], "step_done": done, "step_total": total, "peak_memory": peak_memory}
    _write(job, heartbeat_at=timezone.now(), **changes)
    return TrainingJob.objects.filter(pk=job.pk, cancel_requested_at__isnull=False).exists()


def still_there(job: TrainingJob) -> None:
    """Say only that this attempt lives. Raises Superseded."""
    _write(job, heartbeat_at=timezone.now())


def advance(job: TrainingJob, state: str, step: str = "") -> None:
    """Go on to the next state of a running job. Raises Superseded."""
    _write(job, state=state, heartbeat_at=timezone.now(), **({"step": step} if step else {}))


def keep_facts(job: TrainingJob, *, packages: str, **facts: object) -> None:
    """Write what this attempt is made of: fields of the job by name, and its runtime's packages. Raises Superseded."""
    lock = None
    if packages:
        sha256 = hashlib.sha256(packages.encode()).hexdigest()
        lock, _made = PackageLock.objects.get_or_create(sha256=sha256, defaults={"packages": packages})
    _write(job, lock=lock, **facts)


@transaction.atomic
def append_log(job: TrainingJob, text: str) -> int:
    """Keep a piece of this attempt's output; its id. Raises Superseded."""
    if not _own(job).select_for_update(no_key=True).exists():
        raise Superseded(f"attempt {job.attempt} of job {job.pk} is over")
    return _add_to_log(job, text)


def rescue_log(job: TrainingJob, text: str) -> None:
    """Keep what an attempt that is over had written and nobody had come to."""
    _add_to_log(job, text)


def _add_to_log(job: TrainingJob, text: str) -> int:
    """PostgreSQL text holds no NUL."""
    return TrainingLog.objects.create(job=job, attempt=job.attempt, text=text.replace("\0", "\ufffd")).pk


@transaction.atomic
def roll_log(job: TrainingJob, text: str, *, gap: int | None, left_out: int, gone: Sequence[int]) -> tuple[int, int]:
    """Keep a piece of the end for the pieces `gone`; `gap` is the row that says how many lines are `left_out` in all.

    Returns the ids of the gap and of the piece.
    """
    if gap is None:
        gap = append_log(job, "")
    row = append_log(job, text)
    TrainingLog.objects.filter(job=job, pk__in=gone).delete()
    if left_out:
        TrainingLog.objects.filter(pk=gap).update(text=f"… {left_out} lines left out …\n")
    return gap, row


def end_of_log(job: TrainingJob, length: int) -> str:
    """The last characters that are kept of this attempt."""
    text = ""
    for piece in TrainingLog.objects.filter(job=job, attempt=job.attempt).order_by("-pk").iterator(chunk_size=10):
        text = piece.text + text
        if len(text) >= length:
            break
    return text[-length:]


@transaction.atomic
def try_again(job: TrainingJob, message: str) -> None:
    """Not the data stopped this attempt, so the next may come through; `message` is why, for people."""
    if TrainingJob.objects.select_for_update().get(pk=job.pk).cancel_requested_at is not None:
        end_cancelled(job)
    elif job.attempt >= job.max_attempts:
        _end(job, State.FAILED, message)
    else:
        _back_in_line(job, message)


@transaction.atomic
def hand_back(job: TrainingJob) -> None:
    """The worker has to end, for an update or a restart: another takes the job, and this attempt does not count."""
    if TrainingJob.objects.select_for_update().get(pk=job.pk).cancel_requested_at is not None:
        end_cancelled(job)
    else:
        _back_in_line(job, "The worker was stopped.", max_attempts=F("max_attempts") + 1)


def _back_in_line(job: TrainingJob, message: str, **changes: object) -> None:
    append_log(job, f"{message}\n")
    told = f"{message} It is tried again."
    _write(job, state=State.QUEUED, message=told, step="", step_done=0, step_total=0, **changes)
    queues.enqueue(queues.TRAINING, RUN, job.pk)


@transaction.atomic
def finish(job: TrainingJob, model: Model | None, message: str = "") -> None:
    """The attempt did what it was for; a training made `model`, which is added in the same transaction.

    Raises Superseded or CancelRequested.
    """
    row = TrainingJob.objects.select_for_update().get(pk=job.pk)
    if (row.attempt, row.state, row.model_id) == (job.attempt, State.DONE, model.pk if model else None):
        return  # written already: the database went away before it could say so
    if row.cancel_requested_at is not None:
        raise CancelRequested
    _end(job, State.DONE, message, model=model)
    if model is not None:
        for tell in _watchers:
            tell(job, model)


@transaction.atomic
def fail(job: TrainingJob, message: str) -> None:
    """The data did not train, or something else that trying again does not mend."""
    _end(job, State.FAILED, message)


@transaction.atomic
def end_cancelled(job: TrainingJob) -> None:
    message = TrainingJob.objects.values_list("message", flat=True).get(pk=job.pk)
    _end(job, State.CANCELLED, message or "Cancelled.")


def _end(job: TrainingJob, state: str, message: str, model: Model | None = None) -> None:
    _write(job, state=state, message=message, finished_at=timezone.now(), model=model)
    after = {"state": state, "model": model.name if model else None}
    record(None, Action.TRAINING_FINISHED, job, assistant_id=job.assistant_id, after=after, reason=message[:500])


def _write(job: TrainingJob, **changes: object) -> None:
    """Change the row if this attempt still runs it. Raises Superseded."""
    if _own(job).update(**changes) != 1:
        raise Superseded(f"attempt {job.attempt} of job {job.pk} is over")


def _own(job: TrainingJob) -> JobQuerySet:
    """The job's row as long as this attempt runs it."""
    return TrainingJob.objects.filter(pk=job.pk, attempt=job.attempt, state__in=TrainingJob.ACTIVE)


# --- What the schedule does ---------------------------------------------------------------------------------------


def reap() -> int:
    """Try again, or give up, every running job whose worker is silent. Returns how many.

    Whose own connection is young judges nobody: while the database was away no worker could be heard.
    """
    if silence.connected_for() < SILENT_AFTER:
        return 0
    silent = TrainingJob.objects.filter(state__in=TrainingJob.ACTIVE, heartbeat_at__lt=timezone.now() - SILENT_AFTER)
    return sum(_reap_one(job) for job in silent)


@transaction.atomic
def _reap_one(job: TrainingJob) -> bool:
    again = job.attempt < job.max_attempts and job.cancel_requested_at is None
    as_seen = ("attempt", "state", "heartbeat_at", "cancel_requested_at")
    own = TrainingJob.objects.filter(pk=job.pk, **{name: getattr(job, name) for name in as_seen})
    if again:
        note = f"The worker of attempt {job.attempt} went silent; the {job.kind} starts again."
        if own.update(state=State.QUEUED, message=note, step="", step_done=0, step_total=0) != 1:
            return False
        queues.enqueue(queues.TRAINING, RUN, job.pk)
        return True
    state = State.CANCELLED if job.cancel_requested_at else State.LOST
    note = (
        job.message
        if job.cancel_requested_at
        else (
            f"The worker went silent in {job.attempt} attempts: the machine may have run out of memory, "
            f"or the process was killed. Ask for the {job.kind} again when that is mended."
        )
    )
    if own.update(state=state, message=note, finished_at=timezone.now()) != 1:
        return False
    record(None, Action.TRAINING_FINISHED, job, assistant_id=job.assistant_id, after={"state": state}, reason=note)
    return True


def requeue_forgotten(versions: Collection[str]) -> int:
    """Wake workers for jobs that Redis does not know any more; how many."""
    waiting = list(TrainingJob.objects.in_line(rasa=versions).values_list("pk", flat=True))
    return queues.wake(queues.TRAINING, RUN, waiting)


# --- What pages ask -----------------------------------------------------------------------------------------------


def changes_since_training(newest: Revision) -> list[str]:
    """Paths that differ between an assistant's newest revision and the newest one that trained."""
    done = (
        TrainingJob.objects.trainings()
        .filter(assistant=newest.assistant_id, state=State.DONE)
        .select_related("revision")
    )
    last = done.order_by("-revision__number").first()
    return changed_paths(last.revision if last else None, newest)
