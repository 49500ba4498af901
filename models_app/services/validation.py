"""The only writer of what Rasa's validation found."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from models_app.data.check import Severity
from models_app.models import Assistant, Finding, Revision, TrainingJob, Validation
from models_app.services import training
from models_app.services.revisions import newest_revision
from models_app.validation.meaning import Found
from studio.access.models import User
from studio.audit.actions import Action
from studio.errors import Conflict, Invalid

STEP = "Validating the data"
KEPT = 1_000  # findings of one validation; who has more mends those first
State = TrainingJob.State
Kind = TrainingJob.Kind


@transaction.atomic
def request_validation(*, actor: User | None, assistant: Assistant, revision: Revision | None = None) -> TrainingJob:
    """Queue a validation of `revision`, of the newest one when it is left out."""
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    revision = revision or newest_revision(assistant)
    if revision is None:
        raise Invalid("There is no training data yet. Upload a project on the Data page first.")
    under_way = job_under_way(revision)
    if under_way is not None:
        raise Conflict(f"Revision {revision.number} is being validated already.", job=under_way.number)
    return training.put_in_line(
        Action.VALIDATION_REQUESTED,
        actor=actor,
        revision=revision,
        after={"revision": revision.number},
        kind=Kind.VALIDATION,
    )


@transaction.atomic
def finish_validation(job: TrainingJob, found: Sequence[Found]) -> None:
    """A job of kind validation came to its end, whatever it found. Raises Superseded or CancelRequested."""
    training.finish(job, None, message=_keep(job, found).words)


@transaction.atomic
def keep_findings(job: TrainingJob, state: str, found: Sequence[Found]) -> None:
    """What a training found in its data; it goes on to `state`. Raises Superseded."""
    training.advance(job, state)
    _keep(job, found)


def refusal(found: Sequence[Found]) -> str:
    """Why a training with such errors ends: the first of them, and how many there are."""
    errors = [one for one in found if one.severity is Severity.ERROR]
    first = errors[0]
    place = f"{first.places[0].path}, line {first.places[0].line}: " if first.places else ""
    more = len(errors) - 1
    return f"{place}{first.message}" + (f"\nAnd {more} more error{'s' if more > 1 else ''}." if more else "")


def _keep(job: TrainingJob, found: Sequence[Found]) -> Validation:
    """Write what a running job found, in the place of what an earlier attempt of it found.

    Inside the caller's transaction, which has to prove that the attempt is not over.
    """
    Validation.objects.filter(job=job).delete()
    errors = sum(one.severity is Severity.ERROR for one in found)
    validation = Validation.objects.create(
        assistant=job.assistant,
        revision=job.revision,
        job=job,
        digest=job.revision.digest,
        rasa_version=job.rasa_version,
        errors=errors,
        warnings=len(found) - errors,
        left_out=max(0, len(found) - KEPT),
        finished_at=timezone.now(),
    )
    Finding.objects.bulk_create(_row(validation, one) for one in found[:KEPT])
    return validation


def _row(validation: Validation, one: Found) -> Finding:
    first, *others = one.places or (None,)
    return Finding(
        validation=validation,
        severity=one.severity.value,
        message=one.message.replace("\0", "\ufffd"),
        advice=one.advice,
        path=first.path if first else "",
        line=first.line if first else None,
        others=[[place.path, place.line] for place in others if place],
    )


# --- What pages and trainings ask ---------------------------------------------------------------------------------


def newest_validation(revision: Revision) -> Validation | None:
    """The last one of the same data, by whichever revision and version of Rasa."""
    same = Validation.objects.filter(assistant=revision.assistant_id, digest=revision.digest)
    return same.select_related("job", "revision").order_by("-pk").first()


def known_valid(revision: Revision, rasa_version: str) -> Validation | None:
    """The last validation of the same data by the same Rasa, if it found no errors.

    With errors it is asked again: what stopped Rasa may have been its surroundings, which people have mended since.
    """
    same = Validation.objects.filter(assistant=revision.assistant_id, digest=revision.digest, rasa_version=rasa_version)
    last = same.select_related("job").order_by("-pk").first()
    return last if last is not None and last.errors == 0 else None


def validation_of(job: TrainingJob) -> Validation | None:
    """What its own validation found, else the one that it relied on; None for a job without, or with neither."""
    own = Validation.objects.filter(job=job).select_related("job").first()
    if own is not None or job.kind != Kind.TRAINING or job.started_at is None or job.state == State.PREPARING:
        return own
    earlier = Validation.objects.filter(finished_at__lte=job.started_at, rasa_version=job.rasa_version, errors=0)
    same = earlier.filter(assistant=job.assistant_id, digest=job.revision.digest)
    return same.select_related("job").order_by("-pk").first()


def last_validating(revision: Revision) -> TrainingJob | None:
    """The newest validation of the revision, in whatever state, or the training that begins with one now."""
    begins = Q(kind=Kind.TRAINING, state=State.PREPARING, step=STEP)
    jobs = TrainingJob.objects.filter(Q(kind=Kind.VALIDATION) | begins, revision=revision)
    return jobs.order_by("-pk").first()


def job_under_way(revision: Revision) -> TrainingJob | None:
    """The validation of the revision that waits or runs."""
    return (
        TrainingJob.objects.filter(revision=revision, kind=Kind.VALIDATION)
        .exclude(state__in=TrainingJob.ENDED)
        .order_by("pk")
        .first()
    )
