"""The only writer of training jobs. Each change of state is compare-and-set with the attempt number.

queued → preparing → training → packaging → done | failed | cancelled | lost. A worker that was given up for dead and
comes back finds that its attempt is over, and everything it still says is refused.
"""

from collections.abc import Collection
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from models_app.models import Assistant, Model, Revision, TrainingJob, TrainingLog
from models_app.services.revisions import changed_paths, newest_revision
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid
from studio.jobs import queues

State = TrainingJob.State
RUN = "models_app.jobs.train"
SILENT_AFTER = timedelta(seconds=30)  # without a heartbeat a running job's worker counts as dead


class Superseded(Exception):
    """This attempt is over: the job was cancelled, given up, or is run by a later attempt."""


class CancelRequested(Exception):
    """Somebody cancelled while the model was being kept."""


@transaction.atomic
def request_training(
    *, actor: User | None, assistant: Assistant, revision: Revision | None = None, actor_label: str = ""
) -> TrainingJob:
    """Queue a training of `revision`, of the newest one when it is left out."""
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    revision = revision or newest_revision(assistant)
    if revision is None:
        raise Invalid("There is no training data yet. Upload a project on the Data page first.")
    waiting = TrainingJob.objects.trainings().filter(assistant=assistant, revision=revision, state=State.QUEUED).first()
    if waiting is not None:
        raise Conflict(
            f"Training {waiting.number} already waits to train revision {revision.number}.",
            job=waiting.number,
        )
    last = TrainingJob.objects.filter(assistant=assistant).aggregate(last=Max("number"))["last"] or 0
    job = TrainingJob.objects.create(
        assistant=assistant,
        number=last + 1,
        revision=revision,
        requested_by=actor,
        requested_by_label=actor_label or (actor.username if actor else "Parley"),
    )
    record(
        actor,
        Action.TRAINING_REQUESTED,
        job,
        assistant_id=assistant.pk,
        after={"revision": revision.number},
        actor_label=actor_label,
    )
    queues.enqueue(queues.TRAINING, RUN, job.pk)
    return job


@transaction.atomic
def cancel_training(*, actor: User, job: TrainingJob) -> None:
    """End a waiting job at once; ask a running one's worker to end the whole process group."""
    now = timezone.now()
    waiting = TrainingJob.objects.filter(pk=job.pk, state=State.QUEUED)
    running = TrainingJob.objects.filter(pk=job.pk, state__in=TrainingJob.ACTIVE)
    message = f"Cancelled by {actor.username}."
    ended = waiting.update(state=State.CANCELLED, finished_at=now, cancel_requested_at=now, message=message)
    if not ended and not running.update(cancel_requested_at=now, message=message):
        raise Conflict("This training has ended already.")
    record(actor, Action.TRAINING_CANCELLED, job, assistant_id=job.assistant_id)


# --- What the worker says -----------------------------------------------------------------------------------------


def claim(job_id: int, *, worker: str, rasa_version: str) -> TrainingJob | None:
    """Take a queued job for a new attempt; None when it is not queued any more."""
    now = timezone.now()
    with transaction.atomic():
        job = (
            TrainingJob.objects.select_for_update()
            .select_related("assistant", "revision")
            .filter(pk=job_id, state=State.QUEUED)
            .first()
        )
        if job is None:
            return None
        job.state, job.attempt, job.worker, job.rasa_version = State.PREPARING, job.attempt + 1, worker, rasa_version
        job.started_at, job.heartbeat_at = now, now
        job.step, job.step_done, job.step_total, job.message = "", 0, 0, ""
        job.save()
    return job


def beat(job: TrainingJob, *, step: str, done: int, total: int) -> bool:
    """Say that this attempt lives and how far it is. True when somebody asked to cancel. Raises Superseded."""
    _write(job, heartbeat_at=timezone.now(), step=step[:200], step_done=done, step_total=total)
    return TrainingJob.objects.filter(pk=job.pk, cancel_requested_at__isnull=False).exists()


def still_there(job: TrainingJob) -> None:
    """Say only that this attempt lives. Raises Superseded."""
    _write(job, heartbeat_at=timezone.now())


def advance(job: TrainingJob, state: str, step: str = "") -> None:
    """Go on to the next state of a running job. Raises Superseded."""
    _write(job, state=state, heartbeat_at=timezone.now(), **({"step": step} if step else {}))


def append_log(job: TrainingJob, text: str) -> None:
    """Keep a piece of output. PostgreSQL text holds no NUL."""
    TrainingLog.objects.create(job=job, attempt=job.attempt, text=text.replace("\0", "\ufffd"))


@transaction.atomic
def try_again(job: TrainingJob, message: str) -> None:
    """Not the data stopped this attempt, so the next may come through; `message` is why, for people."""
    asked = TrainingJob.objects.values_list("cancel_requested_at", flat=True).get(pk=job.pk)
    if asked is not None:
        _end(job, State.CANCELLED, "Cancelled.")
    elif job.attempt >= job.max_attempts:
        _end(job, State.FAILED, message)
    else:
        append_log(job, f"{message}\n")
        _write(job, state=State.QUEUED, message=f"{message} It is tried again.", step="", step_done=0, step_total=0)
        queues.enqueue(queues.TRAINING, RUN, job.pk)


@transaction.atomic
def finish(job: TrainingJob, model: Model | None, message: str = "") -> None:
    """The attempt did what it was for; a training made `model`.

    Raises Superseded or CancelRequested, and then the caller takes the model back.
    """
    row = TrainingJob.objects.select_for_update().get(pk=job.pk)
    if (row.attempt, row.state, row.model_id) == (job.attempt, State.DONE, model.pk if model else None):
        return  # written already: the database went away before it could say so
    if row.cancel_requested_at is not None:
        raise CancelRequested
    _end(job, State.DONE, message, model=model)


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
    if TrainingJob.objects.filter(pk=job.pk, attempt=job.attempt, state__in=TrainingJob.ACTIVE).update(**changes) != 1:
        raise Superseded(f"attempt {job.attempt} of job {job.pk} is over")


# --- What the schedule does ---------------------------------------------------------------------------------------


def reap() -> int:
    """Try again, or give up, every running job whose worker is silent. Returns how many.

    Whose own connection is young judges nobody: while the database was away no worker could be heard.
    """
    if _connected_for() < SILENT_AFTER:
        return 0
    silent = TrainingJob.objects.filter(state__in=TrainingJob.ACTIVE, heartbeat_at__lt=timezone.now() - SILENT_AFTER)
    return sum(_reap_one(job) for job in silent)


def _connected_for() -> timedelta:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        row = cursor.fetchone()
    return row[0] if row and row[0] is not None else SILENT_AFTER


@transaction.atomic
def _reap_one(job: TrainingJob) -> bool:
    again = job.attempt < job.max_attempts and job.cancel_requested_at is None
    own = TrainingJob.objects.filter(pk=job.pk, attempt=job.attempt, state=job.state, heartbeat_at=job.heartbeat_at)
    if again:
        note = f"The worker of attempt {job.attempt} went silent; the training starts again."
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
            "or the process was killed. Train again when that is mended."
        )
    )
    if own.update(state=state, message=note, finished_at=timezone.now()) != 1:
        return False
    record(None, Action.TRAINING_FINISHED, job, assistant_id=job.assistant_id, after={"state": state}, reason=note)
    return True


def requeue_forgotten(*, missing: Collection[str | None] = ()) -> int:
    """Queue again what Redis does not know any more (flushed, or away when it was asked). Twice does no harm.

    Those whose assistant chose a Rasa of `missing` go on waiting outside of the queue.
    """
    queued = TrainingJob.objects.filter(state=State.QUEUED).order_by("pk")
    chosen = queued.values_list("pk", "assistant__training_settings__rasa_version")
    waiting = [pk for pk, rasa in chosen if rasa not in missing]
    if not waiting:
        return 0
    queue = queues.queue(queues.TRAINING)
    known = {job.args[0] for job in queue.get_jobs() if job.func_name == RUN}
    forgotten = [pk for pk in waiting if pk not in known]
    with transaction.atomic():
        for pk in forgotten:
            queues.enqueue(queues.TRAINING, RUN, pk)
    return len(forgotten)


# --- What pages ask -----------------------------------------------------------------------------------------------


def place_in_line(job: TrainingJob) -> int:
    """1 for the job that is taken next; 0 when it does not wait."""
    if job.state != State.QUEUED:
        return 0
    return TrainingJob.objects.ahead_of(job.pk).count() + 1


def changes_since_training(assistant: Assistant) -> list[str]:
    """Paths that differ between the newest revision and the newest one that trained."""
    newest = newest_revision(assistant)
    if newest is None:
        return []
    done = TrainingJob.objects.trainings().filter(assistant=assistant, state=State.DONE).select_related("revision")
    last = done.order_by("-revision__number").first()
    return changed_paths(last.revision if last else None, newest)
