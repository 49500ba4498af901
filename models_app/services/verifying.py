"""Read every artifact to its end and say which are missing or damaged, and which bytes nobody needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from django.db.models import Q

from models_app.models import Artifact, Model
from models_app.services.artifact_checks import VERIFYING, alone, note, problem_of
from models_app.services.artifacts import held, strays
from models_app.storage import store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Progress:
    """Of so many artifacts and bytes."""

    total: int
    total_bytes: int
    done: int = 0
    done_bytes: int = 0


@dataclass(slots=True)
class Outcome:
    """What was found; artifacts by their SHA-256."""

    whole: int = 0
    whole_bytes: int = 0
    left_out: int = 0  # found whole lately
    problems: dict[str, str] = field(default_factory=dict)  # Artifact.Problem of each that is not whole
    strays: list[str] = field(default_factory=list)  # bytes without a model; the sweep takes them away


Tell = Callable[[Progress], None]


def verify_artifacts(*, since: datetime | None, tell: Tell) -> Outcome:
    """Hash everything but what was found whole after `since`. What is found is kept in the rows as it goes.

    Conflict when somebody else does it; StoreFailed where the store stops working.
    """
    with alone(VERIFYING, "Artifacts are being verified already. Look how far that is, and let it end."):
        in_use = Artifact.objects.filter(freed_at=None)
        rows = list(in_use.exclude(_was_found_whole(since)).order_by("sha256"))
        outcome = Outcome(left_out=in_use.count() - len(rows))
        progress = Progress(len(rows), sum(row.size for row in rows))
        for row in rows:
            problem = _look_at(row, progress, tell)
            if problem:
                outcome.problems[row.sha256] = problem
            else:
                outcome.whole += 1
                outcome.whole_bytes += row.size
            progress = replace(progress, done=progress.done + 1, done_bytes=progress.done_bytes + row.size)
            tell(progress)
        outcome.strays = list(strays())
        return outcome


def _was_found_whole(since: datetime | None) -> Q:
    return Q(checked_at__gte=since, checked_in=store().label, problem="") if since else Q(pk__in=[])


def _look_at(row: Artifact, progress: Progress, tell: Tell) -> str:
    taken = progress.done_bytes

    def count(read: int) -> None:
        nonlocal taken
        taken += read
        tell(replace(progress, done_bytes=taken))

    problem = problem_of(store(), row.sha256, row.size, count)
    with held(row.sha256):
        if not Artifact.objects.filter(sha256=row.sha256, freed_at=None).exists():
            return ""  # its last model was deleted meanwhile
        if problem and row.problem != problem:
            log.error("artifact is not whole", sha256=row.sha256, problem=problem)
        note(row.sha256, store(), problem)
    return problem


def models_of(sha256: str) -> Iterator[Model]:
    """The models that need these bytes."""
    current = Model.objects.current().filter(artifact=sha256)
    yield from current.select_related("assistant").prefetch_related("tags").order_by("pk")
