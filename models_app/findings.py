"""What Rasa found in a revision, as one person may see it: findings in files they may not see are only counted."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, Q, QuerySet

from models_app.data.rights import VIEWS
from models_app.data_loaders import Data
from models_app.entries import Entry
from models_app.models import Finding, TrainingJob, Validation
from models_app.services.validation import last_validating, newest_validation
from studio.web.code import Note

Severity = Finding.Severity


@dataclass
class Findings:
    """Of the revision that `data` looks at; of its newest validation, by whichever job."""

    data: Data
    entries: list[Entry] | None = None  # the files that the person may see, when they are known already

    @cached_property
    def validation(self) -> Validation | None:
        return newest_validation(self.data.revision) if self.data.revision else None

    @cached_property
    def last_job(self) -> TrainingJob | None:
        return last_validating(self.data.revision) if self.data.revision else None

    @property
    def job(self) -> TrainingJob | None:
        """That validates it now, or waits to."""
        return self.last_job if self.last_job is not None and not self.last_job.is_ended else None

    @property
    def broken(self) -> TrainingJob | None:
        """The last validation, when it did not come to its end and no other did since."""
        last = self.last_job
        if last is None or not last.is_ended or last.state == TrainingJob.State.DONE:
            return None
        return last if self.validation is None or self.validation.job_id < last.pk else None

    @property
    def state(self) -> str:
        """under-way, none, error, warning or valid."""
        if self.job is not None:
            return "under-way"
        if self.validation is None:
            return "none"
        return "error" if self.validation.errors else "warning" if self.validation.warnings else "valid"

    @cached_property
    def paths(self) -> list[str]:
        """Of the files that the person may see."""
        return [entry.path for entry in (self.data.entries() if self.entries is None else self.entries)]

    @property
    def seen(self) -> QuerySet[Finding]:
        """Those in files that the person may see. One without a place may speak of any file."""
        if self.validation is None:
            return Finding.objects.none()
        data = self.data
        sees_all = all(data.user.may_somewhere(permission, data.assistant.pk) for permission in VIEWS)
        paths = [*self.paths, ""] if sees_all else self.paths
        return self.validation.findings.filter(path__in=paths)

    @cached_property
    def by_path(self) -> dict[str, dict[str, int]]:
        """For each path the number of its errors and warnings; "" is for those without a place."""
        found: dict[str, dict[str, int]] = {}
        rows = self.seen.order_by().values_list("path", "severity").annotate(number=Count("pk"))
        for path, severity, number in rows:
            found.setdefault(path, {})[severity] = number
        return found

    @property
    def total(self) -> int:
        return sum(sum(numbers.values()) for numbers in self.by_path.values())

    @property
    def hidden(self) -> int:
        return self.validation.kept - self.total if self.validation else 0

    def places_of(self, finding: Finding) -> list[tuple[str, int]]:
        """Path and line of each place of the finding that the person may see."""
        places = [(finding.path, finding.line), *finding.others]
        return [(path, line) for path, line in places if path and line and path in self.paths]

    def notes_of(self, path: str) -> list[Note]:
        """What stands beside the lines of a file, also of findings whose first place is elsewhere."""
        rows = self.seen.filter(Q(path=path) | Q(others__contains=[[path]]))
        return [
            Note(line, finding.severity, finding.message, finding.advice)
            for finding in rows
            for at, line in self.places_of(finding)
            if at == path
        ]
